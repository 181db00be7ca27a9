"""When each file of a git repository changed last: history is walked once, and from then on what was added to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256

from liftgate.sources.git_mirror import GitMirror

Times = Mapping[str, int]
"""By path from the top of the repository: the time of the last commit that changed it, in seconds since 1970."""


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
            return dict(self._walked(commit))
        return {**known, **dict(self._walked(f"{earlier}..{commit}"))}

    def remember(self, commit: str, times: Times) -> None:
        """Keep the times of the files that a commit has. Tasks of one worker may do so at once."""
        with self._mirror.replacing(self._file) as file:
            json.dump([commit, times], file)

    def _remembered(self) -> tuple[str, Times]:
        try:
            commit, times = json.loads(self._file.read_text())
        except (OSError, ValueError):  # none yet, or a disk that was full
            return "", {}
        return commit, times

    def _walked(self, commits: str) -> Iterator[tuple[str, int]]:
        """(path, time), oldest first, so that the last one counts. One walk for all files."""
        wanted = ("log", "-z", "--reverse", "--name-only", "--no-renames", "-m", "--format=%x01%ct", commits)
        changed = 0
        for line in self._mirror.lines(*wanted, *self._below):
            for part in line.split("\n"):
                if part.startswith("\x01"):
                    changed = int(part[1:])
                elif part:
                    yield part, changed
