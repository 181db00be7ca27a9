"""From a folder of configuration files to DAGs, so that one bad file takes nobody else down."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, get_parsing_context, task

from liftgate_airflow.dag import is_unscheduled, liftgate_dag

if TYPE_CHECKING:
    from liftgate.config.block import Block

Flow = Callable[[Any, Path], DAG | None]
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def dags_of(folder: Path, read: Callable[[Path], Block], flows: Mapping[str, Flow]) -> dict[str, DAG]:
    """The DAGs of every file of a folder, by id: `flows` maps the beginning of the id to what builds it, or None.

    Example: folder with handbook.yaml, flows {"kb_": knowledge_base} -> {"kb_handbook": DAG}
    """
    read_once = cache(read)
    built = {
        prefix + stem: _build(prefix + stem, path, read_once, flow)
        for stem, path in configuration_files(folder).items()
        for prefix, flow in flows.items()
        if is_wanted(prefix + stem)
    }
    return {dag_id: dag for dag_id, dag in built.items() if dag is not None}


def configuration_files(folder: Path) -> dict[str, Path]:
    """The files of a folder by name. A name is that of what the file configures, so two cannot be the same."""
    paths = sorted(path for path in folder.glob("*") if path.suffix in (".yaml", ".yml"))
    return {re.sub(r"[^\w.-]", "_", path.stem): path for path in paths}


def models_pools(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and `models_pool` of what is configured, valid or not: going back must work while a file is broken."""
    from liftgate.config.stand_in import knowledge_base_for_wiring

    for name, path in configuration_files(folder).items():
        if NAME.fullmatch(name):
            try:
                pool = knowledge_base_for_wiring(path).models_pool
            except Exception:  # told by the DAGs that this file makes
                pool = "default_pool"
            yield name, pool


def is_wanted(dag_id: str) -> bool:
    """Whether to build a DAG: a task that starts needs its own only, everybody else needs all."""
    return get_parsing_context().dag_id in (None, dag_id)


def _build(dag_id: str, path: Path, read: Callable[[Path], Any], flow: Flow) -> DAG | None:
    try:
        config = read(path)
        if config.name == path.stem:
            return flow(config, path)
    except Exception as error:
        # Whatever it is, an exception that leaves here would take every other DAG of this module with it.
        return _broken(dag_id, path, flow, str(error) or repr(error))
    return _only_told(
        dag_id,
        path,
        f"Expected `name: {path.stem}` in {path}, found {config.name!r}. Rename the file or what it configures.",
    )


def _broken(dag_id: str, path: Path, flow: Flow, message: str) -> DAG | None:
    """The DAG as it would be, whose first task fails with all that is wrong, or one with that task alone.

    A run that had begun goes on with the configuration that it froze, for which its tasks have to be there.
    """
    from liftgate.config.adapter import Adapter
    from liftgate.config.knowledge_base import KnowledgeBase
    from liftgate.config.stand_in import stand_in

    try:
        model = Adapter if path.parent.name == "adapters" else KnowledgeBase
        dag = flow(stand_in(model, path, path.stem), path)
    except Exception:
        return _only_told(dag_id, path, message)
    if dag:
        dag.doc_md = _page(path, message)
    return dag


def _page(path: Path, message: str) -> str:
    lines = "\n    ".join(message.splitlines())
    return (
        f"The configuration file `{path.name}` is not valid, so no new run can begin. Correct it, then start a new "
        f"run: clearing a task does not help. Runs that had begun go on with what they froze.\n\n    {lines}"
    )


def _only_told(dag_id: str, path: Path, message: str) -> DAG:
    """A DAG of this id whose only task fails with all that is wrong."""
    with liftgate_dag(dag_id, page=_page(path, message), schedule=None if is_unscheduled(dag_id) else "@hourly") as dag:

        @task(retries=0)
        def configuration_is_valid() -> None:
            from liftgate.errors import ConfigurationError

            raise ConfigurationError(message)

        configuration_is_valid()
    return dag
