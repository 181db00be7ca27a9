"""Whatever lies in a folder: each thing that cannot be indexed is quarantined with its reason, the rest is indexed."""

from __future__ import annotations

import io
import os
import threading
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from fpdf import FPDF

from liftgate.errors import DocumentChanged, DocumentUnreadable
from liftgate.sources.kinds.folder import FolderReader

GIB = 1 << 30


def quarantined(kb: Any) -> dict[str, str]:
    return {row["uri"]: row["reason"] for row in kb.query("SELECT uri, reason FROM quarantine WHERE kb = %s", kb.name)}


def locked_pdf() -> bytes:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("helvetica", size=12)
    pdf.cell(text="Sixteen weeks")
    pdf.set_encryption(owner_password="owner", user_password="user")
    return bytes(pdf.output())


def pdf_of(stream: bytes) -> bytes:
    """One page whose content is that packed stream."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj%s endobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Root 1 0 R/Size 6>>\nstartxref\n%d\n%%%%EOF" % len(body)
    return body + b"xref\n0 6\n0000000000 65535 f \n" + table + end


def packed_zeros(size: int) -> bytes:
    packing = zlib.compressobj(1)
    block = bytes(1 << 20)
    return b"".join(packing.compress(block) for _ in range(size >> 20)) + packing.flush()


def docx_bomb() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", bytes(50 << 20))
    return data.getvalue()


@pytest.mark.slow
def test_every_bad_file_is_quarantined_with_its_reason_and_the_others_are_indexed(kb: Any) -> None:
    bad = {
        "locked.pdf": (locked_pdf(), "without a password"),
        "broken.pdf": (b"%PDF-1.7\n" + os.urandom(2000), "sound PDF|without any|Expected text"),
        "page.pdf": (b"<html><body><p>Not found</p></body></html>", "sound PDF"),
        "bomb.pdf": (pdf_of(packed_zeros(GIB // 4)), "sound PDF"),
        "bomb.docx": (docx_bomb(), "wordprocessingml"),
        "picture.md": (b"\x89PNG\r\n\x1a\n" + os.urandom(500), "UTF-8"),
        "zeros.txt": (bytes(500), "bytes of zero"),
        "empty.md": (b"", "found none"),
        "deep.html": (b"<div>" * 50_000 + b"deep", "deep.html"),
        "unknown": (b"text", "unknown"),
    }
    for name, (data, _) in bad.items():
        kb.write(name, data)
    kb.write("really-a.txt", pdf_of(zlib.compress(b"BT /F1 12 Tf (hello) Tj ET")))
    kb.index()
    found = quarantined(kb)
    for name, (_, reason) in bad.items():
        assert any(part in found.get(name, "none") for part in reason.split("|")), (name, found.get(name))
    assert {row["uri"] for row in kb.chunks()} == {"leave.md", "travel.md", "really-a.txt"}


def test_a_file_of_5_gigabytes_is_quarantined_without_being_opened(kb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    read = FolderReader.read
    monkeypatch.setattr(FolderReader, "read", lambda self, uri, hint: opened.append(uri) or read(self, uri, hint))
    with (kb.documents / "export.md").open("wb") as file:
        file.truncate(5 * GIB)
    kb.index()
    assert sorted(opened) == ["leave.md", "travel.md"]
    assert f"found {5 * GIB}" in quarantined(kb)["export.md"]


def test_links_that_leave_the_folder_lead_nowhere_or_in_circles_are_never_followed(kb: Any) -> None:
    secret = kb.folder / "secret.md"
    secret.write_text("# Secret\n\nNot for the index.\n")
    (kb.folder / "elsewhere").mkdir()
    (kb.folder / "elsewhere" / "a.md").write_text("# Elsewhere")
    for name, target in {
        "out.md": secret,
        "nowhere.md": kb.folder / "none.md",
        "itself.md": kb.documents / "itself.md",
        "circle": kb.documents,
        "elsewhere": kb.folder / "elsewhere",
        "inside.md": kb.documents / "leave.md",
    }.items():
        (kb.documents / name).symlink_to(target)
    os.mkfifo(kb.documents / "pipe.md")
    kb.index()
    assert set(quarantined(kb)) == {"out.md", "nowhere.md", "itself.md", "circle", "elsewhere", "pipe.md"}
    assert all("found a link" in reason for reason in quarantined(kb).values())
    assert {row["uri"] for row in kb.chunks()} == {"leave.md", "travel.md", "inside.md"}


def test_a_file_that_becomes_a_link_after_it_was_listed_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.md").write_text("public")
    reader = FolderReader(str(folder))
    (listed,) = reader.list()
    (folder / "a.md").unlink()
    (folder / "a.md").symlink_to(tmp_path / "secret.md")
    for uri in ("a.md", "../secret.md"):
        with pytest.raises(DocumentUnreadable, match="found a link"):
            reader.read(uri, listed.version_hint)


def test_names_in_any_script_are_documents_and_bytes_that_are_no_text_are_quarantined(kb: Any) -> None:
    names = ["人事/休暇 #1?.md", "إجازة.md", "отпуск & 100%.md", "🏖.md", "e\u0301.md", "é.md", "a'b\"c\\d.md", "%s.md"]
    for name in names:
        kb.write(name, "# Leave\n\nSixteen weeks.\n")
    (kb.documents / os.fsdecode(b"caf\xe9.md")).write_text("# Latin\n")
    kb.index()
    assert {row["uri"] for row in kb.chunks()} == {"leave.md", "travel.md", *names}
    assert len({row["doc_id"] for row in kb.chunks()}) == len(names) + 2
    assert quarantined(kb).keys() == {"caf\\xe9.md"}
    assert "Rename the file" in quarantined(kb)["caf\\xe9.md"]


def test_a_file_that_grows_while_it_is_read_waits_for_the_next_run(kb: Any) -> None:
    reader = FolderReader(str(kb.documents))
    listed = {entry.uri: entry for entry in reader.list()}["leave.md"]
    stop = threading.Event()

    def grow() -> None:
        while not stop.is_set():
            with (kb.documents / "leave.md").open("ab") as file:
                file.write(b"more ")

    writer = threading.Thread(target=grow)
    writer.start()
    changed = 0
    try:
        while changed < 100:
            try:
                assert len(reader.read("leave.md", listed.version_hint)) == listed.size_bytes
            except DocumentChanged:
                changed += 1
    finally:
        stop.set()
        writer.join()


def test_a_document_deleted_after_it_was_listed_keeps_its_rows(kb: Any) -> None:
    kb.index()
    kb.write("leave.md", "# Leave\n\nTwenty weeks.\n")
    run = kb.start()
    batches = kb.plan(run)
    (kb.documents / "leave.md").unlink()
    kb.finish(run, batches)
    assert "found that it is gone" in quarantined(kb)["leave.md"]
    assert kb.seen(2) == kb.seen(1)
