"""When something runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator


def _require_cron(text: str) -> str:
    """Airflow checks it so late that its error would fall on the whole module."""
    from croniter import croniter

    if croniter.is_valid(text):
        return text
    raise ValueError(f"expected a cron expression like 0 2 * * *, found {text!r}; correct it")


Cron = Annotated[str, AfterValidator(_require_cron)]
"""A cron expression."""
