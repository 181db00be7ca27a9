"""A bare copy of a git repository on this worker, kept up to date by the command `git`."""

from __future__ import annotations

import base64
import fcntl
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import IO

from liftgate.errors import ConfigurationError, SourceError
from liftgate.sources.connections import Connection, Connections
from liftgate.sources.reading import gone
from liftgate.sources.web import origin

PROTOCOLS = "file:git:http:https:ssh"
"""No others: some of git's own run commands that stand in the address."""
FETCH_SECONDS = 1800


class GitMirror:
    """All branches and tags of a repository, below the user's cache folder."""

    def __init__(self, url: str, conn_id: str | None, connections: Connections):
        self._url = url
        self._conn_id = conn_id
        self._connections = connections
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self.folder = cache / "liftgate" / "git" / sha256(url.encode()).hexdigest()[:24]

    def update(self) -> None:
        """Fetch what is new. Tasks of one worker take turns."""
        self.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._alone():
            if not (self.folder / "HEAD").exists():
                shutil.rmtree(self.folder, ignore_errors=True)
                self._run("clone", "--quiet", "--mirror", "--template=", "--", self._url, str(self.folder))
            else:
                self._run("-C", str(self.folder), "remote", "update", "--prune")

    def commit(self, ref: str) -> str:
        """The commit of a branch or tag."""
        try:
            return self._in_mirror("rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}").decode().strip()
        except SourceError as error:
            raise SourceError(
                f"Expected {ref} in the repository {self._url}, found nothing of that name. Correct `ref`."
            ) from error

    def require_folder(self, commit: str, folder: str) -> None:
        """Raise SourceError where a commit has no such folder: listing it would give nothing, as if it were empty."""
        try:
            found = self._in_mirror("cat-file", "-t", f"{commit}:{folder}").decode().strip()
        except SourceError:
            found = "nothing"
        if found != "tree":
            raise SourceError(
                f"Expected the folder {folder} in the repository {self._url}, found {found} of that name. "
                "Correct `path`, or `ref`."
            )

    def is_ancestor(self, earlier: str, commit: str) -> bool:
        """Whether the history of a commit holds an earlier one. Not if that is nowhere any more."""
        return self._succeeds("merge-base", "--is-ancestor", earlier, commit)

    def blob(self, blob: str, uri: str) -> bytes:
        """The bytes of a blob."""
        if not self._has(blob):
            self.update()
        if not self._has(blob):  # history was written again, and it is in no branch any more
            raise gone(uri)
        return self._in_mirror("cat-file", "blob", blob)

    def lines(self, *arguments: str) -> Iterator[str]:
        """What a command prints, piece by piece between bytes of zero, as it comes."""
        command = ["git", "-C", str(self.folder), *arguments]
        with (
            TemporaryFile() as told,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told, env=self._environment) as process,
        ):
            assert process.stdout is not None
            for piece in _pieces(process.stdout):
                yield piece.decode("utf-8", "backslashreplace")
            process.wait()
            told.seek(0)
            self._require_success(process.returncode, told.read())

    def _has(self, blob: str) -> bool:
        return self._succeeds("cat-file", "-e", blob)

    def _succeeds(self, *arguments: str) -> bool:
        command = ["git", "-C", str(self.folder), *arguments]
        return subprocess.run(command, env=self._environment, capture_output=True).returncode == 0

    def _in_mirror(self, *arguments: str) -> bytes:
        return self._run("-C", str(self.folder), *arguments)

    def _run(self, *arguments: str) -> bytes:
        try:
            done = subprocess.run(
                ["git", *arguments], env=self._environment, capture_output=True, timeout=FETCH_SECONDS
            )
        except FileNotFoundError as error:
            raise ConfigurationError("Expected the command git on the worker, found none. Install git.") from error
        self._require_success(done.returncode, done.stderr)
        return done.stdout

    def _require_success(self, code: int, told: bytes) -> None:
        if code:
            said = told.decode("utf-8", "replace").strip()[-500:]
            raise SourceError(
                f"Expected git to read {self._url}, found: {said}. Check the address, the credentials and the network."
            )

    @contextmanager
    def replacing(self, file: Path) -> Iterator[IO[str]]:
        """A file beside the mirror, written whole or not at all."""
        with NamedTemporaryFile("w", dir=file.parent, delete=False) as new:
            try:
                yield new
                new.flush()
                os.replace(new.name, file)
            finally:
                Path(new.name).unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self.folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @cached_property
    def _environment(self) -> Mapping[str, str]:
        """Nobody is asked for a password, and none stands on a command line."""
        quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": PROTOCOLS, "GIT_SSH_COMMAND": "ssh -o BatchMode=yes"}
        login = _login(self._url, self._connections(self._conn_id)) if self._conn_id else {}
        return {**os.environ, **quiet, **login}


def _login(url: str, found: Connection) -> dict[str, str]:
    """What makes git log in at that address, and nowhere else: not where a redirect leads either."""
    if found.extra.get("key_file"):  # git hands its command to a shell
        key_file = shlex.quote(str(found.extra["key_file"]))
        return {"GIT_SSH_COMMAND": f"ssh -o BatchMode=yes -o IdentitiesOnly=yes -i {key_file}"}
    token = base64.b64encode(f"{found.login}:{found.password}".encode()).decode()
    return _settings(
        {f"http.{origin(url)}/.extraHeader": f"Authorization: Basic {token}", "http.followRedirects": "false"}
    )


def _settings(values: Mapping[str, str]) -> dict[str, str]:
    """Settings of git, as variables: a command line is seen by everybody on the machine."""
    variables = {"GIT_CONFIG_COUNT": str(len(values))}
    for number, (key, value) in enumerate(values.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while block := stream.read(65536):
        *whole, rest = (rest + block).split(b"\0")
        yield from whole
    if rest:
        yield rest
