"""Answers by an OpenAI-compatible server, which serves the base model and each adapter by name, as vLLM does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from liftgate.answering.adapter_files import require_files
from liftgate.answering.generator import Answer, Request
from liftgate.config.knowledge_base import KnowledgeBase
from liftgate.errors import ConfigurationError, ModelServerRefused, RequestsRefused
from liftgate.fingerprints import fingerprint
from liftgate.model_server import ModelServer
from liftgate.releases.makeup import AdapterPart, Makeup
from liftgate.settings import Settings

GENERATOR_VERSION = 1
"""Raised by hand when the same server is asked in a way that gives another answer."""
REQUESTS_AT_ONCE = 8
"""Such a server computes the answers to several requests together, nearly in the time of one."""
_OF_ONE_REQUEST = (400, 413, 422)
"""A request that is too long, or that a filter stops, says nothing about the next one."""


def answered_by(settings: Settings) -> str | None:
    """What an answer depends on beside the release: the kind of server and its names. None: the trainer's program.

    A server decodes with its own kernels and number format, and with the chat template that it was started with, so its
    answer may be another one. It is kept under another key, and a verdict on it counts for it alone. Which server it is
    does not count, as with embedders: the names of what it serves do.
    """
    if not settings.generator_url:
        return None
    names = [settings.generator_base, settings.generator_adapter]
    return fingerprint({"version": GENERATOR_VERSION, "provider": "openai", "names": names})


def require_one_place(settings: Settings, config: KnowledgeBase) -> None:
    """Raise ConfigurationError where a server and jobs shall answer: one's answers would be kept as the other's."""
    backend = config.answers.job.backend
    if settings.generator_url and backend != "local":
        raise ConfigurationError(
            f"Expected one place where answers are generated, found a server in LIFTGATE_GENERATOR_URL and {backend} "
            f"in answers.job.backend of {config.name}. Remove one of them (in Airflow, `generator_conn_id` stands in "
            "the extras of liftgate_database)."
        )


@dataclass(frozen=True)
class ServedModel:
    """A name at a server, and what helps where the server does not have it."""

    server: ModelServer
    name: str
    remedy: str
    adapter: AdapterPart | None = None
    folder: str | None = None
    """Where the server can load the adapter from while it runs."""

    def require(self) -> None:
        """Look for it before it is asked: some servers answer with whatever they have, under any name.

        One that is not there is loaded, if it can be. Raises ModelServerRefused with the names of what is served.
        """
        served = self._served()
        if self.adapter and self.folder and self.name not in served:
            require_files(self.adapter)
            self._load(self.folder)
            served = self._served()
        if self.name not in served:
            found = ", ".join(served) or "nothing"
            raise ModelServerRefused(f"Expected {self.server.place} to serve {self.name}, found {found}. {self.remedy}")

    def _load(self, folder: str) -> None:
        try:
            self.server.tell("/load_lora_adapter", {"lora_name": self.name, "lora_path": folder})
        except ModelServerRefused as error:
            if self.name in self._served():  # another task was first
                return
            raise ModelServerRefused(
                f"Expected {self.server.place} to load {folder} as {self.name}, found that it refused. {error} vLLM "
                "needs --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True for it, and has to see that folder."
            ) from error
        print(f"{self.server.place} loaded {folder} as {self.name}.")

    def _served(self) -> list[str]:
        answer = self.server.get("/models")
        try:
            return [str(row["id"]) for row in answer["data"]]
        except (KeyError, TypeError) as error:
            raise wrong_form(self.server, "`data` with the `id` of each model") from error


def served_base(settings: Settings, model: str) -> ServedModel:
    """A base model as the server of the settings names it."""
    remedy = "Start that server with it, or set LIFTGATE_GENERATOR_BASE to its name there."
    return ServedModel(ModelServer("generator", settings), settings.generator_base.format(model=model), remedy)


def served_adapter(settings: Settings, adapter: AdapterPart) -> ServedModel:
    """An adapter as the server of the settings names it.

    Example: /files/adapters/small/f00d, generator_adapters_dir /artifacts -> loaded from /artifacts/small/f00d
    """
    name = settings.generator_adapter.format(name=adapter.name, digest=adapter.digest)
    remedy = (
        f"Load {adapter.uri} there under that name (vLLM: --lora-modules {name}=FOLDER, or POST /v1/load_lora_adapter) "
        "and clear this task, or set LIFTGATE_GENERATOR_ADAPTER to how adapters are named there."
    )
    folder = settings.generator_adapters_dir and "/".join(
        [settings.generator_adapters_dir.rstrip("/"), *adapter.uri.rstrip("/").split("/")[-2:]]
    )
    return ServedModel(ModelServer("generator", settings), name, remedy, adapter, folder)


class OpenAIGenerator:
    """One release's base model, or its adapter, behind an address."""

    def __init__(self, settings: Settings, makeup: Makeup):
        adapter = makeup.adapter
        self.model = served_adapter(settings, adapter) if adapter else served_base(settings, makeup.base.model)
        self._server = self.model.server
        # As in training and in trainer.generate, the likeliest token each time.
        self._decoding = {"temperature": 0, "top_p": 1, "max_tokens": makeup.max_new_tokens}

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """One answer for each request, as they come.

        Raises ModelServerRefused where the model is not served, and RequestsRefused, when all others are answered,
        where some requests were refused for what they are.
        """
        if not requests:
            return
        self.model.require()
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as threads:
            futures = [threads.submit(self._answer, one) for one in requests]
            try:
                yield from self._completed(futures)
            finally:  # also when nobody wants more answers
                threads.shutdown(cancel_futures=True)

    def _completed(self, futures: Sequence[Future[Answer]]) -> Iterator[Answer]:
        """Answers as they come. After an error no more is asked, and what is under way comes before it is raised."""
        error: BaseException | None = None
        refused: list[ModelServerRefused] = []
        for future in as_completed(futures):
            if future.cancelled():
                continue
            if (found := future.exception()) is None:
                yield future.result()
            elif isinstance(found, ModelServerRefused) and found.status in _OF_ONE_REQUEST:
                refused.append(found)
            elif error is None:
                error = found
                for other in futures:
                    other.cancel()
        if error or refused:
            raise error or self._some_refused(refused, len(futures))

    def _some_refused(self, refused: Sequence[ModelServerRefused], asked: int) -> RequestsRefused:
        return RequestsRefused(
            f"Expected {self._server.place} to take every request, found that it refused {len(refused)} of {asked}. "
            f"The first: {refused[0]}",
            requests=len(refused),
        )

    def _answer(self, request: Request) -> Answer:
        body = {"model": self.model.name, "messages": request.messages, **self._decoding}
        try:
            said = self._server.post("/chat/completions", body)
        except ModelServerRefused as error:
            if error.status != 404:
                raise
            self.model.require()  # unloaded since the list was read, as an adapter is by a restart
            said = self._server.post("/chat/completions", body)
        return self._read(request, said)

    def _read(self, request: Request, said: Any) -> Answer:
        try:
            (choice,), tokens = said["choices"], int(said["usage"]["completion_tokens"])
            text: Any = choice["message"]["content"]
            finish = "length" if choice["finish_reason"] == "length" else "stop"
        except (KeyError, TypeError, ValueError) as error:
            raise wrong_form(self._server, "one of `choices` with `message`, and `usage`,") from error
        if text is None:  # of a model that was still thinking, or behind a filter: it said nothing, and counts so
            text = ""
        if not isinstance(text, str):
            raise wrong_form(self._server, "a text in `content`")
        return Answer(request.id, text, tokens, finish)


def wrong_form(server: ModelServer, expected: str) -> ModelServerRefused:
    """The error about a server that speaks something else."""
    return ModelServerRefused(
        f"Expected {expected} from {server.place}, found another form. Correct {server.setting}: it names an "
        "OpenAI-compatible interface, with its version."
    )
