"""Train an adapter as a job: the same manifest on this machine and on a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from liftgate.database import queries
from liftgate.fingerprints import fingerprint
from liftgate.jobs.backends import backend_for
from liftgate.jobs.places import Places
from liftgate.jobs.results import is_whole
from liftgate.jobs.spec import JobSpec, Origin
from liftgate.jobs.work import run_here
from liftgate.runs import Run
from liftgate.training.due import stored_adapter
from liftgate.training.identity import identity_of

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


@dataclass(frozen=True)
class Training:
    """The training of one adapter on one tuning set. Its result is the adapter's folder or address."""

    runtime: Runtime
    run: Run
    tuning_set: str

    def known(self) -> str | None:
        """The adapter that is registered, where no training is due, or one that an earlier job has left whole."""
        if stored := stored_adapter(self.runtime, self.run, self.tuning_set):
            return stored
        folder = str(self._places.here("adapters", *self._folder))
        return folder if is_whole(folder) else None

    def spec(self) -> JobSpec:
        """The training job."""
        training, places = self.run.adapter.training, self._places
        self._lay_out()
        return places.spec(
            slug=f"adapter-{self.run.adapter.name}",
            module="trainer.train_lora",
            args=(
                *("--base_model", places.base_model(training.base_model, training.model_path)),
                *("--train_jsonl", places.there("tuning_sets", self.tuning_set, "train.jsonl")),
                *("--output_dir", places.there("adapters", *self._folder)),
                *training.trainer_arguments(),
                "--resume",
            ),
            nodes=training.nodes,
            procs_per_node=training.procs_per_node,
            dataset_version=self.tuning_set,
            release=self._release(),
        )

    def _release(self) -> int | None:
        with self.runtime.database.transaction() as connection:
            found: int | None = queries().release_of_tuning_set(connection, digest=self.tuning_set)
        return found

    @property
    def _places(self) -> Places:
        return Places(self.runtime, self.run.adapter.training)

    @property
    def _folder(self) -> tuple[str, str]:
        identity = identity_of(self.runtime, self.run, self.tuning_set)
        return self.run.adapter.name, fingerprint(identity)

    def _lay_out(self) -> None:
        """Puts the tuning set where the job reads it; a claim's folder is where it was built."""
        source = self.runtime.files / "tuning_sets" / self.tuning_set / "train.jsonl"
        target = self._places.here("tuning_sets", self.tuning_set, "train.jsonl")
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())


def train(runtime: Runtime, run: Run, tuning_set: str) -> str:
    """Run the training job, or return the folder of the adapter that is trained already. Raises JobFailed."""
    backend = backend_for(runtime, run.adapter.training)
    dag_id, _, run_id = run.run_id.partition(":")
    return str(run_here(backend, Training(runtime, run, tuning_set), Origin(dag_id, run_id, "train")))
