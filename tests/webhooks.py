"""A server on loopback that takes webhooks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any


class Receiver(HTTPServer):
    """Keeps path, headers and body of what is posted, and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.taken: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def connection(self) -> str:
        """The Airflow connection that leads here."""
        address = {"host": "127.0.0.1/hooks/T1", "schema": "http", "port": self.server_port}
        login = {"login": "bot", "password": "p", "extra": {"X-Team": "docs"}}
        return json.dumps({"conn_type": "http", **address, **login})

    def told(self) -> list[tuple[str, str]]:
        """Occasion and text of what came in so far."""
        return [(body["occasion"], body["text"]) for _, _, body in self.taken]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that runs until the end of the block."""
    with Receiver() as made:
        Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
        yield made
        made.shutdown()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.taken.append((self.path, dict(self.headers), body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *told: Any) -> None:
        """Nothing: pytest's output is for pytest."""
