"""An Airflow of this session's own: its home, its metadata and its one bundle lie in a folder that goes at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow.sdk import DAG

ROOT = Path(__file__).parents[2]
HOME = Path(tempfile.mkdtemp(prefix="liftgate-airflow-"))
BUNDLE = HOME / "dags"

# Airflow reads its settings when it is first imported, which is when the tests of this folder are collected.
os.environ.update(
    AIRFLOW_HOME=str(HOME),
    AIRFLOW__CORE__DAGS_FOLDER=str(BUNDLE),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{HOME / 'airflow.db'}",
)


@pytest.fixture(scope="session", autouse=True)
def _airflow_home() -> Iterator[None]:
    BUNDLE.mkdir(exist_ok=True)
    yield
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow_metadata() -> Path:
    """Airflow's metadata, migrated. Returns the folder of its only bundle: `dag.test` runs nothing from elsewhere."""
    from airflow.utils.db import initdb

    initdb()
    return BUNDLE


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle as an installation has it: the DAG files of this repository, and the handbook's configuration."""
    made = tmp_path / "dags"
    made.mkdir()
    for file in (ROOT / "dags").glob("*.py"):
        shutil.copy(file, made)
    for folder in ("knowledge_bases", "adapters"):
        (made / folder).mkdir()
        for file in (ROOT / "examples/handbook" / folder).glob("*.yaml"):
            text = file.read_text().replace("../", f"{ROOT / 'examples/handbook'}/")
            (made / folder / file.name).write_text(text)
    return made


@pytest.fixture
def parsed() -> Callable[[Path], dict[str, DAG]]:
    """Parses a bundle as the DAG processor does. Import errors fail the test."""

    def parse(bundle: Path) -> dict[str, DAG]:
        from airflow.dag_processing.dagbag import DagBag

        bag = DagBag(bundle, bundle_path=bundle)
        assert bag.import_errors == {}
        return dict(bag.dags)

    return parse
