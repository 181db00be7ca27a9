"""Train an adapter as a job: the same manifest on this machine and on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liftgate.answering.base_model import base_revision
from liftgate.answering.generator import thread_settings
from liftgate.config.training import TrainingBlock
from liftgate.database import queries
from liftgate.errors import ConfigurationError, JobFailed
from liftgate.fingerprints import fingerprint
from liftgate.jobs.attempts import attach
from liftgate.jobs.backend import JobBackend, Phase, follow
from liftgate.jobs.spec import JobSpec, Origin, Resources, Volume
from liftgate.local.models import model_folder
from liftgate.runs import Run

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

DATA, ARTIFACTS = "/data", "/artifacts"


def train(runtime: Runtime, run: Run, tuning_set: str) -> str:
    """Run the training job, or return the folder of the adapter that is trained already. Raises JobFailed."""
    with runtime.database.transaction() as connection:
        stored = queries().adapter_for(connection, **identity_of(runtime, run, tuning_set))
    if stored:
        print(f"Adapter {stored['digest'][:12]} was trained on this tuning set already.")
        return str(stored["uri"])
    backend = job_backend(runtime, run.adapter.training)
    dag_id, _, run_id = run.run_id.partition(":")
    manifest = backend.render(_spec(runtime, run, tuning_set))
    ref = attach(backend, manifest, Origin(dag_id, run_id, "train")).ref
    print(f"Waits for {ref.kind} {ref.namespace}/{ref.name}")
    state = follow(backend, ref, on_line=lambda line: print(line, flush=True))
    if state.phase is not Phase.SUCCEEDED:
        raise JobFailed(
            f"Expected {ref.name} to succeed, found {state.phase}: {state.reason} {state.message} "
            "Its log is above. Mend the cause and clear this task."
        )
    return str(runtime.files / "adapters" / _folder(runtime, run, tuning_set))


def identity_of(runtime: Runtime, run: Run, tuning_set: str) -> dict[str, str]:
    """What makes a training the same one: tuning set, base model, settings."""
    training = run.adapter.training
    base = f"{training.base_model}@{base_revision(training.base_model, runtime.settings.models_dir)}"
    return {"kb": run.kb, "tuning_set": tuning_set, "base": base, "settings": fingerprint(training.trainer_arguments())}


def job_backend(runtime: Runtime, training: TrainingBlock) -> JobBackend:
    """The backend that the adapter's file names."""
    if training.backend != "local":
        raise ConfigurationError(
            f"Expected training.backend to be local, found {training.backend}. This version trains on this machine."
        )
    if runtime.settings.trainer_dir is None:
        raise ConfigurationError("Expected LIFTGATE_TRAINER_DIR to name the folder trainer_image, found none. Set it.")
    from liftgate.jobs.local.backend import LocalBackend

    claims = {
        training.claims.data: runtime.files / "tuning_sets",
        training.claims.artifacts: runtime.files / "adapters",
    }
    return LocalBackend(runtime.files / "jobs", claims, runtime.settings.trainer_dir, ignore_gpus=True)


def _spec(runtime: Runtime, run: Run, tuning_set: str) -> JobSpec:
    training = run.adapter.training
    base_model = str(model_folder(training.base_model, runtime.settings.models_dir).resolve())
    return JobSpec(
        slug=f"adapter-{run.adapter.name}",
        image=training.image,
        args=(
            *("--base_model", base_model),
            *("--train_jsonl", f"{DATA}/{tuning_set}/train.jsonl"),
            *("--output_dir", f"{ARTIFACTS}/{_folder(runtime, run, tuning_set)}"),
            *training.trainer_arguments(),
            "--resume",
        ),
        resources=Resources(training.resources.cpus, training.resources.memory, training.resources.gpus),
        env={**thread_settings(runtime.settings), "HF_HUB_OFFLINE": "1"},
        volumes=(Volume(training.claims.data, DATA), Volume(training.claims.artifacts, ARTIFACTS)),
        namespace=training.namespace,
        retries=training.retries,
        deadline_seconds=training.deadline_seconds,
        dataset_version=tuning_set,
    )


def _folder(runtime: Runtime, run: Run, tuning_set: str) -> str:
    return f"{run.adapter.name}/{fingerprint(identity_of(runtime, run, tuning_set))}"
