"""Documents to elements: bytes of md, txt, html or pdf become pieces of text that know their section."""

from liftgate.parsing.document import PARSER_VERSION, fingerprint, parse, require_size
from liftgate.parsing.elements import Element

__all__ = ["PARSER_VERSION", "Element", "fingerprint", "parse", "require_size"]
