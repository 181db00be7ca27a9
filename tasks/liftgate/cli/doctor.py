"""`liftgate doctor`: every setting and connection, each with its remedy.

Airflow's housekeeping runs `check` as a task too, since connections made in Airflow's pages are seen by tasks alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg

from liftgate.cli.installed import check_trainer, require_packages
from liftgate.database import SQL, Database, queries
from liftgate.errors import ConfigurationError, LiftgateError
from liftgate.jobs.api import Clusters, cluster_of_kubeconfig
from liftgate.settings import Settings
from liftgate.sources.connections import Connections, connection_from_environment

OLDEST_PGVECTOR = (0, 8)
"""Iterative index scans came with it; without them a group that owns few rows finds nothing."""


@dataclass(frozen=True)
class Finding:
    """One check. `said` is what was found, or expected, found and remedy."""

    what: str
    ok: bool
    said: str

    def line(self) -> str:
        """For the terminal and for a task's log."""
        return f"{'ok     ' if self.ok else 'PROBLEM'}  {self.what}: {self.said}"


def check_this_process(configs: Sequence[Path]) -> list[Finding]:
    """Check the settings in the environment, and all that hangs on them."""
    try:
        settings = Settings.from_environment()
    except ConfigurationError as error:
        return [Finding("settings", False, str(error))]
    return check(settings, configs)


def check(
    settings: Settings,
    configs: Sequence[Path],
    connections: Connections = connection_from_environment,
    clusters: Clusters = cluster_of_kubeconfig,
) -> list[Finding]:
    """Check the installation, then each file of a knowledge base or adapter. Changes nothing, loads no model."""
    from liftgate.cli.doctor_configuration import configuration_checks

    findings = [probe(what, attempt) for what, attempt in _installation(settings)]
    for path in configs:
        findings += [
            probe(f"{path.name}: {what}", attempt)
            for what, attempt in configuration_checks(settings, path, connections, clusters)
        ]
    return findings


def require_sound(settings: Settings, configs: Sequence[Path], connections: Connections, clusters: Clusters) -> None:
    """Print the finding of every check. Raises ConfigurationError with those that are problems."""
    findings = check(settings, configs, connections, clusters)
    for finding in findings:
        print(finding.line())
    if problems := [f"{finding.what}: {finding.said}" for finding in findings if not finding.ok]:
        raise ConfigurationError("\n".join([f"{len(problems)} problem(s):", *problems]))


def probe(what: str, attempt: Callable[[], str]) -> Finding:
    """What an attempt says, or the error with which it failed."""
    try:
        return Finding(what, True, attempt())
    except LiftgateError as error:
        return Finding(what, False, str(error))
    except psycopg.Error as error:
        return Finding(
            what, False, f"Expected the database to answer, found: {str(error).strip()}. Check the role's rights."
        )


def _installation(settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    database = Database(settings.database_url)
    yield "database", lambda: _reachable(database)
    yield "migrations", lambda: _migrated(database)
    yield "pgvector", lambda: _vectors(database)
    yield "files", lambda: _writable(settings.files_url)
    yield "models folder", lambda: _folder("LIFTGATE_MODELS_DIR", settings.models_dir)
    if settings.trainer_dir is not None:
        yield "trainer", lambda: check_trainer(settings)
    yield "threads", lambda: _threads(settings.cpu_threads)
    if settings.weaviate_url:
        yield "weaviate", lambda: _weaviate(settings)


def _reachable(database: Database) -> str:
    with database.transaction() as connection:
        version = connection.info.server_version
    return f"PostgreSQL {version // 10000}.{version % 10000}"


def _migrated(database: Database) -> str:
    from psycopg.errors import UndefinedTable

    wanted = {path.stem for path in (SQL / "migrations").glob("*.sql") if not path.stem.endswith(".rollback")}
    try:
        with database.transaction() as connection:
            applied = {row["name"] for row in queries().applied_migrations(connection)}
    except UndefinedTable:
        applied = set()
    if missing := sorted(wanted - applied):
        raise ConfigurationError(
            f"Expected {len(wanted)} migrations in the database, found {', '.join(missing)} missing. "
            "Run: liftgate db upgrade"
        )
    return f"{len(wanted)} applied"


def _vectors(database: Database) -> str:
    with database.transaction() as connection:
        version = queries().vector_version(connection)
    if version is None or tuple(int(part) for part in version.split(".")[:2]) < OLDEST_PGVECTOR:
        raise ConfigurationError(
            f"Expected pgvector 0.8 or newer, found {version or 'none'}. Install it in the PostgreSQL server, then "
            "run: liftgate db upgrade (a new one) or ALTER EXTENSION vector UPDATE (an old one)."
        )
    return version


def _weaviate(settings: Settings) -> str:
    from liftgate.index.weaviate.client import connect

    require_packages("weaviate", "weaviate")
    client = connect(settings)
    try:
        return f"{settings.weaviate_url}, version {client.get_meta()['version']}"
    finally:
        client.close()


def _writable(url: str) -> str:
    if "://" in url.removeprefix("file://"):
        raise ConfigurationError(
            f"Expected LIFTGATE_FILES_URL to be a folder, found {url}. This version keeps files in a folder that "
            "every worker sees; mount one and name it."
        )
    folder = Path(url.removeprefix("file://"))
    trial = folder / f".doctor-{uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise ConfigurationError(
            f"Expected to write into {folder}, found {type(error).__name__}: {error}. "
            "Correct LIFTGATE_FILES_URL or the folder's permissions."
        ) from error
    return f"{folder.resolve()} is writable"


def _folder(setting: str, path: str) -> str:
    if not Path(path).is_dir():
        raise ConfigurationError(
            f"Expected {setting} to name a folder, found none at {path}. "
            f"Run: python -m liftgate.local.models {path}, or correct it."
        )
    return str(Path(path).resolve())


def _threads(wanted: int) -> str:
    cores = os.cpu_count() or 1
    if wanted > cores:
        raise ConfigurationError(
            f"Expected LIFTGATE_CPU_THREADS of at most {cores}, the cores of this machine, found {wanted}. Lower it."
        )
    return f"{wanted} of {cores} cores for a local model"
