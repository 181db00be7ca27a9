"""What Airflow loads through the entry point `airflow.plugins`."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from liftgate_airflow.pages.lazy import LazyApp


def _live() -> Any:
    from liftgate_airflow.pages.live import build

    return build()


class LiftgatePlugin(AirflowPlugin):
    """Shows in `airflow plugins` that Liftgate is installed, once, and answers what is live."""

    name = "liftgate"
    fastapi_apps = [{"app": LazyApp(_live), "url_prefix": "/liftgate", "name": "liftgate"}]
