"""`housekeeping`: what nobody needs any more goes, and what is there is compared with what should be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, TaskGroup, task

from liftgate_airflow.dag import liftgate_dag, on_time
from liftgate_airflow.step import freeze_configuration, step

PATIENCE: dict[str, Any] = {"retries": 4, "retry_delay": timedelta(minutes=15), "retry_policy": None}
"""Whoever writes goes first: a knowledge base that is being written is tried again later."""


def housekeeping(files: Mapping[str, Path]) -> DAG:
    """Prune and compare, once a day, for every knowledge base, and look after the installation.

    - **doctor** checks every setting, connection and configuration file as a worker sees them, connections made in
      Airflow's pages too.
    - **freeze_configuration** stores the validated configuration file of the knowledge base.
    - **prune** deletes rows that no kept release, candidate or anchor can see.
    - **compare_newest** deletes rows that a writer sent late, narrows what such a request made readable again, and says
      if any rows are missing.

    Tasks wait and try again while another run writes to the same knowledge base.

    ### Triage
    Readers see nothing of this, unless *compare_newest* finds rows missing: then answers may lack a source.

    - *doctor* red: its log has a line for each problem, with the remedy.
    - *prune* red: nothing that is kept was touched. Clear it.
    - *compare_newest* red with rows missing: trigger `kb_<name>` with the param *force*, which writes them again.
    """
    with liftgate_dag("housekeeping", page=housekeeping.__doc__, schedule=on_time("30 5 * * *")) as dag:

        @task
        def doctor() -> None:
            from liftgate.cli.doctor import require_sound
            from liftgate_airflow.connection import cluster, runtime_from_connection

            runtime = runtime_from_connection()
            require_sound(runtime.settings, list(files.values()), runtime.connections, cluster)

        doctor()
        for name, path in files.items():
            with TaskGroup(name):
                pruned = step("liftgate.housekeeping.prune", **PATIENCE)()
                compared = step("liftgate.housekeeping.compare_newest", **PATIENCE)()
                freeze_configuration(path) >> pruned >> compared
    return dag
