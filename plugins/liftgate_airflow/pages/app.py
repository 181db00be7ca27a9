"""Everything below /liftgate of Airflow's API server: pages, downloads, assets, and what is live for applications."""

from __future__ import annotations

from typing import Any

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
"""On every answer. Pages load and ask nothing but this server, and are framed by nothing but Airflow."""


def build() -> Any:
    """The FastAPI application. No route of it answers somebody who is not logged in to Airflow."""
    from airflow.api_fastapi.core_api.security import requires_authenticated
    from fastapi import Depends, FastAPI, Request
    from fastapi.responses import JSONResponse

    from liftgate.errors import PromotionRefused
    from liftgate_airflow.pages import assets, downloads, live, views

    logged_in = Depends(requires_authenticated())
    app = FastAPI(title="Liftgate", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[logged_in])

    @app.middleware("http")
    async def with_headers(request: Request, call_next: Any) -> Any:
        answer = await call_next(request)
        for name, value in {"Cache-Control": "no-store", **HEADERS}.items():
            answer.headers.setdefault(name, value)
        return answer

    @app.exception_handler(PromotionRefused)
    async def no_such_release(request: Request, error: PromotionRefused) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 404)

    for module in (live, assets, downloads, views):
        app.include_router(module.router)
    return app
