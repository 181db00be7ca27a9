"""The register of adapters: by the hash of their files, which is verified whenever one is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liftgate.answering.adapter_files import digest_of_files, require_base
from liftgate.database import Connection, queries
from liftgate.errors import ArtifactCorrupt, PromotionRefused
from liftgate.fingerprints import canonical_json
from liftgate.jobs.results import verified_manifest
from liftgate.releases.ledger import live
from liftgate.releases.makeup import AdapterPart, BasePart, Makeup
from liftgate.releases.propose import propose
from liftgate.runs import Run
from liftgate.tracking import tell_of_adapter
from liftgate.training.identity import identity_of

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def register_adapter(runtime: Runtime, run: Run, tuning_set: str, folder: str, job_uid: str | None = None) -> int:
    """Verify what the trainer wrote, register it, and propose the release that has it. Returns the release's number.

    `job_uid` is what the orchestrator called the job. A folder that is registered already may be of another tuning set:
    no training was due. Raises ArtifactCorrupt where a file does not have the hash in the trainer's manifest, or a new
    adapter was made from another tuning set or base model than this run's.
    """
    manifest = verified_manifest(folder)
    digest = digest_of_files(manifest)
    known = _registered(runtime, digest)
    is_new = known is None or known["uri"] != folder
    base = run.adapter.training.base_model if known is None or is_new else known["base"].rpartition("@")[0]
    require_base(manifest, base, runtime.settings.models_dir, run.adapter.training.base_revision is None)
    if is_new:
        _require_tuning_set(manifest, tuning_set, folder)
        _register(runtime, run, tuning_set, folder, manifest, job_uid)
        known = _registered(runtime, digest)
    assert known
    tell_of_adapter(runtime, run.kb, digest)
    model, _, revision = known["base"].rpartition("@")
    part = AdapterPart(digest=digest, name=run.adapter.name, uri=folder)
    return propose(runtime, run, "adapter", _with_adapter(runtime, run, part, BasePart(model=model, revision=revision)))


def _registered(runtime: Runtime, digest: str) -> dict[str, Any] | None:
    with runtime.database.transaction() as connection:
        row: dict[str, Any] | None = queries().adapter(connection, digest=digest)
    return row


def _register(
    runtime: Runtime, run: Run, tuning_set: str, folder: str, manifest: dict[str, Any], job_uid: str | None
) -> None:
    with runtime.database.transaction() as connection:
        queries().register_adapter(
            connection,
            digest=digest_of_files(manifest),
            name=run.adapter.name,
            uri=folder,
            manifest=canonical_json(manifest),
            job_uid=job_uid,
            dataset_revision=run.adapter.dataset_revision,
            run_id=run.run_id,
            **identity_of(runtime, run, tuning_set),
        )


def tuning_set_of(runtime: Runtime, digest: str) -> str:
    """The tuning set that a registered adapter was trained on."""
    with runtime.database.transaction() as connection:
        row = queries().adapter(connection, digest=digest)
    if row is None:
        raise ArtifactCorrupt(f"Expected adapter {digest} to be registered, found none. Train again.")
    return str(row["tuning_set"])


def adapters(connection: Connection, kb: str, digest_begins: str = "") -> list[dict[str, Any]]:
    """Every registered adapter of a knowledge base with what it came from, oldest first."""
    return list(queries().adapters(connection, kb=kb, digest_begins=digest_begins))


def _require_tuning_set(manifest: dict[str, Any], tuning_set: str, folder: str) -> None:
    """The digest of a tuning set is the hash of its file, which the trainer writes down as what it read."""
    found = manifest["data"]["sha256"]
    if found != tuning_set:
        raise ArtifactCorrupt(
            f"Expected the adapter in {folder} to be trained on tuning set {tuning_set[:12]}, found that it read "
            f"{found[:12]}. Clear train."
        )


def _with_adapter(runtime: Runtime, run: Run, adapter: AdapterPart, base: BasePart) -> Makeup:
    """What is live, with this adapter and the base model that it was trained on."""
    with runtime.database.transaction() as connection:
        current = live(connection, run.kb)
    if current is None:
        raise PromotionRefused(f"Expected a live release of {run.kb} to improve, found none. Run kb_{run.kb}.")
    return current.makeup.model_copy(update={"base": base, "adapter": adapter})
