"""Groups from where teams keep them. Which origins count is explicit, and one that is broken lets nobody read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from object_store import BUCKET, s3_server

from liftgate.config.reading import read_knowledge_base
from liftgate.errors import BrakeApplied, ConfigurationError, SourceError
from liftgate.sources import deciding
from liftgate.sources.changes import look, seen_by_runs
from liftgate.sources.kinds.folder import FolderReader


def front(groups: str) -> str:
    return f"---\ntitle: Leave\ngroups: {groups}\n---\n# Leave\n\nSixteen weeks.\n"


def listed(kb: Any) -> dict[str, list[str]]:
    """The groups of each document in a new listing, with access applied."""
    run = kb.start()
    rows = kb.query(
        "SELECT uri, groups FROM listed_documents WHERE serial = (SELECT max(serial) FROM listings WHERE run_id = %s)",
        run.run_id,
    )
    return {row["uri"]: row["groups"] for row in rows}


def use(kb: Any, *origins: str, default: tuple[str, ...] = ("staff",), **rules: list[str]) -> None:
    paths = [{"path": path.replace("_", "."), "groups": groups} for path, groups in rules.items()]
    kb.write_settings(access={"groups_from": list(origins), "default_groups": list(default), "rules": paths})


def test_what_a_document_says_counts_only_where_the_configuration_says_so(kb: Any, opened: list[str]) -> None:
    kb.write("leave.md", front("[everyone]"))
    kb.write("leave.md.access.yaml", "groups: [everyone]")
    use(kb, "rules")
    assert listed(kb)["leave.md"] == ["staff"]
    assert opened == []


def test_sidecar_decides_and_is_no_document(kb: Any) -> None:
    kb.write("leave.md.access.yaml", "groups: [hr, board, hr]\n")
    use(kb, "sidecar")
    assert listed(kb) == {"leave.md": ["board", "hr"], "travel.md": ["staff"]}


@pytest.mark.parametrize("ending", [".access.yml", ".ACCESS.yaml", ".Access.YML"])
def test_ending_of_a_sidecar_may_be_short_and_in_any_case(kb: Any, ending: str) -> None:
    kb.write(f"leave.md{ending}", "groups: [hr]\n")
    use(kb, "sidecar")
    assert listed(kb) == {"leave.md": ["hr"], "travel.md": ["staff"]}


def test_two_sidecars_of_a_document_let_nobody_read(kb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    kb.write("leave.md.access.yml", "groups: [hr]\n")
    kb.write("leave.md.access.yaml", "groups: [everyone]\n")
    use(kb, "sidecar")
    assert listed(kb) == {"leave.md": [], "travel.md": ["staff"]}
    assert "Nobody may read leave.md: Expected one sidecar" in capsys.readouterr().out


def test_a_sidecar_of_no_document_is_told(kb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    kb.write("leave.md.access.yaml", "groups: [hr]\n")
    kb.write("leave.access.yaml", "groups: [hr]\n")
    use(kb, "sidecar")
    listed(kb)
    assert "Sidecars of no listed document: 1, the first leave.access.yaml." in capsys.readouterr().out


def test_sidecars_are_found_whatever_is_included(kb: Any) -> None:
    kb.write("leave.md.access.yaml", "groups: [hr]\n")
    kb.ingest(source={"type": "folder", "path": "../documents", "include": ["*.md"]})
    use(kb, "sidecar")
    assert listed(kb)["leave.md"] == ["hr"]


@pytest.mark.parametrize(
    ("origins", "groups"),
    [
        (["rules", "sidecar", "front_matter"], ["by-rule"]),
        (["sidecar", "rules", "front_matter"], ["by-sidecar"]),
        (["front_matter", "sidecar", "rules"], ["by-itself"]),
    ],
)
def test_first_origin_that_says_something_decides(kb: Any, origins: list[str], groups: list[str]) -> None:
    kb.write("leave.md", front("[by-itself]"))
    kb.write("leave.md.access.yaml", "groups: [by-sidecar]")
    use(kb, *origins, leave_md=["by-rule"])
    assert listed(kb) == {"leave.md": groups, "travel.md": ["staff"]}


BROKEN = ["groups: hr", "groups:", "groups: [1]", "teams: [hr]", "groups: [", "- hr", "", b"\xff\xfe\x00", "x" * 70_000]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_sidecar_lets_nobody_read(kb: Any, content: str | bytes, capsys: pytest.CaptureFixture[str]) -> None:
    kb.write("leave.md.access.yaml", content)
    use(kb, "sidecar", default=("everyone",))
    assert listed(kb) == {"leave.md": [], "travel.md": ["everyone"]}
    assert "Nobody may read leave.md: " in capsys.readouterr().out


CLOSED, UNCLOSED = "---\n%s\n---\n# Leave", "---\ntitle: a\n%s\n# Leave"


@pytest.mark.parametrize(
    "document",
    [
        *(front(groups) for groups in ("hr", "[", "{a: b}")),
        *(CLOSED % said for said in ("Groups: [hr]", "'groups ': [hr]", "groups [hr]", "- groups: [hr]")),
        *(UNCLOSED % said for said in ("groups: [everyone]", " groups: [hr]", "groups : [hr]", "GROUPS: [hr]")),
        *(UNCLOSED % said for said in ('"groups": [hr]', "'groups': [hr]", "{groups: [hr]}", "? groups\n: [hr]")),
        "+++\ngroups = ['hr']\n+++\n# Leave",
        "<!-- a -->\n<!-- b -->\n" + CLOSED % "groups: [hr]",
        "----\ngroups: [hr]\n----\n# Leave",
    ],
)
def test_a_broken_front_matter_lets_nobody_read(kb: Any, document: str) -> None:
    kb.write("leave.md", document)
    use(kb, "front_matter", default=("everyone",))
    assert listed(kb) == {"leave.md": [], "travel.md": ["everyone"]}


def test_front_matter_may_say_nobody_and_may_say_nothing(kb: Any) -> None:
    kb.write("leave.md", front("[]"))
    kb.write("travel.md", "---\ntitle: Travel\n---\n# Travel\n")
    kb.write("notes.txt", front("[everyone]"))
    use(kb, "front_matter")
    assert listed(kb) == {"leave.md": [], "travel.md": ["staff"], "notes.txt": ["staff"]}


def test_each_version_is_asked_once(kb: Any, opened: list[str]) -> None:
    kb.write("leave.md", front("[hr]"))
    kb.write("travel.md.access.yaml", "groups: [hr]")
    use(kb, "sidecar", "front_matter")
    listed(kb)
    assert sorted(opened) == ["leave.md", "travel.md", "travel.md.access.yaml"]
    opened.clear()
    assert listed(kb) == {"leave.md": ["hr"], "travel.md": ["hr"]}
    assert opened == []
    kb.write("leave.md", front("[board]"))
    assert listed(kb)["leave.md"] == ["board"]
    assert opened == ["leave.md"]


def test_a_changed_sidecar_reaches_the_rows_at_once_without_opening_the_document(kb: Any, opened: list[str]) -> None:
    kb.write("leave.md.access.yaml", "groups: [hr, staff]")
    use(kb, "sidecar")
    kb.index()
    assert kb.groups("leave.md") == [["hr", "staff"]]
    opened.clear()
    kb.write("leave.md.access.yaml", "groups: [hr]")
    listed(kb)
    assert kb.groups("leave.md") == [["hr"]]
    assert opened == ["leave.md.access.yaml"]
    kb.write("leave.md.access.yaml", None)
    assert listed(kb)["leave.md"] == ["staff"]
    assert kb.query("SELECT uri FROM said_groups WHERE kb = %s", kb.name) == []


def test_a_document_too_large_to_be_asked_is_read_by_nobody_and_not_opened(kb: Any, opened: list[str]) -> None:
    kb.write("leave.md", front("[hr]") + "x" * 2000)
    kb.ingest(parsing={"max_document_bytes": 1000})
    use(kb, "front_matter")
    assert listed(kb)["leave.md"] == []
    assert "leave.md" not in opened


def test_a_changed_sidecar_is_news_to_a_watcher_and_a_listed_one_is_none(kb: Any) -> None:
    kb.write("leave.md.access.yaml", "groups: [hr]")
    kb.write("travel.md", front("[hr]"))
    use(kb, "sidecar", "front_matter")
    kb.index()
    config = read_knowledge_base(kb.file)
    with kb.runtime.database.transaction() as connection:
        known = seen_by_runs(connection, kb.name, ["documents"])
    assert look(config, kb.runtime.connections, ["documents"]) == known
    kb.write("leave.md.access.yaml", "groups: [board]")
    assert look(config, kb.runtime.connections, ["documents"]) != known


def fail(*_: object) -> Any:
    raise SourceError("Expected an answer, found none.")


def fail_to_read(monkeypatch: pytest.MonkeyPatch, *uris: str) -> list[str]:
    """Documents that cannot be read, and how often somebody tried."""
    real, tried = FolderReader.read, []

    def read(self: FolderReader, uri: str, version_hint: str) -> bytes:
        if uri not in uris:
            return real(self, uri, version_hint)
        tried.append(uri)
        return bytes(fail())

    monkeypatch.setattr(FolderReader, "read", read)
    return tried


def with_sidecars(kb: Any, leave: str, travel: str) -> None:
    kb.write("leave.md.access.yaml", f"groups: {leave}")
    kb.write("travel.md.access.yaml", f"groups: {travel}")


def test_a_sidecar_that_cannot_be_read_holds_up_no_other_revocation_and_no_run(kb: Any, monkeypatch: Any) -> None:
    with_sidecars(kb, "[hr, staff]", "[hr, staff]")
    use(kb, "sidecar")
    kb.index()
    with_sidecars(kb, "[everyone]", "[hr]")
    with monkeypatch.context() as broken:
        fail_to_read(broken, "leave.md.access.yaml")
        kb.index()
        assert [kb.groups(uri) for uri in ("leave.md", "travel.md")] == [[[]], [["hr"]]]
    kb.index()
    assert [kb.groups(uri) for uri in ("leave.md", "travel.md")] == [[["everyone"]], [["hr"]]]


def test_a_source_whose_failures_take_long_is_asked_no_further(kb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with_sidecars(kb, "[hr]", "[hr]")
    use(kb, "sidecar")
    monkeypatch.setattr(deciding, "LONGEST_FAILING_SECONDS", 0.0)
    tried = fail_to_read(monkeypatch, "leave.md.access.yaml", "travel.md.access.yaml")
    assert listed(kb) == {"leave.md": [], "travel.md": []}
    assert tried == ["leave.md.access.yaml"]


@pytest.mark.parametrize("sidecars", [1, 2])
def test_a_listing_that_broke_off_narrows_what_is_known_and_leaves_all_else_as_it_was(
    kb: Any, sidecars: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops after so many sidecars; without its sidecar travel.md would be read by everyone."""
    with_sidecars(kb, "[hr, staff]", "[hr, staff]")
    use(kb, "sidecar", default=("everyone", "hr"))
    kb.index()
    with_sidecars(kb, "[hr]", "[board, hr]")
    real = FolderReader.list

    def break_off(self: FolderReader) -> Iterator[Any]:
        yield from islice(real(self), {1: 3, 2: 4}[sidecars])
        fail()

    monkeypatch.setattr(FolderReader, "list", break_off)
    run = kb.start()
    assert kb.groups("leave.md") == [["hr"]]
    assert kb.groups("travel.md") == [["hr", "staff"] if sidecars == 1 else ["hr"]]
    with pytest.raises(BrakeApplied, match="broke off: Expected an answer"):
        kb.plan(run)
    assert len(kb.seen(1)) == 2


def test_tags_of_objects_are_asked_for_at_every_listing(kb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    with s3_server(monkeypatch) as (files, _):
        for name in ("leave.md", "travel.md", "open.md"):
            files.pipe(f"{BUCKET}/{name}", b"# Text\n\nSome text.\n")
        client = boto3.client("s3", region_name="us-east-1")

        def tag(name: str, value: str) -> None:
            tags = {"TagSet": [{"Key": "acl", "Value": value}]}
            client.put_object_tagging(Bucket=BUCKET, Key=name, Tagging=tags)

        tag("leave.md", "hr managers+board")
        tag("travel.md", "")
        kb.ingest(source={"type": "s3", "bucket": BUCKET, "groups_tag": "acl"})
        use(kb, "source")
        assert listed(kb) == {"leave.md": ["board", "hr managers"], "travel.md": [], "open.md": ["staff"]}
        tag("leave.md", "hr")
        assert listed(kb)["leave.md"] == ["hr"]


def test_metadata_of_objects_gives_groups(kb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    with s3_server(monkeypatch):
        client = boto3.client("s3", region_name="us-east-1")
        client.put_object(
            Bucket=BUCKET, Key="leave.md", Body=b"# Leave", Metadata={"Groups": "Domain Users,hr managers,"}
        )
        kb.ingest(source={"type": "s3", "bucket": BUCKET, "groups_metadata": "Groups"})
        use(kb, "sidecar", "source")
        assert listed(kb) == {"leave.md": ["Domain Users", "hr managers"]}


def test_rules_that_do_not_count_are_a_mistake(kb: Any) -> None:
    use(kb, "sidecar", leave_md=["hr"])
    with pytest.raises(ConfigurationError, match="groups_from does not name `rules`"):
        read_knowledge_base(kb.file)
