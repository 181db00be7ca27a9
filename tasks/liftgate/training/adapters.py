"""The register of adapters: by the hash of their files, which is verified whenever one is taken."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liftgate.database import queries
from liftgate.errors import ArtifactCorrupt, PromotionRefused
from liftgate.fingerprints import canonical_json, fingerprint
from liftgate.releases.ledger import live
from liftgate.releases.makeup import AdapterPart, BasePart, Makeup
from liftgate.releases.propose import propose
from liftgate.runs import Run
from liftgate.training.train import identity_of

if TYPE_CHECKING:
    from liftgate.runtime import Runtime

MANIFEST = "manifest.json"


def register_adapter(runtime: Runtime, run: Run, tuning_set: str, folder: str) -> int:
    """Verify what the trainer wrote, register it, and propose the release that has it. Returns the release's number.

    Raises ArtifactCorrupt where a file does not have the hash in the trainer's manifest.
    """
    manifest = verified_manifest(Path(folder))
    digest = fingerprint(manifest["files"])
    identity = identity_of(runtime, run, tuning_set)
    with runtime.database.transaction() as connection:
        queries().register_adapter(
            connection,
            digest=digest,
            name=run.adapter.name,
            uri=folder,
            manifest=canonical_json(manifest),
            run_id=run.run_id,
            **identity,
        )
    return propose(
        runtime,
        run,
        "adapter",
        _with_adapter(
            runtime,
            run,
            AdapterPart(digest=digest, name=run.adapter.name, uri=folder),
            manifest["base_model"]["revision"],
        ),
    )


def tuning_set_of(runtime: Runtime, digest: str) -> str:
    """The tuning set that a registered adapter was trained on."""
    with runtime.database.transaction() as connection:
        row = queries().adapter(connection, digest=digest)
    if row is None:
        raise ArtifactCorrupt(f"Expected adapter {digest} to be registered, found none. Train again.")
    return str(row["tuning_set"])


def verified_manifest(folder: Path) -> dict[str, Any]:
    """The trainer's manifest, once every file has its hash. It is written last: without it there is nothing."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtifactCorrupt(f"Expected a finished adapter in {folder}, found no {MANIFEST}. Clear train.")
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name, expected in manifest["files"].items():
        found = _sha256(folder / name)
        if found != expected["sha256"]:
            raise ArtifactCorrupt(
                f"Expected {name} of {folder} to have the hash {expected['sha256'][:12]}, found "
                f"{found[:12] if found else 'no such file'}. Restore the file, or train again."
            )
    return manifest


def _with_adapter(runtime: Runtime, run: Run, adapter: AdapterPart, revision: str) -> Makeup:
    """What is live, with this adapter and the base model that it was trained on."""
    with runtime.database.transaction() as connection:
        current = live(connection, run.kb)
    if current is None:
        raise PromotionRefused(f"Expected a live release of {run.kb} to improve, found none. Run kb_{run.kb}.")
    base = BasePart(model=run.adapter.training.base_model, revision=revision)
    return current.makeup.model_copy(update={"base": base, "adapter": adapter})


def _sha256(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
