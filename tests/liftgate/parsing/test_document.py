import pytest

from liftgate.config.parsing import Parsing
from liftgate.errors import DocumentUnreadable
from liftgate.parsing import fingerprint, parse
from liftgate.parsing.document import mime_type

ALL = Parsing()


def test_first_bytes_of_a_pdf_win_over_the_suffix():
    assert mime_type(b"%PDF-1.7\n", "scan.txt") == "application/pdf"
    assert mime_type(b"# Leave", "hr/leave.MD") == "text/markdown"


@pytest.mark.parametrize("uri", ["plan.docx", "no-suffix", "photo.png"])
def test_type_that_is_not_allowed_is_refused_with_what_was_found(uri):
    with pytest.raises(DocumentUnreadable, match=r"Expected .* found .*allowed_mime_types"):
        parse(b"words", uri, ALL)


def test_type_left_out_of_the_configuration_is_refused():
    with pytest.raises(DocumentUnreadable, match="text/markdown"):
        parse(b"# Leave", "leave.md", Parsing(allowed_mime_types=("text/plain",)))


def test_document_over_the_size_limit_is_refused():
    with pytest.raises(DocumentUnreadable, match="at most 10 bytes, found 11"):
        parse(b"x" * 11, "a.txt", Parsing(max_document_bytes=10))


@pytest.mark.parametrize("data", [b"", b"  \n\n", b"caf\xe9", b"a\0b"])
def test_text_that_is_empty_or_no_text_is_refused(data):
    for uri in ("a.txt", "a.md"):
        with pytest.raises(DocumentUnreadable, match="Expected"):
            parse(data, uri, ALL)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_byte_order_marks_are_heeded_and_gone(encoding):
    assert parse("Café\r\n".encode(encoding), "a.txt", ALL)[0].text == "Café"


def test_fingerprint_follows_settings_and_not_their_order():
    two = Parsing(allowed_mime_types=("text/plain", "text/markdown"))
    assert fingerprint(two) == fingerprint(Parsing(allowed_mime_types=("text/markdown", "text/plain")))
    assert fingerprint(two) != fingerprint(ALL)


def test_parser_version_is_part_of_the_fingerprint(monkeypatch):
    before = fingerprint(ALL)
    monkeypatch.setattr("liftgate.parsing.document.PARSER_VERSION", 99)
    assert fingerprint(ALL) != before
