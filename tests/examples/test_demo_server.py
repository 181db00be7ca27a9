"""The demo's processes: a taken port is told, and what an earlier demo left is ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "handbook"))

from demo.failures import DemoFailed
from demo.server import MARK, end_leftovers, require_free_port
from demo.workspace import Workspace

WAIT_FOREVER = "import signal; print('up', flush=True); signal.pause()"


def test_a_taken_port_is_told_with_the_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DemoFailed, match=f"Expected port {port} to be free.*make demo PORT="):
            require_free_port(port)
    require_free_port(port)


def test_only_processes_of_an_earlier_demo_in_this_folder_are_ended(tmp_path: Path) -> None:
    ours, others = (_process(tmp_path / name) for name in ("ours", "others"))
    try:
        assert end_leftovers(Workspace(tmp_path / "ours")) == 1
        ours.wait(timeout=10)
        assert others.poll() is None
    finally:
        others.kill()
        others.wait()


def _process(folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, MARK: str(folder)}
    process = subprocess.Popen([sys.executable, "-c", WAIT_FOREVER], env=environment, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"up\n"
    return process
