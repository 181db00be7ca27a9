"""The base of every block of a configuration file."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from textwrap import dedent

from pydantic import BaseModel, ConfigDict


class Block(BaseModel):
    """A block of YAML: frozen once read, unknown keys refused, every field documented by the string under it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def purposes(block: type[BaseModel]) -> dict[str, str]:
    """What each field is for: the strings under the fields, of the bases too.

    Read from the source when somebody asks. Pydantic would do it for every class at every start of every task, which
    costs more than all else in a DAG file.
    """
    found: dict[str, str] = {}
    for base in reversed(block.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= _own_purposes(base)
    return found


def _own_purposes(block: type[BaseModel]) -> dict[str, str]:
    body = ast.parse(dedent(inspect.getsource(block))).body[0]
    statements = body.body if isinstance(body, ast.ClassDef) else []
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairwise(statements)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
