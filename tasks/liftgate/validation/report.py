"""What a suite found: numbers and ids, never a text of a document."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from liftgate.errors import ValidationFailed


@dataclass(frozen=True)
class Expected:
    """One expectation of a suite, and what was found."""

    sentence: str
    """What was expected, in words."""
    expectation: str
    """Great Expectations' name of it."""
    column: str
    passed: bool
    observed: float | int | None
    """The value of the whole table where there is one (a mean, a share), otherwise the number of failures."""
    failed: int
    """How many rows do not meet it; 0 where it is about the whole table."""
    sample_ids: tuple[str, ...] = ()
    """Up to 20 ids of rows that do not meet it."""


@dataclass(frozen=True)
class Report:
    """The result of a checkpoint, as it is stored and shown."""

    suite: str
    passed: bool
    rows: int
    expected: tuple[Expected, ...]
    docs: str
    """Path of the Data Docs' first page."""

    def as_json(self) -> dict[str, Any]:
        """Plain dictionaries and lists, for the ledger and for XCom."""
        return asdict(self)

    def message(self) -> str:
        """Expected, found, remedy: one sentence for each expectation that failed."""
        failures = [one for one in self.expected if not one.passed]
        first = f"{self.suite}: {len(failures)} of {len(self.expected)} expectations failed on {self.rows} rows."
        last = f"The Data Docs are in {self.docs}. Mend what is named, and run again."
        return "\n".join([first, *map(_line, failures), last])

    def raise_if_failed(self) -> Report:
        """The report itself, or ValidationFailed with its message."""
        if not self.passed:
            raise ValidationFailed(self.message())
        return self


def _line(one: Expected) -> str:
    named = f", for example {', '.join(one.sample_ids[:5])}" if one.sample_ids else ""
    found = f"{one.failed} rows that do not" if one.failed else f"{one.observed}"
    return f"Expected: {one.sentence}; found {found}{named}."
