"""A git repository at a branch, tag or commit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator

from liftgate.config.addresses import Address
from liftgate.config.sources import SourceBlock
from liftgate.sources.connections import Connections
from liftgate.sources.git_changes import LastChanges
from liftgate.sources.git_mirror import GitMirror
from liftgate.sources.identity import Listed
from liftgate.sources.reading import LINK, as_time, refuse_link

_FILE_MODES = ("100644", "100755")
_SUBMODULE = "160000"


def _no_option(value: str) -> str:
    """Nothing that git would take for one of its options, or for a command to run."""
    if value.startswith("-") or re.match(r"[a-z]+::", value):
        raise ValueError("a repository's address and a ref begin with a letter, a digit or a slash; correct it")
    return value


class Git(SourceBlock):
    """A git repository, by the command `git`, through a mirror that each worker keeps for itself."""

    url: Annotated[Address, AfterValidator(_no_option)]
    """Address of the repository: https, ssh, git, or a path on the worker."""
    ref: Annotated[str, AfterValidator(_no_option)] = "HEAD"
    """A branch, tag or commit."""
    path: str = ""
    """Only files below this folder of the repository."""
    conn_id: str | None = None
    """A connection: login and password (or token) for https, `key_file` in its extra for ssh. None: what git finds."""

    def open(self, connections: Connections) -> GitReader:
        """Its files."""
        return GitReader(self, connections)


class GitReader:
    """Files of a commit. A version is a blob, so exactly what was listed is read, whatever the branch does since."""

    def __init__(self, block: Git, connections: Connections):
        self._block = block
        self._folder = block.path.strip("/")
        self._mirror = GitMirror(block.url, block.conn_id, connections)
        self._changes = LastChanges(self._mirror, block.ref, self._folder)

    def list(self) -> Iterator[Listed]:
        """Every file of the commit, with the time of the last commit that changed it."""
        self._mirror.update()
        commit = self._mirror.commit(self._block.ref)
        self._mirror.require_folder(commit, self._folder)
        changed = self._changes.until(commit)
        listed: dict[str, int] = {}
        below = ["--", self._folder + "/"] if self._folder else []
        for line in self._mirror.lines("ls-tree", "-r", "-l", "-z", "--full-tree", commit, *below):
            about, _, path = line.partition("\t")
            mode, _, blob, size = about.split()
            if mode != _SUBMODULE:
                hint = blob if mode in _FILE_MODES else LINK
                uri = path.removeprefix(self._folder).lstrip("/")
                listed[path] = changed.get(path, 0)
                yield Listed(uri, hint, int(size), as_time(listed[path]))
        self._changes.remember(commit, listed)

    def read(self, uri: str, version_hint: str) -> bytes:
        """The bytes of the blob; one that this worker has not seen yet is fetched."""
        if version_hint == LINK:
            raise refuse_link(uri)
        return self._mirror.blob(version_hint, uri)
