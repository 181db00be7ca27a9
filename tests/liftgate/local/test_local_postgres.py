"""PostgreSQL out of the wheel: its own roles, its folder, and its end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from liftgate.errors import ConfigurationError
from liftgate.local.postgres import LocalPostgres, start, started

pytestmark = pytest.mark.slow

STARTED_THEN_KILLED = """
import os, sys
from pathlib import Path
from liftgate.local.postgres import start
print(start(Path(sys.argv[1])).process.pid, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("postgres")


def test_a_database_has_pgvector_and_belongs_to_its_own_role(folder: Path) -> None:
    with started(folder) as server:
        url = server.create_database("liftgate", owner="liftgate")
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT '[1,2]'::vector <=> '[1,2]'").fetchone() == (0.0,)
            assert connection.execute("SELECT current_user::text").fetchone() == ("liftgate",)
            connection.execute("CREATE TABLE kept (n int)")
        with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE ROLE another")


def test_what_was_committed_is_there_after_a_new_start(folder: Path) -> None:
    with started(folder) as server, psycopg.connect(server.url("liftgate", user="liftgate")) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    assert server.process.returncode is not None


def test_a_second_server_in_the_same_folder_is_refused_with_the_remedy(folder: Path) -> None:
    with started(folder), pytest.raises(ConfigurationError, match="Stop another server of that folder"):
        _start_and_stop(folder)


def test_the_server_ends_with_a_process_that_was_killed(folder: Path) -> None:
    child = subprocess.run([sys.executable, "-c", STARTED_THEN_KILLED, folder], capture_output=True, text=True)
    assert child.returncode == -signal.SIGKILL
    psutil.wait_procs([psutil.Process(int(child.stdout))] if psutil.pid_exists(int(child.stdout)) else [], timeout=30)
    assert not psutil.pid_exists(int(child.stdout))


def test_a_long_path_gets_its_socket_elsewhere(tmp_path: Path) -> None:
    server: LocalPostgres
    with started(tmp_path / ("long" * 25)) as server:
        assert server.socket_folder != server.data
        psycopg.connect(server.url("postgres")).close()


def _start_and_stop(folder: Path) -> None:
    start(folder).stop()
