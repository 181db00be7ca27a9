"""What an adapter's folder must be before anything is answered with it: whole, and made for the base that is there."""

from __future__ import annotations

from typing import Any

from liftgate.answering.base_model import base_hashes, base_hashes_as_loaded
from liftgate.errors import ArtifactCorrupt
from liftgate.fingerprints import fingerprint
from liftgate.jobs.results import verified_manifest
from liftgate.releases.makeup import AdapterPart


def digest_of_files(manifest: dict[str, Any]) -> str:
    """The digest of an adapter: of the names, hashes and sizes of its files."""
    return fingerprint(manifest["files"])


def require_base(manifest: dict[str, Any], model: str, models_dir: str, weights_are_here: bool = True) -> None:
    """Refuse a base model with other weights, another tokenizer or another chat template than the adapter learnt with.

    None of the three would fail by itself: the answers would just be worse. Where only the jobs have the weights, the
    trainer compares those itself.
    """
    trained = {
        "weights": manifest["base_model"]["revision"],
        "tokenizer": manifest["tokenizer"]["sha256"],
        "chat template": manifest["tokenizer"]["chat_template_sha256"],
    }
    found = base_hashes(model, models_dir)
    if found != trained:
        # Some tokenizers are made anew from their files when they are loaded, which is when the trainer hashes them.
        found = base_hashes_as_loaded(model, models_dir) or found
    parts = [part for part in trained if weights_are_here or part != "weights"]
    differing = [
        f"{part} {found[part][:12]} in place of {trained[part][:12]}" for part in parts if found[part] != trained[part]
    ]
    if differing:
        raise ArtifactCorrupt(
            f"Expected {model} to be as the adapter was trained on it, found {', '.join(differing)}. "
            "Restore the base model's folder, or train again on the one that is there."
        )


def require_whole_adapter(adapter: AdapterPart, model: str, models_dir: str) -> None:
    """Refuse to answer with other files than the ones that were registered, or on another base model."""
    require_base(require_files(adapter), model, models_dir)


def require_files(adapter: AdapterPart) -> dict[str, Any]:
    """The manifest of an adapter. Raises ArtifactCorrupt where its files are not the ones that were registered."""
    manifest = verified_manifest(adapter.uri)
    found = digest_of_files(manifest)
    if found != adapter.digest:
        raise ArtifactCorrupt(
            f"Expected the files of adapter {adapter.digest} in {adapter.uri}, found those of {found}. "
            "Restore the folder, or train again."
        )
    return manifest
