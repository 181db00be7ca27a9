"""`housekeeping`: what nobody needs any more goes, and what is there is compared with what should be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, TaskGroup, task

from liftgate_airflow import telling
from liftgate_airflow.dag import liftgate_dag, on_time
from liftgate_airflow.step import freeze_configuration, page_of_pool, step

PATIENCE: dict[str, Any] = {"retries": 4, "retry_delay": timedelta(minutes=15), "retry_policy": None}
"""Whoever writes goes first: a knowledge base that is being written is tried again later."""

PATIENCE_OF_A_RUN = timedelta(hours=6)
"""Without an end, a task whose pool is missing would keep tomorrow's run from starting."""


def housekeeping(files: Mapping[str, Path]) -> DAG:
    """Prune and compare, once a day, for every knowledge base, and look after the installation.

    - **doctor** checks every setting, connection and configuration file as a worker sees them, connections made in
      Airflow's pages too.
    - **take_a_slot** shows that a pool which configuration files name is there: without it, its tasks wait silently.
    - **freeze_configuration** stores the validated configuration file of the knowledge base.
    - **prune** deletes rows that no kept release, candidate, canary or anchor can see, and what older listings held.
    - **compare_newest** deletes rows that a writer sent late, narrows what such a request made readable again, and says
      if any rows are missing. It also measures how long live has been behind its sources, and tells where that is too
      long, and what people did at the command line since the last run.

    Tasks wait and try again while another run writes to the same knowledge base.

    ### Triage
    Readers see nothing of this, unless *compare_newest* finds rows missing: then answers may lack a source.

    - *doctor* red: its log has a line for each problem, with the remedy.
    - *take_a_slot* stays scheduled: its pool is full, or missing; its page has the command that makes it.
    - *prune* red: nothing that is kept was touched. Clear it.
    - *compare_newest* red with rows missing: trigger `kb_<name>` with the params *force*, which writes them again,
      and *allow_opened_up_to*, the number of its documents: the brake on opened documents stops it otherwise.
    """
    with liftgate_dag(
        "housekeeping", page=housekeeping.__doc__, schedule=on_time("30 5 * * *"), dagrun_timeout=PATIENCE_OF_A_RUN
    ) as dag:

        @task
        def doctor() -> None:
            from liftgate.cli.doctor import require_sound
            from liftgate.config.reading import read_knowledge_base
            from liftgate_airflow.connection import cluster, runtime_from_connection

            runtime = runtime_from_connection()
            require_sound(runtime.settings, list(files.values()), runtime.connections, cluster)
            for path in files.values():
                telling.require_notifiers(read_knowledge_base(path))

        doctor()
        for pool in _pools(files):
            _slot(pool)
        for name, path in files.items():
            with TaskGroup(name):
                pruned = step("liftgate.housekeeping.prune", **PATIENCE)()
                compared = step("liftgate.housekeeping.compare_newest", then=telling.after_housekeeping, **PATIENCE)()
                freeze_configuration(path) >> pruned >> compared
    return dag


def _pools(files: Mapping[str, Path]) -> list[str]:
    """The pools that configuration files name, as far as they are valid; their own DAGs say what is wrong."""
    from liftgate.config.stand_in import knowledge_base_for_wiring
    from liftgate.errors import ConfigurationError

    found: set[str] = set()
    for path in files.values():
        with suppress(ConfigurationError):
            found |= knowledge_base_for_wiring(path).own_pools
    return sorted(found)


def _slot(pool: str) -> None:
    """A task that does nothing but show that the pool is there: no task of Airflow 3 can look one up."""
    page = f"Takes a slot of its pool and gives it back. {page_of_pool(pool)}"
    with TaskGroup(f"pool_{re.sub(r'[^A-Za-z0-9_-]', '_', pool)}"):

        @task(pool=pool, doc_md=page)
        def take_a_slot() -> None:
            print(f"The pool {pool} is there.")

        take_a_slot()
