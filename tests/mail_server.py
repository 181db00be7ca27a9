"""A server on loopback that takes e-mails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from socketserver import StreamRequestHandler, TCPServer
from threading import Thread
from typing import Any


class MailServer(TCPServer):
    """Keeps who sent what it was given, to whom, and the message."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, list[str], EmailMessage]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def connection(self, **extra: Any) -> str:
        """The Airflow connection that leads here."""
        plain = {"disable_tls": True, "disable_ssl": True}
        address = {"conn_type": "smtp", "host": "127.0.0.1", "port": self.server_address[1]}
        return json.dumps({**address, "extra": {**plain, **extra}})


@contextmanager
def taking_mail() -> Iterator[MailServer]:
    """A mail server that runs until the end of the block."""
    with MailServer() as made:
        Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
        yield made
        made.shutdown()


class _Handler(StreamRequestHandler):
    """As much of SMTP (RFC 5321) as one message takes."""

    server: MailServer

    def handle(self) -> None:
        sender, readers = "", []
        self._say("220 ready")
        for line in self.rfile:
            verb, _, rest = line.decode().strip().partition(" ")
            if verb.upper() == "MAIL":
                sender = rest
            elif verb.upper() == "RCPT":
                readers.append(rest)
            elif verb.upper() == "DATA":
                self._say("354 go on")
                message: Any = message_from_bytes(self._message(), policy=policy.default)
                self.server.taken.append((sender, readers, message))
            self._say("221 bye" if verb.upper() == "QUIT" else "250 ok")

    def _message(self) -> bytes:
        lines = iter(self.rfile.readline, b".\r\n")
        return b"".join(line.removeprefix(b".") if line.startswith(b"..") else line for line in lines)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())
