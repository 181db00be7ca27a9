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
    from liftgate.config.reading import read_knowledge_base

    for name, path in configuration_files(folder).items():
        if NAME.fullmatch(name):
            try:
                pool = read_knowledge_base(path).models_pool
            except Exception:  # told by the DAGs that this file makes
                pool = "default_pool"
            yield name, pool


def is_wanted(dag_id: str) -> bool:
    """Whether to build a DAG: a task that starts needs its own only, everybody else needs all."""
    return get_parsing_context().dag_id in (None, dag_id)


def _build(dag_id: str, path: Path, read: Callable[[Path], Any], flow: Flow) -> DAG | None:
    from liftgate.errors import ConfigurationError

    try:
        config = read(path)
        if config.name != path.stem:
            raise ConfigurationError(
                f"Expected `name: {path.stem}` in {path}, found {config.name!r}. Rename the file or what it configures."
            )
        return flow(config, path)
    except Exception as error:
        # Whatever it is, an exception that leaves here would take every other DAG of this module with it.
        return _broken(dag_id, path, str(error) or repr(error))


def _broken(dag_id: str, path: Path, message: str) -> DAG:
    """A DAG of this id whose only task fails with all that is wrong."""
    page = f"The configuration file `{path.name}` is not valid, so nothing can run.\n\n    " + "\n    ".join(
        message.splitlines()
    )
    with liftgate_dag(dag_id, page=page, schedule=None if is_unscheduled(dag_id) else "@hourly") as dag:

        @task(retries=0)
        def configuration_is_valid() -> None:
            from liftgate.errors import ConfigurationError

            raise ConfigurationError(message)

        configuration_is_valid()
    return dag
