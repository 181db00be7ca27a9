"""Great Expectations suites for what could go live: the chunks of a generation, and tuning sets."""

from liftgate.validation.chunks import validate_chunks
from liftgate.validation.report import Expected, Report
from liftgate.validation.tuning_set import validate_tuning_set

__all__ = ["Expected", "Report", "validate_chunks", "validate_tuning_set"]
