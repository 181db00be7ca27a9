"""What may stand in an address: anything else is refused before the database sees it."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from liftgate.reporting.history import Wanted


def _none_if_empty(value: Any) -> Any:
    """A form sends an empty field as an empty text."""
    return None if value == "" else value


Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""Of a release or an event."""
Text = Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=2000)]
"""What PostgreSQL can store."""
Day = Annotated[date, Field(ge=date(1970, 1, 1), le=date(2999, 12, 31))]


class EventFilter(BaseModel):
    """The filter of the ledger. Days are whole, in UTC, and `until` is the last one."""

    kind: list[Text] = []
    release: Annotated[Number | None, BeforeValidator(_none_if_empty)] = None
    words: Text = ""
    since: Annotated[Day | None, BeforeValidator(_none_if_empty)] = None
    until: Annotated[Day | None, BeforeValidator(_none_if_empty)] = None
    before: Annotated[Number | None, BeforeValidator(_none_if_empty)] = None

    def wanted(self) -> Wanted:
        """The events that pass."""
        return Wanted(
            kinds=tuple(kind for kind in self.kind if kind),
            release=self.release,
            words=self.words.strip(),
            since=_midnight(self.since) if self.since else None,
            until=_midnight(self.until) + timedelta(days=1) if self.until else None,
            before=self.before,
        )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
