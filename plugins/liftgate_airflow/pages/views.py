"""The pages that people read. Imported at the first request only: it needs Airflow's API server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import HTMLResponse

from liftgate.reporting.history import KINDS
from liftgate.reporting.texts import SIDES
from liftgate.reporting.timeline import metrics_of
from liftgate_airflow.connection import viewer_groups
from liftgate_airflow.pages import plots, reading
from liftgate_airflow.pages.filters import EventFilter, Number, Text
from liftgate_airflow.pages.rendering import page
from liftgate_airflow.pages.viewer import groups_of, may_see, missing_pools, startable, visible_to

router = APIRouter(default_response_class=HTMLResponse)
of_one = APIRouter(prefix="/kb/{kb}", dependencies=[Depends(may_see)], default_response_class=HTMLResponse)
"""Whoever may see the DAG `kb_<name>` may read these."""


@router.get("/")
def index(request: Request, user: GetUserDep) -> str:
    """Every knowledge base that the viewer may see."""
    seen = visible_to(user, reading.all_knowledge_bases())
    return page("index.html", _root(request), standings=reading.all_standings(seen))


@of_one.get("")
def knowledge_base(kb: str, request: Request, user: GetUserDep, metric: str = "") -> str:
    """How a knowledge base stands, its releases over time, and the way back."""
    found, now = reading.overview(kb), datetime.now(UTC)
    if not found.lines and not found.health.newest_run:
        raise HTTPException(404, f"Expected a run of kb_{kb}, found none. Check the name, or let it run.")
    metrics = metrics_of(found.lines)
    metric = metric if metric in metrics else next(iter(metrics), "")
    return page(
        "knowledge_base.html",
        _root(request),
        kb=kb,
        found=found,
        metric=metric,
        metrics=metrics,
        timeline=plots.timeline_plot(found.lines, found.periods, metric, now) if metric else None,
        times=plots.time_to_live_plot(found.health.times_to_live),
        missing_pools=missing_pools(found.pools),
        roll_back=startable(user, f"roll_back_{kb}"),
        resume=startable(user, f"resume_{kb}"),
    )


@of_one.get("/releases/{n}")
def release(kb: str, n: Number, request: Request, against: Text = "") -> str:
    """One release: verdict, intervals, questions that changed, make-up."""
    found = reading.release_page(kb, n, against)
    intervals = plots.interval_plots(found.judged.verdict.checks if found.judged else ())
    return page("release.html", _root(request), kb=kb, found=found, intervals=intervals, shown=plots.SHOWN)


@of_one.get("/releases/{n}/questions/{question:path}")
def question(kb: str, n: Number, question: Text, request: Request, user: GetUserDep) -> str:
    """One question side by side, with its texts for whoever may read them."""
    found = reading.question_page(kb, n, question, groups_of(user, viewer_groups()))
    if found is None:
        raise HTTPException(404, f"Expected {question} to be measured for release {n} of {kb}, found no such row.")
    sides = [side for side in SIDES if any(side in values for values in found.values.values())]
    return page("question.html", _root(request), kb=kb, n=n, found=found, sides=sides)


@of_one.get("/ledger")
def ledger(kb: str, wanted: Annotated[EventFilter, Query()], request: Request) -> str:
    """The ledger, newest first."""
    events, url = reading.events(kb, wanted, reading.MOST_EVENTS), request.url
    return page(
        "ledger.html",
        _root(request),
        kb=kb,
        events=events,
        wanted=wanted,
        kinds=KINDS,
        query=url.remove_query_params("before").query,
        earlier=len(events) == reading.MOST_EVENTS and url.include_query_params(before=events[-1].n).query,
    )


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


router.include_router(of_one)
