"""A server of models on loopback: OpenAI's embeddings, and reranking in both forms. Real HTTP, no model behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
    """Each is used up by one request."""

    @property
    def settings(self) -> dict[str, str]:
        """The settings that lead here."""
        openai = {"openai_url": f"{self.url}/v1", "openai_api_key": KEY}
        return {**openai, "rerank_url": f"{self.url}/rerank", "rerank_api_key": KEY}

    @property
    def inputs(self) -> list[list[str]]:
        """The texts of each request for embeddings."""
        return [body["input"] for path, body, _ in self.asked if path == "/v1/embeddings"]

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
        return Fault(404, "there is nothing here")


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

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer, headers = made.answer(self.path, body, self.headers.get("Authorization", ""))
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
