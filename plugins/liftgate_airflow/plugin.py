"""What Airflow loads through the entry point `airflow.plugins`."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from liftgate_airflow.pages.lazy import LazyApp

PATH_OF_AIRFLOW = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
"""Where Airflow is not at the root of its host, every address begins with it."""


def _app() -> Any:
    from liftgate_airflow.pages.app import build

    return build()


class LiftgatePlugin(AirflowPlugin):
    """Shows in `airflow plugins` that Liftgate is installed, once, and adds its pages to Airflow's navigation.

    A tab on the page of a DAG would show on every DAG of the installation, so there is none.
    """

    name = "liftgate"
    fastapi_apps = [{"app": LazyApp(_app), "url_prefix": "/liftgate", "name": "liftgate"}]
    external_views = [
        {
            "name": "Liftgate",
            "href": f"{PATH_OF_AIRFLOW}/liftgate/",
            "destination": "nav",
            "category": "browse",
            "url_route": "liftgate",
        }
    ]
