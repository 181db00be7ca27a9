"""What Airflow loads through the entry point `airflow.plugins`."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class LiftgatePlugin(AirflowPlugin):
    """Shows in `airflow plugins` that Liftgate is installed, once."""

    name = "liftgate"
