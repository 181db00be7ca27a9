"""Templates to pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from liftgate_airflow.pages.assets import digest

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """Everything that is put in is escaped, and a name that does not exist is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"when": when, "number": number, "signed": signed, "duration": duration, "words": words}
    made.globals |= {"digest": digest}
    return made


def page(template: str, root: str, **values: Any) -> str:
    """A page as HTML. `root` is the path below which this application is mounted, as in /airflow/liftgate."""
    airflow = root.removesuffix("/liftgate")
    return environment().get_template(template).render(root=root, airflow=airflow, now=datetime.now(UTC), **values)


def when(at: datetime | None) -> str:
    """Example: 2026-01-01 02:00 (UTC, as Airflow's schedules are)"""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else ""


def number(value: float | None) -> str:
    """Example: 0.8123 -> "0.812"."""
    return "" if value is None else f"{value:.3f}"


def signed(value: float | None) -> str:
    """Example: 0.02 -> "+0.020"."""
    return "" if value is None else f"{value:+.3f}"


def words(name: str) -> str:
    """Example: "not_assessed" -> "not assessed". A rollback is an event of the release that it made live again."""
    return name.replace("rolled_back", "rolled back to").replace("_", " ")


def duration(length: float | timedelta | None) -> str:
    """The two largest units. Example: 93784 seconds -> "1 d 2 h"."""
    if length is None:
        return ""
    left = int(length.total_seconds() if isinstance(length, timedelta) else length)
    parts: list[str] = []
    for name, seconds in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, seconds)
        if count or (name == "s" and not parts):
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])
