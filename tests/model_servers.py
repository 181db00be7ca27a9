"""A server of models on loopback: OpenAI's embeddings and chat, reranking in both forms. Real HTTP, no model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

from word_vectors import word_vector

DIMS = 3072
KEY = "sk-of-the-test"


class Fault(NamedTuple):
    """What the server says to one request in place of an answer."""

    status: int
    body: Any = "no"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class ModelServers:
    """What was asked so far, and what goes wrong next."""

    url: str
    asked: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    """Path, body and Authorization of each request."""
    faults: list[Fault] = field(default_factory=list)
    """Each is used up by one request, other than for the list of models."""
    models: dict[str, Callable[[str], str]] = field(default_factory=dict)
    """What answers, by the name that it is served under: from the last message to what is said."""
    folders: dict[str, Callable[[str], str]] = field(default_factory=dict)
    """What answers once it is loaded from a folder."""

    @property
    def settings(self) -> dict[str, str]:
        """The settings that lead here."""
        openai = {"openai_url": f"{self.url}/v1", "openai_api_key": KEY}
        return {**openai, "rerank_url": f"{self.url}/rerank", "rerank_api_key": KEY}

    @property
    def answering(self) -> dict[str, str]:
        """The settings with which it answers."""
        return {"generator_url": f"{self.url}/v1", "generator_api_key": KEY}

    @property
    def inputs(self) -> list[list[str]]:
        """The texts of each request for embeddings."""
        return [body["input"] for path, body, _ in self.asked if path == "/v1/embeddings"]

    @property
    def chats(self) -> list[dict[str, Any]]:
        """Each request for an answer."""
        return [body for path, body, _ in self.asked if path == "/v1/chat/completions"]

    def listed(self, path: str, authorization: str) -> Fault:
        """What is answered to a GET."""
        if authorization != f"Bearer {KEY}" or path != "/v1/models":
            return Fault(401 if path == "/v1/models" else 404)
        return Fault(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]})

    def answer(self, path: str, body: dict[str, Any], authorization: str) -> Fault:
        """What is answered to a request."""
        self.asked.append((path, body, authorization))
        if self.faults:
            return self.faults.pop(0)
        if authorization != f"Bearer {KEY}":
            return Fault(401, {"error": {"message": f"Incorrect API key provided: {authorization}"}})
        if path == "/v1/embeddings":
            return Fault(200, _embeddings(body))
        if path == "/rerank":
            return Fault(200, _ranks(body))
        if path == "/v1/chat/completions":
            return self._said(body)
        if path == "/v1/load_lora_adapter" and body["lora_path"] in self.folders:
            self.models[body["lora_name"]] = self.folders[body["lora_path"]]
            return Fault(200, f"Success: LoRA adapter '{body['lora_name']}' added successfully.")
        return Fault(404, "there is nothing here")

    def _said(self, body: dict[str, Any]) -> Fault:
        """As vLLM says it. A word is a token."""
        if body["model"] not in self.models:
            return Fault(404, {"error": {"message": f"The model `{body['model']}` does not exist.", "code": 404}})
        words = self.models[body["model"]](body["messages"][-1]["content"]).split(" ")
        said, finish = words[: body["max_tokens"]], "length" if len(words) > body["max_tokens"] else "stop"
        choice = {"index": 0, "message": {"role": "assistant", "content": " ".join(said)}, "finish_reason": finish}
        usage = {"completion_tokens": len(said)}
        return Fault(200, {"object": "chat.completion", "model": body["model"], "choices": [choice], "usage": usage})


def _embeddings(body: dict[str, Any]) -> dict[str, Any]:
    dims = body.get("dimensions", DIMS)
    rows = [
        {"object": "embedding", "index": place, "embedding": word_vector(text, dims).tolist()}
        for place, text in enumerate(body["input"])
    ]
    return {"object": "list", "model": body["model"], "data": rows[::-1]}  # the order is not promised


def _ranks(body: dict[str, Any]) -> Any:
    """The share of the question's words that a text has: for the best ones first, as real servers do."""
    question = set(body["query"].lower().split())
    texts = body.get("documents") or body["texts"]
    scores = [(len(question & set(text.lower().split())) / len(question), place) for place, text in enumerate(texts)]
    scores.sort(reverse=True)
    if "texts" in body:
        return [{"index": place, "score": score} for score, place in scores]
    return {"results": [{"index": place, "relevance_score": score} for score, place in scores]}


@contextmanager
def model_servers() -> Iterator[ModelServers]:
    """A server that ends with the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(made.listed(self.path, self.headers.get("Authorization", "")))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(made.answer(self.path, body, self.headers.get("Authorization", "")))

        def _send(self, answered: Fault) -> None:
            status, answer, headers = answered
            text = answer if isinstance(answer, str) else json.dumps(answer)
            self.send_response(status)
            for name, value in (*headers, ("Content-Length", str(len(text.encode())))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the tests look at `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = ModelServers(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()
