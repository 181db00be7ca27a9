"""A network between a client and an API server that can be cut and restored."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import yaml


class Forwarder:
    """Forwards TCP from a port of its own to a server's, from a thread of its own."""

    def __init__(self, host: str, port: int):
        self._target = (host, port)
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.kubeconfig = Path()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.restore()

    @classmethod
    @contextmanager
    def to(cls, kubeconfig: Path, folder: Path) -> Iterator[Forwarder]:
        """One to the server of a kubeconfig, with a kubeconfig of its own in a folder."""
        config = yaml.safe_load(kubeconfig.read_text())
        current = next(one for one in config["contexts"] if one["name"] == config["current-context"])
        cluster = next(one for one in config["clusters"] if one["name"] == current["context"]["cluster"])
        url = urlsplit(cluster["cluster"]["server"])
        made = cls(url.hostname or "", url.port or 443)
        cluster["cluster"]["server"] = url._replace(netloc=f"127.0.0.1:{made.port}").geturl()
        made.kubeconfig = folder / "forwarded.kubeconfig"
        made.kubeconfig.write_text(yaml.safe_dump(config))
        try:
            yield made
        finally:
            made.cut()
            made._loop.call_soon_threadsafe(made._loop.stop)

    def cut(self) -> None:
        """Nothing gets through, and what was open is broken off."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()

    def restore(self) -> None:
        """Connections get through again, on the same port."""
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            their_reader, their_writer = await asyncio.open_connection(*self._target)
            self._writers |= {writer, their_writer}
            await asyncio.gather(_copy(reader, their_writer), _copy(their_reader, writer))
            self._writers -= {writer, their_writer}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
