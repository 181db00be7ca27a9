from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from liftgate.config.access import Access, AccessRule
from liftgate.errors import DocumentChanged, SourceError
from liftgate.sources import doc_id
from liftgate.sources.connections import connection_from_environment
from liftgate.sources.kinds.folder import Folder
from liftgate.sources.patterns import path_pattern
from liftgate.sources.reading import LINK
from liftgate.sources.source import Source


def folder(path: Path, *, rules: tuple[AccessRule, ...] = (), include: tuple[str, ...] = ("**/*",)) -> Source:
    return Source(
        Folder(path=str(path), include=include),
        Access(rules=rules, default_groups=("staff",)),
        connection_from_environment,
    )


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("glob", "matches", "does_not"),
    [
        ("finance/**", "finance/2025/budget.md", "hr/finance.md"),
        ("*.md", "a.md", "hr/a.md"),
        ("**/*.md", "a.md", "a.mdx"),
        ("**/pay/*.md", "hr/pay/may.md", "hr/pay/2025/may.md"),
        ("hr/pay-202?.md", "hr/pay-2025.md", "hr/pay-20251.md"),
        ("a+b.md", "a+b.md", "aab.md"),
    ],
)
def test_path_patterns_cross_folders_only_with_two_stars(glob: str, matches: str, does_not: str) -> None:
    assert path_pattern(glob).match(matches)
    assert not path_pattern(glob).match(does_not)


def test_documents_are_listed_by_path_with_size_and_time_and_never_opened(tmp_path: Path) -> None:
    write(tmp_path / "b.md", "four")
    write(tmp_path / "a" / "ä b.md", "sixteen").chmod(0)
    first, second = folder(tmp_path).list()
    assert [first.uri, second.uri] == ["a/ä b.md", "b.md"]
    assert (first.size_bytes, second.size_bytes) == (7, 4)
    changed = datetime.fromtimestamp((tmp_path / "b.md").stat().st_mtime, tz=UTC)
    assert second.updated_at == changed


def test_only_included_paths_are_listed(tmp_path: Path) -> None:
    for name in ("a.md", "hr/b.md", "hr/c.docx", "d.txt"):
        write(tmp_path / name, "x")
    found = [listed.uri for listed in folder(tmp_path, include=("**/*.md", "d.*")).list()]
    assert found == ["a.md", "d.txt", "hr/b.md"]


def test_first_rule_that_matches_gives_the_groups_and_no_rule_the_default(tmp_path: Path) -> None:
    for name in ("hr/pay/all.md", "hr/a.md", "b.md", "draft.md"):
        write(tmp_path / name, "x")
    rules = (
        AccessRule(path="hr/pay/**", groups=("payroll", "board", "payroll")),
        AccessRule(path="hr/**", groups=("hr",)),
        AccessRule(path="draft.md", groups=()),
    )
    found = {listed.uri: listed.groups for listed in folder(tmp_path, rules=rules).list()}
    assert found == {"hr/pay/all.md": ("board", "payroll"), "hr/a.md": ("hr",), "b.md": ("staff",), "draft.md": ()}


def test_version_hint_changes_with_time_or_size_and_not_with_the_path(tmp_path: Path) -> None:
    path = write(tmp_path / "a.md", "one")
    (before,) = folder(tmp_path).list()
    path.rename(tmp_path / "b.md")
    (moved,) = folder(tmp_path).list()
    write(tmp_path / "b.md", "three")
    (edited,) = folder(tmp_path).list()
    assert before.version_hint == moved.version_hint != edited.version_hint


def test_document_is_read_only_in_the_version_that_was_listed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.md", "one")
    source = folder(tmp_path)
    (listed,) = source.list()
    assert source.read("a.md", listed.version_hint) == b"one"
    write(path, "three")
    with pytest.raises(DocumentChanged, match=r"a\.md, found"):
        source.read("a.md", listed.version_hint)
    path.unlink()
    with pytest.raises(DocumentChanged, match="gone"):
        source.read("a.md", listed.version_hint)


def test_folder_that_is_not_there_is_an_error_and_not_an_empty_listing(tmp_path: Path) -> None:
    source = folder(tmp_path / "unmounted")
    with pytest.raises(SourceError, match="unmounted.*Check its address, path"):
        list(source.list())


def test_folders_that_link_to_each_other_are_followed_once(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        write(tmp_path / one / f"{one}.md", "text")
        (tmp_path / one / f"see_{other}").symlink_to(f"../{other}")
    found = {listed.uri: listed.version_hint == LINK for listed in folder(tmp_path).list()}
    files = ("a/a.md", "a/see_b/b.md", "b/b.md", "b/see_a/a.md")
    assert found == dict.fromkeys(files, False) | {"a/see_b/see_a": True, "b/see_a/see_b": True}


def test_links_between_folders_list_each_file_once_for_every_folder(tmp_path: Path) -> None:
    names = "abcdefg"
    for one in names:
        write(tmp_path / one / "text.md", "text")
        for other in set(names) - {one}:
            (tmp_path / one / f"see_{other}").symlink_to(f"../{other}")
    (tmp_path / "a" / "alias.md").symlink_to("../b/text.md")
    found = [listed.uri for listed in folder(tmp_path).list() if listed.version_hint != LINK]
    assert len(found) == len(set(found)) == len(names) ** 2 + len(names)
    assert {"a/alias.md", "b/see_a/alias.md"} <= set(found)


def test_empty_folder_lists_nothing(tmp_path: Path) -> None:
    assert list(folder(tmp_path).list()) == []


def test_citation_id_has_only_letters_digits_dot_underscore_and_dash() -> None:
    assert doc_id("hr/leave/parental leave (2025).md", "kb-") == "kb-hr.leave.parental-leave--2025-.md"


def test_citation_ids_of_names_in_other_scripts_are_told_apart() -> None:
    names = ["人事/休暇.md", "人事/給与.md", "إجازة.md", "дача.md", "дети.md"]
    assert len({doc_id(name) for name in names}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", doc_id(name)) for name in names)
