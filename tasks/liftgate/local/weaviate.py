"""A Weaviate server for the demo and the tests: one that runs already, or one that is started for them.

    with server(Path(".demo/weaviate")) as settings:      # WEAVIATE_URL, else `weaviate` on PATH, else docker
        Settings(database_url=..., files_url=..., **settings)

What is started listens on 127.0.0.1 alone, asks for a key, reports to nobody, and ends with the block.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from liftgate.errors import ConfigurationError
from liftgate.settings import Settings

IMAGE = "semitechnologies/weaviate:1.39.0"
READY_SECONDS = 60
HOW_TO_GET_ONE = "Set WEAVIATE_URL (and WEAVIATE_GRPC_URL, WEAVIATE_API_KEY), put `weaviate` on PATH, or start docker."
_PR_SET_PDEATHSIG = 1
_PORTS = ("http", "grpc", "gossip", "data", "raft", "raft_rpc")


@contextmanager
def server(folder: Path) -> Iterator[dict[str, str]]:
    """The `weaviate_*` settings of a server that answers. Raises ConfigurationError where there is none to be had."""
    if found := running():
        yield found
    elif binary := shutil.which("weaviate"):
        with started(binary, folder) as one:
            yield one.settings
    elif _has_docker():
        with _container() as settings:
            yield settings
    else:
        raise ConfigurationError(f"Expected a Weaviate server, found none. {HOW_TO_GET_ONE}")


def is_available() -> bool:
    """Whether `server` would find one."""
    return bool(running() or shutil.which("weaviate") or _has_docker())


def running() -> dict[str, str]:
    """The settings of the server that the environment names, or nothing."""
    names = ("weaviate_url", "weaviate_grpc_url", "weaviate_api_key")
    found = {name: os.environ[name.upper()] for name in names if name.upper() in os.environ}
    return found if "weaviate_url" in found else {}


@dataclass
class LocalWeaviate:
    """A server as a child of this process, which can be killed and started again over the same files."""

    binary: str
    folder: Path
    ports: dict[str, int]
    key: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> dict[str, str]:
        """Where it answers, and the key."""
        return {
            "weaviate_url": f"http://127.0.0.1:{self.ports['http']}",
            "weaviate_grpc_url": f"grpc://127.0.0.1:{self.ports['grpc']}",
            "weaviate_api_key": self.key,
        }

    def start(self, **more: str) -> None:
        """Start it and wait until it answers. `more`: variables of its environment."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "weaviate.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "--host", "127.0.0.1", "--port", str(self.ports["http"]), "--scheme", "http"],
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **self._environment(), **more},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A session of its own: Ctrl-C in the terminal is for whoever started it, who then stops it in order.
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        _wait_until_ready(self.settings, lambda: self.process is not None and self.process.poll() is None)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _environment(self) -> dict[str, str]:
        ports = {name: str(port) for name, port in self.ports.items()}
        return {
            "PERSISTENCE_DATA_PATH": str(self.folder / "data"),
            **_key_settings(self.key),
            "GRPC_PORT": ports["grpc"],
            "CLUSTER_HOSTNAME": "local",
            "CLUSTER_ADVERTISE_ADDR": "127.0.0.1",
            "CLUSTER_BIND_ADDR": "127.0.0.1",
            "CLUSTER_GOSSIP_BIND_PORT": ports["gossip"],
            "CLUSTER_DATA_BIND_PORT": ports["data"],
            "RAFT_PORT": ports["raft"],
            "RAFT_INTERNAL_RPC_PORT": ports["raft_rpc"],
            "RAFT_BOOTSTRAP_EXPECT": "1",
            "GO_PROFILING_DISABLE": "true",
            "LOG_LEVEL": "warning",
        }


@contextmanager
def started(binary: str, folder: Path) -> Iterator[LocalWeaviate]:
    """A server whose files lie in `folder`, on free ports, for as long as the block runs."""
    one = LocalWeaviate(binary, folder, dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True)), secrets.token_hex(16))
    try:
        one.start()
        yield one
    finally:
        one.stop()


@contextmanager
def _container() -> Iterator[dict[str, str]]:
    http, grpc = free_ports(2)
    key = secrets.token_hex(16)
    options = [option for name, value in _key_settings(key).items() for option in ("--env", f"{name}={value}")]
    published = ["--publish", f"127.0.0.1:{http}:8080", "--publish", f"127.0.0.1:{grpc}:50051"]
    command = ["docker", "run", "--detach", "--rm", *published, *options, IMAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ConfigurationError(f"Expected docker to start {IMAGE}, found: {done.stderr.strip()}. {HOW_TO_GET_ONE}")
    settings = {"weaviate_url": f"http://127.0.0.1:{http}", "weaviate_grpc_url": f"grpc://127.0.0.1:{grpc}"}
    try:
        _wait_until_ready({**settings, "weaviate_api_key": key}, lambda: True)
        yield {**settings, "weaviate_api_key": key}
    finally:
        subprocess.run(["docker", "rm", "--force", done.stdout.strip()], capture_output=True, check=False)


def _key_settings(key: str) -> dict[str, str]:
    return {
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "false",
        "AUTHENTICATION_APIKEY_ENABLED": "true",
        "AUTHENTICATION_APIKEY_ALLOWED_KEYS": key,
        "AUTHENTICATION_APIKEY_USERS": "liftgate",
        "AUTHORIZATION_ADMINLIST_ENABLED": "true",
        "AUTHORIZATION_ADMINLIST_USERS": "liftgate",
        "DEFAULT_VECTORIZER_MODULE": "none",
        "DISABLE_TELEMETRY": "true",
    }


def _has_docker() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on, all open at once, so that none is given twice."""
    probes = [socket.socket() for _ in range(number)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _wait_until_ready(settings: dict[str, str], is_alive: Callable[[], bool]) -> None:
    from liftgate.errors import IndexUnavailable
    from liftgate.index.weaviate.client import connect

    whole = Settings.model_validate({"database_url": "", "files_url": "", **settings})
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            connect(whole).close()
            return
        except IndexUnavailable as error:
            if not is_alive() or time.monotonic() > deadline:
                raise ConfigurationError(
                    f"Expected Weaviate to answer at {settings['weaviate_url']}, found: {error} Look into its log."
                ) from error
            time.sleep(0.2)


def _end_with_parent() -> None:
    """Runs in the child: SIGTERM when the parent is gone."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
