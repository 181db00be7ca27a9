"""Times of files in a git repository: the same as a walk through the whole history gives, by what was added to it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from source_servers import GitRepository

from liftgate.sources.git_mirror import GitMirror
from liftgate.sources.kinds.git import Git


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    """Three files, each in a commit of its own, on the first three days of 2026."""
    made = GitRepository(tmp_path)
    for name in ("a.md", "b.md", "docs/c.md"):
        made.write(name, b"one")
    return made


@pytest.fixture
def walked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many commits each walk through history gave, those below a folder that changed nothing there included."""
    counts: list[int] = []
    lines = GitMirror.lines

    def spy(self: GitMirror, *arguments: str) -> Any:
        found = list(lines(self, *arguments))
        if arguments[0] == "log":
            counts.append(sum(line.count("\x01") for line in found))
        return iter(found)

    monkeypatch.setattr(GitMirror, "lines", spy)
    return counts


def times(repository: GitRepository, **settings: str) -> dict[str, datetime]:
    """As a worker finds them that has listed before."""
    listed = Git(url=str(repository.bare), **settings).open({}.__getitem__).list()
    return {one.uri: one.updated_at for one in listed}


def days(repository: GitRepository, **settings: str) -> dict[str, int]:
    return {uri: time.day for uri, time in times(repository, **settings).items()}


def as_a_new_worker(
    repository: GitRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **settings: str
) -> dict[str, datetime]:
    with monkeypatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path / "other-cache"))
        return times(repository, **settings)


def test_only_commits_since_the_last_listing_are_walked(repository: GitRepository, walked: list[int]) -> None:
    assert days(repository) == {"a.md": 1, "b.md": 2, "docs/c.md": 3}
    repository.write("b.md", b"two")
    assert days(repository) == {"a.md": 1, "b.md": 4, "docs/c.md": 3}
    assert days(repository) == {"a.md": 1, "b.md": 4, "docs/c.md": 3}
    assert walked == [3, 1, 0]


def test_deleted_moved_and_merged_files_have_the_times_of_a_whole_walk(
    repository: GitRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.run("branch", "side")
    times(repository)
    repository.write("a.md", None)
    times(repository)
    repository.write("a.md", b"one")
    repository.run("mv", "b.md", "moved.md")
    repository.write("new.md", b"one")
    times(repository)
    repository.run("checkout", "--quiet", "side")
    repository.run("mv", "docs/c.md", "docs/d.md")
    repository.run("commit", "--quiet", "-m", "on the side")
    repository.run("merge", "--quiet", "-m", "merge", "origin/main")
    repository.write("last.md", b"one")
    found = times(repository)
    assert set(found) == {"a.md", "moved.md", "new.md", "docs/d.md", "last.md"}
    assert found == as_a_new_worker(repository, tmp_path, monkeypatch)


@pytest.mark.parametrize("path", ["", "docs"], ids=["whole", "below a folder"])
@pytest.mark.parametrize(
    ("file", "content", "changed"),
    [("docs/c.md", b"side", 5), ("docs/c.md", b"main", 6), ("a.md", b"main", 6)],
    ids=["same change", "other change", "other file"],
)
def test_side_branch_that_is_merged_late_gives_the_times_of_a_whole_walk(
    repository: GitRepository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    file: str,
    content: bytes,
    changed: int,
) -> None:
    """The fourth day's commit lies on the side, the fifth's on main; both are merged on the sixth."""
    repository.run("checkout", "--quiet", "-b", "side")
    repository.write("docs/c.md", b"side")
    repository.run("checkout", "--quiet", "main")
    repository.write(file, content)
    times(repository, path=path)
    repository.run("merge", "--quiet", "--strategy-option=ours", "-m", "merge", "side")
    repository.run("push", "--quiet", "origin", "main")
    found = times(repository, path=path)
    assert found["c.md" if path else "docs/c.md"].day == changed
    assert found == as_a_new_worker(repository, tmp_path, monkeypatch, path=path)


@pytest.mark.parametrize("path", ["", "docs"], ids=["whole", "below a folder"])
def test_merges_to_and_fro_give_the_times_of_a_whole_walk(
    repository: GitRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A change of the fourth day reaches the side by a merge on the fifth; main takes that merge on the sixth."""
    repository.run("branch", "side")
    repository.write("docs/c.md", b"two")
    times(repository, path=path)
    for branch, other in (("side", "main"), ("main", "side")):
        repository.run("checkout", "--quiet", branch)
        repository.run("merge", "--quiet", "--no-ff", "-m", "merge", other)
    repository.run("push", "--quiet", "origin", "main")
    found = times(repository, path=path)
    assert found["c.md" if path else "docs/c.md"].day == 5
    assert found == as_a_new_worker(repository, tmp_path, monkeypatch, path=path)


def test_history_that_was_written_again_is_walked_as_a_whole(
    repository: GitRepository, walked: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days(repository)
    repository.run("reset", "--quiet", "--hard", "HEAD~2")
    repository.write("b.md", b"again")
    assert days(repository) == {"a.md": 1, "b.md": 4}
    assert walked == [3, 2]
    assert times(repository) == as_a_new_worker(repository, tmp_path, monkeypatch)


def test_branches_and_folders_of_one_repository_are_remembered_apart(
    repository: GitRepository, walked: list[int]
) -> None:
    repository.run("push", "--quiet", "origin", "HEAD~1:refs/heads/old")
    for _ in range(2):
        assert days(repository) == {"a.md": 1, "b.md": 2, "docs/c.md": 3}
        assert days(repository, ref="old") == {"a.md": 1, "b.md": 2}
        assert days(repository, path="docs") == {"c.md": 3}
    assert walked == [3, 2, 3, 0, 0, 0]


def test_a_listing_that_broke_off_and_a_torn_file_are_not_trusted(
    repository: GitRepository, walked: list[int], tmp_path: Path
) -> None:
    next(Git(url=str(repository.bare)).open({}.__getitem__).list())
    assert days(repository)["a.md"] == 1
    (remembered,) = (tmp_path / "cache").rglob("liftgate-*.json")
    remembered.write_text(remembered.read_text()[:-9])
    assert days(repository)["a.md"] == 1
    assert walked == [3, 3, 3]


def test_what_cannot_be_written_down_is_said_and_fails_no_listing(
    repository: GitRepository, walked: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days(repository)
    (remembered,) = (tmp_path / "cache").rglob("liftgate-*.json")
    remembered.unlink()
    remembered.mkdir()  # nothing can be written in its place, as on a disk that is full
    for _ in range(2):
        assert days(repository) == {"a.md": 1, "b.md": 2, "docs/c.md": 3}
        (told,) = capsys.readouterr().out.splitlines()
        assert told.startswith("When files changed is not remembered")
    assert walked == [3, 3, 3]
    assert not list(remembered.parent.glob("tmp*")), "expected no half of a file to be left"
