"""For the tests of a team's own parts: what every kind of source has to hold, in one call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice

from liftgate.config.access import Access
from liftgate.config.parsing import Parsing
from liftgate.config.sources import SourceBlock
from liftgate.errors import ConfigurationError, DocumentChanged, DocumentUnreadable, KindFaulty, SourceError
from liftgate.parsing.document import mime_type
from liftgate.sources.connections import Connection, Connections, connection_from_environment
from liftgate.sources.identity import Listed
from liftgate.sources.source import Source

READ_AT_MOST = 20
Write = Callable[[str, bytes | None], None]
"""Put a document into the source under that name, or (None) delete it."""


def source_contract(
    block: SourceBlock, connections: Connections = connection_from_environment, *, write: Write | None = None
) -> None:
    """Assert that a kind lists and reads as Liftgate needs it. The source holds some documents.

    Given `write`, also that a change, an addition and a deletion show as such; it ends as it was.

    Example: source_contract(Wiki(url=server.url), write=server.put)
    """
    _opens_without_a_server(block)
    _survives_being_stored(block)
    reader = Source(block, Access(default_groups=()), connections)
    found = _lists_soundly(reader)
    _looks_as_it_lists(reader, found)
    read = dict(filter(None, (_reads_what_was_listed(reader, one) for one in islice(found.values(), READ_AT_MOST))))
    _has_something_to_parse(read)
    _refuses_what_was_not_listed(reader, next(iter(found.values())))
    if write:
        _shows_changes(reader, found, write)


def _opens_without_a_server(block: SourceBlock) -> None:
    """DAG files and the doctor make sources that they never use."""

    def nobody(conn_id: str) -> Connection:
        raise ConfigurationError(f"{conn_id} was asked for before the source was used")

    block.open(nobody)


def _survives_being_stored(block: SourceBlock) -> None:
    """The configuration of a run is stored as JSON, and read by other processes."""
    stored = type(block).model_validate_json(block.model_dump_json())
    assert stored == block, f"expected the settings to survive JSON, found {stored} for {block}"


def _lists_soundly(reader: Source) -> dict[str, Listed]:
    entries = list(reader.list())
    found = {listed.uri: listed for listed in entries}
    assert entries, f"expected some documents in the source {reader.called} to try it with, found none"
    twice = sorted(uri for uri, times in Counter(listed.uri for listed in entries).items() if times > 1)
    assert not twice, f"expected every uri once, found twice: {', '.join(twice)}"
    for listed in entries:
        assert listed.uri, "expected every document to have a uri"
        assert listed.uri.isprintable(), f"expected a uri of printable characters, found {listed.uri!r}"
        assert listed.version_hint, f"expected a version hint for {listed.uri}, found none"
        assert listed.size_bytes >= 0, f"expected 0 where a size is unknown, found {listed.size_bytes}"
        assert listed.updated_at.tzinfo, f"expected updated_at of {listed.uri} with a time zone, found none"
    again = {listed.uri: listed for listed in reader.list()}
    assert again == found, "expected the same listing twice of a source that did not change"
    return found


def _looks_as_it_lists(reader: Source, found: dict[str, Listed]) -> None:
    some = set(islice(found, READ_AT_MOST))
    looked = {entry.listed.uri: entry.listed for entry in reader.entries({*some, "no-such-document.md"})}
    assert looked == {uri: found[uri] for uri in some}, "expected named documents as they are listed, and no others"


def _reads_what_was_listed(reader: Source, listed: Listed) -> tuple[str, bytes] | None:
    try:
        data = reader.read(listed.uri, listed.version_hint)
    except DocumentUnreadable:  # refused for good, with a reason: it is quarantined
        return None
    except DocumentChanged as error:
        raise AssertionError(
            f"expected version {listed.version_hint} of {listed.uri} as it was just listed, found: {error} If somebody "
            "changed it meanwhile, run this again; otherwise list and read tell versions differently"
        ) from error
    sizes = (0, len(data))
    assert listed.size_bytes in sizes, f"expected {len(data)} bytes listed of {listed.uri}, found {listed.size_bytes}"
    return listed.uri, data


def _has_something_to_parse(read: dict[str, bytes]) -> None:
    types = {uri: mime_type(data, uri) for uri, data in read.items()}
    assert not types or set(types.values()) & set(Parsing().allowed_mime_types), (
        f"expected a suffix that says how to parse a document (.md, .html, .pdf, .txt), found none: {types}"
    )


def _refuses_what_was_not_listed(reader: Source, listed: Listed) -> None:
    assert _read(reader, listed.uri, "no-such-version") is None, "expected a version that was never there to be refused"
    assert _read(reader, listed.uri + "-no-such-document", "no-such-version") is None, "expected no such document"


def _shows_changes(reader: Source, before: dict[str, Listed], write: Write) -> None:
    name = "contract-test.md"
    write(name, b"one")
    (added,) = _difference(reader, before)
    assert _read(reader, added.uri, added.version_hint) == b"one", "expected the bytes that were written"
    write(name, b"three")
    (changed,) = _difference(reader, before)
    assert changed.uri == added.uri, "expected a change to keep the uri"
    assert changed.version_hint != added.version_hint, "expected another version hint after a change, found the same"
    old = _read(reader, added.uri, added.version_hint)
    assert old in (None, b"one"), "expected the listed version or DocumentChanged, found another version"
    assert _read(reader, changed.uri, changed.version_hint) == b"three", "expected the new bytes"
    write(name, None)
    assert not _difference(reader, before), "expected a deleted document not to be listed"
    assert _read(reader, changed.uri, changed.version_hint) in (None, b"three"), "expected it to be gone"


def _difference(reader: Source, before: dict[str, Listed]) -> list[Listed]:
    """What is listed now and was not before. Everything else is as it was."""
    now = {listed.uri: listed for listed in reader.list()}
    kept = {uri: listed.version_hint for uri, listed in now.items() if uri in before}
    assert kept == {uri: listed.version_hint for uri, listed in before.items()}, (
        "expected the other documents to keep their version hints when one changes"
    )
    return [listed for uri, listed in now.items() if uri not in before]


def _read(reader: Source, uri: str, version_hint: str) -> bytes | None:
    """None where it is refused. Code that fails over what is not there does not refuse it: that is told as it is."""
    try:
        return reader.read(uri, version_hint)
    except KindFaulty:
        raise
    except (SourceError, DocumentUnreadable):
        return None
