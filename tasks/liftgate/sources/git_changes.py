"""When each file of a git repository changed last: history is walked once, and from then on what was added to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256

from liftgate.sources.git_mirror import GitMirror

Times = Mapping[str, int]
"""By path from the top of the repository: the time of the newest commit that changed it, in seconds since 1970."""


class LastChanges:
    """The last changes of the files below a folder of a ref, remembered in the mirror up to the commit listed last."""

    def __init__(self, mirror: GitMirror, ref: str, folder: str):
        self._mirror = mirror
        self._below = ["--", folder + "/"] if folder else []
        self._file = mirror.folder / f"liftgate-{sha256(f'{ref}:{folder}'.encode()).hexdigest()[:24]}.json"

    def until(self, commit: str) -> Times:
        """The times as of a commit. Where its history holds the one remembered, only what came since is walked."""
        earlier, known = self._remembered()
        if not earlier or not self._mirror.is_ancestor(earlier, commit):  # the branch was written again
            return self._walked(commit, {})
        return self._walked(f"{earlier}..{commit}", known)

    def remember(self, commit: str, times: Times) -> None:
        """Keep the times of the files that a commit has. Tasks of one worker may do so at once.

        Without them the listing is as whole as with them, so a disk that is full is said and fails nobody.
        """
        try:
            with self._mirror.replacing(self._file) as file:
                json.dump([commit, times], file)
        except OSError as error:
            print(f"When files changed is not remembered, so the next listing walks these commits again: {error}")

    def _remembered(self) -> tuple[str, Times]:
        try:
            commit, times = json.loads(self._file.read_text())
        except (OSError, ValueError):  # none yet, or a disk that was full
            return "", {}
        return commit, times

    def _walked(self, commits: str, known: Times) -> Times:
        """What is known, with what these commits changed later. A side branch that is merged late brings older ones."""
        times = dict(known)
        for path, changed in self._changes_of(commits):
            times[path] = max(changed, times.get(path, changed))
        return times

    def _changes_of(self, commits: str) -> Iterator[tuple[str, int]]:
        """(path, time) of every change. One walk for all files, through merged side branches whatever came of them."""
        wanted = ("log", "-z", "--name-only", "--no-renames", "-m", "--full-history", "--sparse", "--format=%x01%ct")
        changed = 0
        for line in self._mirror.lines(*wanted, commits, *self._below):
            for part in line.split("\n"):
                if part.startswith("\x01"):
                    changed = int(part[1:])
                elif part:
                    yield part, changed
