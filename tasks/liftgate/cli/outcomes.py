"""`liftgate outcomes`: what became of requests, from lines of JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pydantic import ValidationError

from liftgate.errors import LiftgateError
from liftgate.releases.serving import Outcome, report_outcomes

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def report(runtime: Runtime, kb: str, lines: Iterable[str]) -> str:
    """Store the outcomes and say how many count. A line that is none stores nothing at all: LiftgateError names it."""
    told = list(_read(lines))
    counted = report_outcomes(runtime, kb, told)
    return (
        f"{counted} of {len(told)} outcomes of {kb} were added. The others were known, or are of no canary that runs, "
        "or not of the side of their reader."
    )


def _read(lines: Iterable[str]) -> Iterator[Outcome]:
    for number, line in enumerate(lines, start=1):
        try:
            if line.strip():
                yield Outcome.model_validate_json(line)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, one['loc']))} {one['msg']}".strip() for one in error.errors())
            raise LiftgateError(
                f"Expected canary, side, reader, request and good in line {number}, found: {wrong}. Nothing was "
                "stored. Correct the line and report all again."
            ) from error
