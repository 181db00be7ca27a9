"""A StatsD server on loopback, as far as its protocol goes: it keeps what comes in."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread


class StatsD:
    """Keeps the lines of every packet, such as `airflow.liftgate.documents_opened:6|c`."""

    def __init__(self, listener: socket.socket):
        self.port: int = listener.getsockname()[1]
        self.lines: list[str] = []
        self._listener = listener

    @property
    def settings(self) -> dict[str, str]:
        """With these an Airflow sends its metrics here."""
        to = {"STATSD_ON": "True", "STATSD_HOST": "127.0.0.1", "STATSD_PORT": str(self.port)}
        return {f"AIRFLOW__METRICS__{name}": value for name, value in to.items()}

    def ours(self) -> list[str]:
        """The lines that Liftgate sent, without Airflow's prefix."""
        sent = [line.removeprefix("airflow.") for line in self.lines]
        return [line for line in sent if line.startswith("liftgate.")]

    def keep(self) -> None:
        """Keep what comes in, until an empty packet does."""
        while packet := self._listener.recv(65_536):
            self.lines += packet.decode().splitlines()


@contextmanager
def listening() -> Iterator[StatsD]:
    """A server that ends with the block."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        made = StatsD(listener)
        thread = Thread(target=made.keep, daemon=True)
        thread.start()
        yield made
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", made.port))
        thread.join()
