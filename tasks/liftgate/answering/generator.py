"""The model that answers."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from liftgate.answering.adapter_files import require_whole_adapter
from liftgate.errors import ConfigurationError, JobFailed
from liftgate.local.models import model_folder
from liftgate.local.threads import thread_settings
from liftgate.releases.makeup import Makeup
from liftgate.settings import Settings

Messages = list[dict[str, str]]


@dataclass(frozen=True)
class Request:
    """A conversation to be answered."""

    id: str
    messages: Messages


@dataclass(frozen=True)
class Answer:
    """What the model wrote. `finish` is stop, or length where it was cut off."""

    id: str
    text: str
    tokens: int
    finish: str


class Generator(Protocol):
    """Answers as one release's base model and adapter do."""

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """One answer for each request, as they come, in any order."""
        ...


class LocalGenerator:
    """A model on this machine, run by the trainer's own program, so that training and answering see the same model."""

    def __init__(self, settings: Settings, makeup: Makeup):
        self._settings = settings
        self._makeup = makeup

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """One answer for each request, as they come, in any order. Raises JobFailed with the program's last line.

        Raises ArtifactCorrupt before the model is loaded, where the adapter is not the one that was registered.
        """
        if not requests:
            return
        if self._makeup.adapter is not None:
            require_whole_adapter(self._makeup.adapter, self._makeup.base.model, self._settings.models_dir)
        with tempfile.TemporaryDirectory(prefix="liftgate-answers-") as scratch:
            asked, answered = Path(scratch, "requests.jsonl"), Path(scratch, "answers.jsonl")
            asked.write_text("".join(json.dumps(vars(one)) + "\n" for one in requests), encoding="utf-8")
            given: set[str] = set()
            for _ in self._run(asked, answered):
                new = [answer for answer in _written(answered) if answer.id not in given]
                given.update(answer.id for answer in new)
                yield from new

    def _run(self, asked: Path, answered: Path) -> Iterator[None]:
        """Comes back at each line that the program prints, and when it has ended."""
        last = ""
        with subprocess.Popen(
            self._command(asked, answered),
            env=trainer_environment(self._settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                for line in process.stdout or ():
                    last = line.strip() or last
                    print(last, flush=True)
                    yield
            except BaseException:  # also when nobody wants more answers
                process.kill()
                raise
        if process.returncode != 0:
            raise JobFailed(
                f"Expected trainer.generate to answer, found that it ended with {process.returncode}: {last} "
                "Mend that and clear this task."
            )
        yield

    def _command(self, asked: Path, answered: Path) -> list[str]:
        makeup = self._makeup
        command = [sys.executable, "-m", "trainer.generate"]
        command += ["--base_model", str(model_folder(makeup.base.model, self._settings.models_dir))]
        command += ["--requests", str(asked), "--output", str(answered)]
        command += ["--max_new_tokens", str(makeup.max_new_tokens)]
        return command + (["--adapter_dir", makeup.adapter.uri] if makeup.adapter else [])


def _written(answered: Path) -> list[Answer]:
    """Answers so far. While it runs, trainer.generate has them in a hidden file beside its output."""
    for path in (answered, *answered.parent.glob(f".{answered.name}.*")):
        with contextlib.suppress(FileNotFoundError):
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            return [Answer(**json.loads(line)) for line in lines if line.endswith("\n")]
    return []


def trainer_environment(settings: Settings) -> dict[str, str]:
    """The environment of the trainer's programs: its package on the path, and nothing fetched from anywhere."""
    if settings.trainer_dir is None or not Path(settings.trainer_dir, "trainer").is_dir():
        raise ConfigurationError(
            f"Expected LIFTGATE_TRAINER_DIR to name the folder trainer_image, found {settings.trainer_dir}. "
            "Set it, or use a backend that brings its own image."
        )
    return {
        **os.environ,
        "PYTHONPATH": settings.trainer_dir,
        **thread_settings(settings),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
