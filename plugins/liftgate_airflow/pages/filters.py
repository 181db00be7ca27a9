"""The filter of the ledger, as it stands in an address."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator

from liftgate.reporting.history import Wanted


def _none_if_empty(value: Any) -> Any:
    """A form sends an empty field as an empty text."""
    return None if value == "" else value


class EventFilter(BaseModel):
    """Days are whole, in UTC, and `until` is the last one."""

    kind: list[str] = []
    release: Annotated[int | None, BeforeValidator(_none_if_empty)] = None
    words: str = ""
    since: Annotated[date | None, BeforeValidator(_none_if_empty)] = None
    until: Annotated[date | None, BeforeValidator(_none_if_empty)] = None

    def wanted(self) -> Wanted:
        """The events that pass."""
        return Wanted(
            kinds=tuple(kind for kind in self.kind if kind),
            release=self.release,
            words=self.words.strip(),
            since=_midnight(self.since) if self.since else None,
            until=_midnight(self.until) + timedelta(days=1) if self.until else None,
        )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
