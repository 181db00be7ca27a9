"""What a release is made of: retrieval, prompt, base model, adapter."""

from __future__ import annotations

from liftgate.config.block import Block
from liftgate.config.retrieval import Retrieval
from liftgate.fingerprints import fingerprint


class RetrievalPart(Block):
    """A generation of an index, and how it is searched."""

    collection_id: int
    collection: str
    generation: int
    digest: str
    """Of the generation's contents and fingerprints, without any numbers."""
    settings: Retrieval


class PromptPart(Block):
    """A prompt, whole, so that a release outlives the file."""

    version: str
    text: str


class BasePart(Block):
    """The base model. `revision` is a hash of its weights, or empty where its server knows it only."""

    model: str
    revision: str = ""


class AdapterPart(Block):
    """An adapter by the hash of its files."""

    digest: str
    name: str
    uri: str


class Makeup(Block):
    """All that an application needs to answer as this release does."""

    retrieval: RetrievalPart
    prompt: PromptPart
    base: BasePart
    adapter: AdapterPart | None = None
    max_new_tokens: int

    def parts(self) -> dict[str, str]:
        """A fingerprint for each component, without any numbers: equal means the same thing was built."""
        return {
            "retrieval": fingerprint([self.retrieval.digest, self.retrieval.settings.model_dump(mode="json")]),
            "prompt": self.prompt.version,
            "adapter": fingerprint([self.base.model_dump(), self.adapter.digest if self.adapter else None]),
            "decoding": fingerprint(["greedy", self.max_new_tokens]),
        }

    @property
    def fingerprint(self) -> str:
        """The candidate fingerprint: two releases with the same one are the same candidate."""
        return fingerprint(self.parts())

    def __str__(self) -> str:
        adapter = self.adapter.digest[:8] if self.adapter else "none"
        return f"generation {self.retrieval.generation}, prompt {self.prompt.version[:8]}, adapter {adapter}"
