from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError
from airflow.sdk.execution_time.comms import AssetEventDagRunReferenceResult
from airflow.sdk.execution_time.context import TriggeringAssetEventsAccessor

from liftgate.runs import Allowances, Scope
from liftgate_airflow.scope import allowances, run_params, work_scope

START, END = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC)


def context(run_type: str, *, interval: bool = True, events: Sequence[dict[str, Any]] = (), **params: Any) -> Any:
    from airflow.sdk.api.datamodels._generated import DagRunType

    start, end = (START, END) if interval else (None, None)
    dag_run = SimpleNamespace(run_type=DagRunType(run_type), data_interval_start=start, data_interval_end=end)
    defaults = {name: param.value for name, param in run_params().items()}
    triggering = TriggeringAssetEventsAccessor.build([event(extra) for extra in events])
    return {"dag_run": dag_run, "params": {**defaults, **params}, "triggering_asset_events": triggering}


def event(extra: dict[str, Any]) -> AssetEventDagRunReferenceResult:
    asset = {"name": "liftgate://small/sources", "uri": "liftgate://small/sources", "extra": {}}
    nobody = dict.fromkeys(("source_task_id", "source_dag_id", "source_run_id", "source_map_index"))
    return AssetEventDagRunReferenceResult.model_validate(
        {"asset": asset, "extra": extra, **nobody, "source_aliases": [], "timestamp": START}
    )


@pytest.mark.parametrize("run_type", ["scheduled", "manual", "asset_triggered", "asset_materialization"])
def test_run_that_is_no_backfill_works_on_everything_and_reads_no_interval(run_type: str) -> None:
    assert work_scope(context(run_type, interval=not run_type.startswith("asset"))) == Scope()


def test_backfill_works_on_the_documents_of_its_interval_and_parses_them_again() -> None:
    expected = Scope(kind="some", updated_from=START, updated_until=END, forced=True)
    assert work_scope(context("backfill")) == expected


def test_events_that_name_documents_make_a_run_look_at_those() -> None:
    events = [{"source": "wiki", "changed": ["a.md"], "deleted": ["b.md"]}, {"changed": ["c.md"]}]
    named = frozenset({("wiki", "a.md"), ("wiki", "b.md"), ("", "c.md")})
    assert work_scope(context("asset_triggered", interval=False, events=events)) == Scope(kind="some", named=named)


@pytest.mark.parametrize(
    "other", [{}, {"changed": []}, {"changed": "a.md"}, {"from_trigger": True, "payload": {"digest": "d"}}]
)
def test_one_event_that_names_none_makes_a_run_look_at_everything(other: dict[str, Any]) -> None:
    assert work_scope(context("asset_triggered", interval=False, events=[{"changed": ["a.md"]}, other])) == Scope()


def test_run_with_patterns_works_on_those_documents_only() -> None:
    assert work_scope(context("manual", include=["hr/**"])) == Scope(kind="some", include=("hr/**",))


def test_forced_run_works_on_everything_again() -> None:
    assert work_scope(context("manual", force=True)) == Scope(forced=True)


def test_dry_run_of_any_kind_only_says_what_it_would_do() -> None:
    assert work_scope(context("manual", dry_run=True)) == Scope(dry_run=True)
    backfill = work_scope(context("backfill", dry_run=True))
    assert (backfill.kind, backfill.updated_from, backfill.dry_run) == ("some", START, True)


@pytest.mark.parametrize(
    "wrong",
    [{"include": "hr/**"}, {"include": [""]}, {"force": "yes"}, {"dry_run": 1}, {"allow_opened_up_to": -1}],
)
def test_form_refuses_what_it_cannot_mean(wrong: dict[str, Any]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(ParamValidationError):
        run_params()[name].resolve(value)


def test_form_that_is_left_empty_allows_nothing() -> None:
    assert allowances(context("manual")) == Allowances()
    assert allowances({"params": {}}) == Allowances()  # type: ignore[typeddict-item]


def test_every_brake_can_be_allowed_by_a_param_of_its_name() -> None:
    names = [name for name in run_params() if name.startswith("allow_")]
    assert names == [f"allow_{name}_up_to" for name in Allowances.model_fields]
    given = allowances(context("manual", **dict.fromkeys(names, 7)))
    assert given == Allowances(removals=7, widenings=7, opened=7)
