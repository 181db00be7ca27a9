"""What documents and sidecars say, read by themselves."""

from __future__ import annotations

import pytest

from liftgate.sources.words import Words, words_of_document, words_of_sidecar


@pytest.mark.parametrize(
    "said", ["groups: s3cret", "groups: [\n  s3cret: {", "s3cret", "a: s3cret: b", "? [s3cret]\n: a"]
)
def test_what_is_broken_is_told_without_its_text(said: str) -> None:
    problem = words_of_document(f"---\n{said}\n---\n# Leave".encode(), "leave.md").problem
    assert problem
    assert "s3cret" not in problem


@pytest.mark.parametrize("begin", ["--- \n", "\n---\n", "\ufeff---\r\n", "---\t\n", "---\n\n"])
def test_front_matter_speaks_however_its_lines_of_dashes_are_written(begin: str) -> None:
    assert words_of_document(f"{begin}groups: [hr]\n--- \n# Leave".encode(), "leave.md") == Words(("hr",))


@pytest.mark.parametrize(
    "document",
    [
        *("", "# Our groups: all\n", "---\n---\n# Leave", "---\n\n---\n", "---\n\n# Leave"),
        "<!-- a -->\n---\ntitle: a\n---\n# Leave\n\nGroups: all\n",
        "---" + "\n" * 300_000,
    ],
    ids=len,
)
def test_a_document_without_groups_says_nothing(document: str) -> None:
    assert words_of_document(document.encode(), "leave.md") == Words()


def test_a_yaml_bomb_says_nothing_that_anybody_could_read() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{n}: &{n} [*{p}, *{p}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True))
    assert words_of_sidecar(f"{bomb}groups: *i\n".encode(), "bomb").problem
    assert words_of_document(b"---\n" + b"[" * 50_000 + b"\ngroups: x\n---\n", "deep.md").problem
    assert words_of_sidecar(b"groups: [hr]", "a") == Words(("hr",))
