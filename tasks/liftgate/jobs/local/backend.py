"""Runs PyTorchJobs on this machine: the manifest of the cluster, by the operator's rules.

What differs is said in the replica's log or refused: GPUs, volume claims (folders here), ports, the kubelet's
pauses between restarts (none here), jobs of several containers.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from liftgate.errors import JobRefused
from liftgate.jobs import pytorchjob
from liftgate.jobs.backend import JobRef, JobState, Manifest, Phase
from liftgate.jobs.identity import SPEC_HASH
from liftgate.jobs.local import manifest as local_manifest
from liftgate.jobs.local.run import LocalRun
from liftgate.jobs.local.state import JobFolder
from liftgate.jobs.rules import KIND
from liftgate.jobs.spec import JobSpec

_POLL_SECONDS = 0.1


class LocalBackend:
    """Jobs as processes of the worker that submits them; their state is a folder that outlives both."""

    def __init__(
        self,
        state_dir: Path | str,
        claims: Mapping[str, Path | str],
        trainer_image: Path | str,
        ignore_gpus: bool = False,
    ):
        """claims: volume claim to the folder that stands for it. trainer_image: goes on the jobs' PYTHONPATH.

        What workers that are gone left behind is ended first.
        """
        self._state_dir = Path(state_dir).resolve()
        self._claims = {claim: Path(folder).resolve() for claim, folder in claims.items()}
        self._trainer_image = Path(trainer_image).resolve()
        self._ignore_gpus = ignore_gpus
        for record in self._state_dir.glob("*/*/job.json"):
            JobFolder(record.parent).reap()

    def render(self, spec: JobSpec) -> Manifest:
        """The manifest that a cluster would get, to the letter."""
        return pytorchjob.render(spec)

    def submit(self, manifest: Manifest) -> JobRef:
        """Starts the job in this process, or adopts the one of the same name and spec hash."""
        job = local_manifest.read(manifest, self._claims, self._ignore_gpus)
        folder = self._folder(job.namespace, job.name)
        folder.path.parent.mkdir(parents=True, exist_ok=True)
        if not folder.create(manifest):
            return self._adopt(folder, manifest)
        for path in self._claims.values():
            path.mkdir(parents=True, exist_ok=True)
        ref = self._ref(folder, adopted=False)
        LocalRun(job, folder, (self._trainer_image,)).start()
        return ref

    def find(self, namespace: str, name: str) -> JobRef | None:
        """The job of this name, whoever made it."""
        folder = self._folder(namespace, name)
        return self._ref(folder, adopted=True) if folder.read() else None

    def status(self, ref: JobRef) -> JobState:
        """The job's newest condition; LOST when the job or its worker is gone."""
        folder = self._folder(ref.namespace, ref.name)
        record = folder.read()
        if record is not None and record["uid"] != ref.uid:
            return JobState(Phase.LOST, "PyTorchJobReplaced", f"{ref.name} is another job now")
        return folder.state()

    def logs(self, ref: JobRef) -> Iterator[str]:
        """Lines of the Master, or of the first Worker, so far."""
        folder = self._folder(ref.namespace, ref.name)
        record = folder.read()
        if record is not None and record["uid"] == ref.uid:
            kinds = record["manifest"]["spec"]["pytorchReplicaSpecs"]
            yield from folder.log_lines("master-0" if "Master" in kinds else "worker-0")

    def cancel(self, ref: JobRef) -> None:
        """Stops the job: SIGTERM, its grace period, SIGKILL. Returns when it has ended."""
        if self.status(ref).phase.ended:
            return
        self._folder(ref.namespace, ref.name).cancel()
        while not self.status(ref).phase.ended:  # the worker that runs the job sees the mark and stops it
            time.sleep(_POLL_SECONDS)

    def delete(self, ref: JobRef) -> None:
        """Cancels the job and removes its state and logs."""
        self.cancel(ref)
        shutil.rmtree(self._folder(ref.namespace, ref.name).path)

    def _folder(self, namespace: str, name: str) -> JobFolder:
        return JobFolder(self._state_dir / namespace / name)

    def _ref(self, folder: JobFolder, adopted: bool) -> JobRef:
        record = folder.read() or {}
        return JobRef(KIND, folder.path.parent.name, folder.path.name, record["uid"], adopted)

    def _adopt(self, folder: JobFolder, manifest: Manifest) -> JobRef:
        found = _spec_hash((folder.read() or {})["manifest"])
        if found is None or found != _spec_hash(manifest):
            raise JobRefused(
                f"Expected no job named {folder.path.name} with another specification, found one in "
                f"{folder.path}. Give this one another name."
            )
        return self._ref(folder, adopted=True)


def _spec_hash(manifest: Manifest) -> str | None:
    annotations = manifest["metadata"].get("annotations") or {}
    return annotations.get(SPEC_HASH)
