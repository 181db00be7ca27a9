"""Whom to tell of what."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from liftgate.config.block import Block

Occasion = Literal["promoted", "rejected", "held", "canary", "rolled_back", "resumed", "stale", "quarantined", "brake"]


class Notify(Block):
    """One way of telling. A notifier that fails is logged, and never fails a run."""

    when: tuple[Occasion, ...] = Field(min_length=1)
    """promoted, rejected, held: what became of a candidate; also held is one that waits for a person's answer. canary:
    some readers get an adapter, or its canary was judged or ended by a person; where a promotion, a rejection or a
    rollback ended it, that alone is told. rolled_back: an earlier release is live again. resumed: promotions go on.
    What a person does at the command line is told by the next run. stale: live has been behind its sources for too
    long, told once a day. quarantined: documents could not be read. brake: a run was stopped."""
    using: str = "webhook"
    """webhook, email or slack, or the dotted path of any notifier of Airflow's."""
    conn_id: str | None = None
    """The Airflow connection: of the type http for a webhook, smtp for email, slackwebhook for slack."""
    options: dict[str, Any] = {}
    """Passed to the notifier, such as `to` for email. Texts are templates that know `news`: `{{ news.text }}`."""
