"""The pages that people read."""

# No postponed annotations here: FastAPI reads those of a function that is defined in another.

from datetime import UTC, datetime
from typing import Annotated, Any


def router() -> Any:
    """The pages. Whoever may see the DAG `kb_<name>` may read those of that knowledge base."""
    from airflow.api_fastapi.core_api.security import GetUserDep
    from fastapi import APIRouter, Depends, HTTPException, Query, Request
    from fastapi.responses import HTMLResponse

    from liftgate.reporting.history import KINDS
    from liftgate.reporting.timeline import metrics_of
    from liftgate_airflow.connection import viewer_groups
    from liftgate_airflow.pages import plots, reading
    from liftgate_airflow.pages.filters import EventFilter
    from liftgate_airflow.pages.rendering import page
    from liftgate_airflow.pages.viewer import groups_of, may_see, startable, visible_to

    made = APIRouter(default_response_class=HTMLResponse)
    of_one = APIRouter(prefix="/kb/{kb}", dependencies=[Depends(may_see)], default_response_class=HTMLResponse)

    def root(request: Request) -> str:
        return str(request.scope.get("root_path", ""))

    @made.get("/")
    def index(request: Request, user: GetUserDep) -> str:
        seen = visible_to(user, reading.all_knowledge_bases())
        return page("index.html", root(request), standings=reading.all_standings(seen))

    @of_one.get("")
    def knowledge_base(kb: str, request: Request, user: GetUserDep, metric: str = "") -> str:
        found, now = reading.overview(kb), datetime.now(UTC)
        if not found.lines and not found.health.newest_run:
            raise HTTPException(404, f"Expected a run of kb_{kb}, found none. Check the name, or let it run.")
        metrics = metrics_of(found.lines)
        metric = metric if metric in metrics else next(iter(metrics), "")
        return page(
            "knowledge_base.html",
            root(request),
            kb=kb,
            found=found,
            metric=metric,
            metrics=metrics,
            timeline=plots.timeline_plot(found.lines, found.periods, metric, now) if metric else None,
            times=plots.time_to_live_plot(found.health.times_to_live),
            roll_back=startable(user, f"roll_back_{kb}"),
            resume=startable(user, f"resume_{kb}"),
        )

    @of_one.get("/releases/{n}")
    def release(kb: str, n: int, request: Request, against: str = "") -> str:
        found = reading.release_page(kb, n, against)
        checks = found.judged.verdict.checks if found.judged else ()
        intervals = plots.interval_plots(checks)
        return page("release.html", root(request), kb=kb, found=found, intervals=intervals, shown=plots.SHOWN)

    @of_one.get("/releases/{n}/questions/{question:path}")
    def question(kb: str, n: int, question: str, request: Request, user: GetUserDep) -> str:
        found = reading.question_page(kb, n, question, groups_of(user, viewer_groups()))
        if found is None:
            raise HTTPException(404, f"Expected {question} to be measured for release {n} of {kb}, found no such row.")
        return page("question.html", root(request), kb=kb, n=n, found=found)

    @of_one.get("/ledger")
    def ledger(kb: str, wanted: Annotated[EventFilter, Query()], request: Request) -> str:
        events = reading.events(kb, wanted)
        return page(
            "ledger.html", root(request), kb=kb, events=events, wanted=wanted, kinds=KINDS, query=request.url.query
        )

    made.include_router(of_one)
    return made
