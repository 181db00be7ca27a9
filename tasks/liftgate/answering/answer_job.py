"""Answers of releases as jobs: the questions travel to the cluster, the answers back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from liftgate.answering.answers import missing_answers, store_answers
from liftgate.answering.generator import Answer, Request
from liftgate.config.answers import Answers
from liftgate.fingerprints import fingerprint
from liftgate.jobs.places import Places
from liftgate.jobs.spec import JobSpec
from liftgate.releases.makeup import Makeup
from liftgate.retrieval import Asked

if TYPE_CHECKING:
    from upath import UPath

    from liftgate.runtime import Runtime


@dataclass(frozen=True)
class Answering:
    """The answers of some releases to the same questions, a job for each release that has not all of them."""

    runtime: Runtime
    kb: str
    answers: Answers
    makeups: Sequence[Makeup]
    asked: Sequence[Asked]
    max_missing_share: float = 0.0
    """Of the questions, those that a server may refuse to answer before the step fails."""

    def known(self) -> int | None:
        """How many questions there are, once all answers are stored; what a job has written is stored first."""
        for makeup in self.makeups:
            missing = self._missing(makeup)
            if missing and not self._take_in(missing):
                return None
        return len(self.asked)

    def spec(self) -> JobSpec:
        """The job of the first release that has not all answers."""
        makeup, missing = next((one, found) for one in self.makeups if (found := self._missing(one)))
        places, key, job = self._places, _key(missing), self.answers.job
        self._lay_out(missing)
        model = job.model_path if makeup.base.model == self.answers.base_model else None
        adapter: tuple[str, ...] = ()
        if makeup.adapter:
            adapter = ("--adapter_dir", places.there_of(makeup.adapter.uri), "--adapter_digest", makeup.adapter.digest)
        return places.spec(
            slug=f"answers-{self.kb}",
            module="trainer.generate",
            args=(
                *("--base_model", places.base_model(makeup.base.model, model)),
                *("--requests", places.there("tuning_sets", "requests", f"{key}.jsonl")),
                *("--output", places.there("adapters", "answers", f"{key}.jsonl")),
                *("--max_new_tokens", str(makeup.max_new_tokens)),
                *adapter,
            ),
        )

    @property
    def _places(self) -> Places:
        return Places(self.runtime, self.answers.job)

    def _missing(self, makeup: Makeup) -> list[Request]:
        return missing_answers(self.runtime, makeup, self.asked)

    def _take_in(self, missing: Sequence[Request]) -> bool:
        """Stores what a job has answered. Its output appears whole or not at all."""
        output = self._output(missing)
        if not output.is_file():
            return False
        answers = [Answer(**json.loads(line)) for line in output.read_text(encoding="utf-8").splitlines()]
        store_answers(self.runtime, answers)
        return {one.id for one in missing} <= {one.id for one in answers}

    def _output(self, missing: Sequence[Request]) -> UPath:
        return self._places.here("adapters", "answers", f"{_key(missing)}.jsonl")

    def _lay_out(self, missing: Sequence[Request]) -> None:
        path = self._places.here("tuning_sets", "requests", f"{_key(missing)}.jsonl")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._output(missing).parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(vars(one)) + "\n" for one in missing), encoding="utf-8")


def _key(missing: Sequence[Request]) -> str:
    # An answer's id says all that it depends on, so the same ids are the same job.
    return fingerprint(sorted(one.id for one in missing))
