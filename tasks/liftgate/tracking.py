"""MLflow, where a tracking URI is set: each adapter as a run and a model version, its verdict, and which one is live.

MLflow looks on. Where it does not answer, the log says so and nothing else changes, since what counts stands in the
ledger. Each call tells all that the ledger knows and MLflow does not, so a later one makes up for one that failed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from liftgate.database import queries

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    from liftgate.runtime import Runtime

LIVE = "live"
"""Alias of the model version that is live."""
METRICS_AT_ONCE = 1000
"""MLflow takes no more in one request."""
MANNERS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""MLflow's own settings, unless somebody set them: by default it waits for minutes, tells its makers about its use, and
prints its address with the login in it."""

Row = dict[str, Any]


def tell_of_adapter(runtime: Runtime, kb: str, digest: str) -> None:
    """Log the training of a registered adapter, register it as a model version, and tag it with its verdict."""
    if rows := _to_tell(runtime, kb, digest):
        with _looking_on(runtime):
            version = _ensure_version(_client(runtime), rows[0])
            print(f"MLflow: adapter {digest} is version {version} of model {rows[0]['name']}", flush=True)


def tell_of_live(runtime: Runtime, kb: str) -> None:
    """Let the alias `live` name the adapter of the release that is live, and no other of the knowledge base."""
    if rows := _to_tell(runtime, kb):
        with _looking_on(runtime):
            _move_alias(_client(runtime), rows)


def _to_tell(runtime: Runtime, kb: str, digest: str = "") -> list[Row]:
    """The adapters as the ledger has them; none where MLflow has no address."""
    if runtime.settings.mlflow_tracking_uri is None:
        return []
    with runtime.database.transaction() as connection:
        return list(queries().adapters(connection, kb=kb, digest_begins=digest))


@contextmanager
def _looking_on(runtime: Runtime) -> Iterator[None]:
    """Whatever goes wrong with MLflow ends here, in the log."""
    try:
        yield
    except Exception as error:
        print(
            f"Warning: Expected MLflow to answer, found {type(error).__name__}: {_told(error, runtime)} "
            "The run goes on. Mend LIFTGATE_MLFLOW_TRACKING_URI, the server, or the extra `mlflow` of this package; "
            "the next promotion or verdict, or clearing register_adapter, tells MLflow what it missed.",
            flush=True,
        )


def _client(runtime: Runtime) -> MlflowClient:
    for name, value in MANNERS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    uri = runtime.settings.mlflow_tracking_uri
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _told(error: Exception, runtime: Runtime) -> str:
    """The first line of what went wrong, without the login that an address may hold."""
    login, _, _ = urlsplit(runtime.settings.mlflow_tracking_uri or "").netloc.rpartition("@")
    line = (str(error).splitlines() or [""])[0][:300]
    return line.replace(login, "***") if login else line


def _move_alias(client: MlflowClient, rows: list[Row]) -> None:
    current = next((row for row in rows if row["live"]), None)
    if current is not None:
        client.set_registered_model_alias(current["name"], LIVE, _ensure_version(client, current))
    for name in sorted({row["name"] for row in rows} - {current["name"] if current else None}):
        if any(LIVE in model.aliases for model in client.search_registered_models(f"name = '{name}'")):
            client.delete_registered_model_alias(name, LIVE)


def _ensure_version(client: MlflowClient, row: Row) -> str:
    """The number of the adapter's model version, which is made if MLflow has none of this digest."""
    run_id = _ensure_run(client, row)
    version = _find_version(client, row) or _add_version(client, row, run_id)
    if row["verdict"]:
        client.set_model_version_tag(row["name"], version, "verdict", row["verdict"])
        client.set_tag(run_id, "verdict", row["verdict"])
    return version


def _ensure_run(client: MlflowClient, row: Row) -> str:
    """The run of a training. One that a killed task left half told is told again: the same values add nothing."""
    name = f"liftgate/{row['kb']}"
    experiment = client.get_experiment_by_name(name)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(name)
    known = client.search_runs([experiment_id], f"tags.digest = '{row['digest']}'", max_results=1)
    run = known[0] if known else client.create_run(experiment_id, _stamp(row), _tags(row), row["name"])
    run_id: str = run.info.run_id
    if run.info.status != "FINISHED":
        _log(client, run_id, row)
        client.set_terminated(run_id, "FINISHED")
    return run_id


def _log(client: MlflowClient, run_id: str, row: Row) -> None:
    from mlflow.entities import Param

    client.log_batch(run_id, params=[Param(name, str(value)) for name, value in _params(row).items()])
    metrics = iter(_metrics(row))
    while batch := list(islice(metrics, METRICS_AT_ONCE)):
        client.log_batch(run_id, metrics=batch)
    client.log_text(run_id, json.dumps(row["manifest"], indent=2), "manifest.json")


def _find_version(client: MlflowClient, row: Row) -> str | None:
    wanted = f"name = '{row['name']}' and tags.digest = '{row['digest']}'"
    return next((str(one.version) for one in client.search_model_versions(wanted)), None)


def _add_version(client: MlflowClient, row: Row, run_id: str) -> str:
    """MLflow's server takes no folder as a source; then the run is the source, and the tag `uri` names the folder."""
    name, uri = row["name"], row["uri"]
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    source = uri if "://" in uri and not uri.startswith("file:") else f"runs:/{run_id}"
    tags = {"digest": row["digest"], "uri": uri}
    made = client.create_model_version(name, source, run_id, tags=tags, await_creation_for=0)
    return str(made.version)


def _params(row: Row) -> dict[str, Any]:
    """What the training was made of."""
    manifest = row["manifest"]
    data = {name: row[name] for name in ("base", "tuning_set", "dataset_revision", "release", "prompt")}
    given = {**manifest.get("settings", {}), "seed": manifest.get("seed"), **data}
    return {name: value for name, value in given.items() if value is not None}


def _tags(row: Row) -> dict[str, str]:
    given = {"digest": row["digest"], "dag_run": row["run_id"], "job": row["job"], "job_uid": row["job_uid"]}
    return {name: value for name, value in given.items() if value is not None}


def _metrics(row: Row) -> list[Metric]:
    """Every number that the trainer measured: of a curve one for each step from 1; another stands at the last step.

    Example: {"steps": 2, "loss": [3.5, 1.2], "eval_loss": 1.5} -> loss at steps 1 and 2, steps and eval_loss at 2.
    """
    from mlflow.entities import Metric

    measured = row["manifest"].get("metrics", {})
    # With early stopping the adapter is that of an earlier step.
    last = measured.get("published_step", measured.get("steps", 0))
    found: list[tuple[str, Any, int]] = []
    for name, value in measured.items():
        curve = isinstance(value, list) and len(value) == measured.get("steps")
        found += [(name, one, step) for step, one in enumerate(value, start=1)] if curve else [(name, value, last)]
    return [Metric(name, float(one), _stamp(row), step) for name, one, step in found if isinstance(one, int | float)]


def _stamp(row: Row) -> int:
    """Milliseconds; the same at every try, so that MLflow knows a value again."""
    return int(row["created_at"].timestamp() * 1000)
