"""The registry of adapters as tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from liftgate.database import Connection
from liftgate.errors import LiftgateError
from liftgate.training.adapters import adapters


def overview(connection: Connection, kb: str) -> Iterator[Any]:
    """Every adapter of a knowledge base, oldest first."""
    table = Table(
        "adapter", "name", "base model", "tuning set", "index of", "prompt", "last loss", "verdict", "registered"
    )
    for one in _found(connection, kb):
        table.add_row(
            one["digest"] + (" (live)" if one["live"] else ""),
            one["name"],
            one["base"].rpartition("@")[0],
            one["tuning_set"][:12],
            _release(one),
            (one["prompt"] or "")[:8],
            _number(one["manifest"].get("metrics", {}).get("last_loss")),
            one["verdict"] or "none",
            f"{one['created_at']:%Y-%m-%d %H:%M}",
        )
    yield table


def details(connection: Connection, kb: str, digest: str) -> Iterator[Any]:
    """One adapter: where it came from, what training measured, its files."""
    found = _found(connection, kb, digest)
    if len(found) > 1:
        names = ", ".join(one["digest"] for one in found)
        raise LiftgateError(f"Expected one adapter that begins with {digest}, found {names}. Give more of the digest.")
    (one,) = found
    yield _origin(one)
    yield _metrics(one["manifest"].get("metrics", {}))
    yield _files(one["manifest"]["files"])


def _found(connection: Connection, kb: str, digest: str = "") -> list[dict[str, Any]]:
    found = adapters(connection, kb, digest)
    if not found:
        begins = f" that begins with {digest}" if digest else ""
        raise LiftgateError(
            f"Expected an adapter of {kb}{begins}, found none. `liftgate adapters list {kb}` shows those that are "
            "registered; a run of an adapter's DAG registers one."
        )
    return found


def _origin(one: dict[str, Any]) -> Table:
    table = Table(f"adapter {one['digest']}", "", show_header=True)
    table.add_row("name", one["name"])
    table.add_row("base model", one["base"].rpartition("@")[0])
    table.add_row("base revision", one["base_revision"])
    table.add_row("tokenizer", one["tokenizer_sha256"])
    table.add_row("chat template", one["chat_template_sha256"])
    table.add_row("tuning set", f"{one['tuning_set']}, {_counts(one['counts'])}")
    table.add_row("dataset revision", one["dataset_revision"] or "not noted")
    table.add_row("index of", _release(one))
    table.add_row("prompt", one["prompt"])
    table.add_row("job", one["job"] or "not noted")
    table.add_row("uid of the job", one["job_uid"] or "not noted")
    table.add_row("run", one["run_id"])
    table.add_row("files in", one["uri"])
    table.add_row("verdict", f"{one['verdict']}, as release {one['judged_as']}" if one["verdict"] else "none")
    table.add_row("live", "yes" if one["live"] else "no")
    return table


def _release(one: dict[str, Any]) -> str:
    return f"release {one['release']}" if one["release"] is not None else "not noted"


def _counts(counts: dict[str, Any]) -> str:
    """Example: {"examples": 120, "refusals": 30} -> "120 examples, 30 of them refusals"."""
    return f"{counts.get('examples', '?')} examples, {counts.get('refusals', '?')} of them refusals"


def _metrics(metrics: dict[str, Any]) -> Table:
    """One row for each measurement; a curve, which has a number for each step, is shown by its ends."""
    table = Table("measured in training", "", show_header=True)
    for name, value in sorted(metrics.items()):
        curve = isinstance(value, list) and value and len(value) == metrics.get("steps")
        shown = f"{_number(value[0])} to {_number(value[-1])} in {len(value)} steps" if curve else _number(value)
        table.add_row(name, shown)
    return table


def _files(files: dict[str, dict[str, Any]]) -> Table:
    table = Table("file", "SHA-256", "bytes")
    for name, described in files.items():
        table.add_row(name, described["sha256"], str(described.get("bytes", "")))
    return table


def _number(value: Any) -> str:
    """Example: 1.2345678 -> "1.2346", 20 -> "20", None -> ""."""
    return "" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)
