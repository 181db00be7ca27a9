"""What every index must do. A new backend joins by a line in BACKENDS and a branch in the fixture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest

from liftgate.config.embeddings import Embeddings
from liftgate.config.retrieval import Retrieval
from liftgate.config.retrieval import VectorIndex as VectorIndexBlock
from liftgate.errors import ConfigurationError
from liftgate.generations import PRESENT, new_collection
from liftgate.index import Chunk, VectorIndex
from liftgate.index.rows import Vector
from liftgate.runtime import Runtime
from liftgate.settings import Settings
from liftgate.sources.identity import Document

DIMS = 32
LEAVE, TRAVEL = Document("documents", "leave.md"), Document("documents", "travel.md")
_names = count(1)


class Backend(NamedTuple):
    provider: Any
    refusal: type[Exception]
    """With which it refuses a vector of other dimensions."""


BACKENDS = [Backend("pgvector", psycopg.errors.CheckViolation), Backend("weaviate", ConfigurationError)]
VECTOR, HYBRID, KEYWORD = (Retrieval(search=search) for search in ("vector", "hybrid", "keyword"))


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.provider)
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.param
    return found


@pytest.fixture
def runtime_of(backend: Backend, shared_runtime: Runtime, request: pytest.FixtureRequest) -> Runtime:
    """The shared runtime, with a Weaviate server where that is tested."""
    if backend.provider == "pgvector":
        return shared_runtime
    found = request.getfixturevalue("weaviate_settings")
    return Runtime(Settings.model_validate({**shared_runtime.settings.model_dump(), **found}))


@pytest.fixture
def another(backend: Backend, runtime_of: Runtime) -> Iterator[Callable[[], VectorIndex]]:
    """Makes an empty collection, which is gone after the test."""
    made_here: list[VectorIndex] = []
    with runtime_of.database.transaction() as connection:
        # So few rows PostgreSQL would rather scan and sort: what is tested is the approximate index.
        connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")

        def make() -> VectorIndex:
            block = VectorIndexBlock(provider=backend.provider)
            where = new_collection(connection, f"contract{next(_names)}", block, Embeddings(), "words", DIMS, 1)
            made = runtime_of.index_in(connection, where)
            made.ensure()
            made_here.append(made)
            return made

        yield make
        for made in made_here:
            if made.request_seconds:  # not part of the transaction
                made.drop()
        raise psycopg.Rollback


@pytest.fixture
def index(another: Callable[[], VectorIndex]) -> VectorIndex:
    """An empty collection."""
    return another()


def unit(seed: int) -> Vector:
    vector = np.random.default_rng(seed).standard_normal(DIMS).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def row(document: Document = LEAVE, ordinal: int = 0, added_in: int = 1, **values: Any) -> Chunk:
    made = Chunk(
        id=uuid4(),
        source=document.source,
        uri=document.uri,
        doc_id=document.uri,
        version="v1",
        ordinal=ordinal,
        section="Leave",
        text=f"{document.uri} {ordinal}",
        tokens=3,
        updated_at=datetime(2026, 1, 1, tzinfo=UTC),
        groups=("staff",),
        embedding=unit(ordinal),
        added_in=added_in,
    )
    return replace(made, **values)


def comparable(rows: Iterable[Chunk]) -> list[tuple[Any, ...]]:
    """Rows without their vectors, which an index may round."""
    return [tuple(value for name, value in vars(row).items() if name != "embedding") for row in rows]


def groups_of(index: VectorIndex, document: Document, generation: int = 1) -> list[tuple[str, ...]]:
    return [row.groups for row in index.rows(generation, document)]


def found(index: VectorIndex, vector: Vector, k: int = 10, generation: int = 1, groups: Any = ("staff",)) -> list[UUID]:
    return [hit.id for hit in index.search(vector, "", k, generation, groups, VECTOR)]


def test_rows_come_back_as_they_were_written_by_document_and_position(index: VectorIndex) -> None:
    rows = [row(ordinal=0), row(ordinal=1), row(TRAVEL)]
    index.upsert([rows[2], rows[1], rows[0]])
    back = list(index.rows(1))
    assert comparable(back) == comparable(rows)
    assert [one.removed_in for one in back] == [PRESENT] * 3
    np.testing.assert_allclose(back[1].embedding, rows[1].embedding, atol=1e-3)
    assert comparable(index.rows(1, TRAVEL)) == comparable(rows[2:])


def test_writing_a_row_twice_changes_nothing(index: VectorIndex) -> None:
    rows = [row(ordinal=0), row(ordinal=1)]
    index.upsert(rows)
    index.upsert(rows)
    assert comparable(index.rows(1)) == comparable(rows)


def test_writing_a_row_again_with_other_values_takes_them(index: VectorIndex) -> None:
    first = row()
    index.upsert([first])
    index.upsert([replace(first, text="other", groups=("board",), embedding=unit(7))])
    (back,) = index.rows(1)
    assert (back.text, back.groups) == ("other", ("board",))
    np.testing.assert_allclose(back.embedding, unit(7), atol=1e-3)


def test_writing_a_removed_row_again_does_not_bring_it_back(index: VectorIndex) -> None:
    first = row()
    index.upsert([first])
    index.mark_removed([first.id], 2)
    index.upsert([first])
    assert index.ids(2) == set()


def test_row_is_seen_from_the_generation_that_added_it_until_before_the_one_that_removed_it(index: VectorIndex) -> None:
    first = row(added_in=2)
    index.upsert([first])
    index.mark_removed([first.id], 4)
    seen = [generation for generation in range(1, 6) if index.ids(generation) == {first.id}]
    by_rows = [generation for generation in range(1, 6) if list(index.rows(generation))]
    by_search = [generation for generation in range(1, 6) if found(index, first.embedding, generation=generation)]
    assert seen == by_rows == by_search == [2, 3]


def test_only_rows_that_are_present_are_marked_as_removed(index: VectorIndex) -> None:
    first = row()
    index.upsert([first])
    index.mark_removed([first.id], 2)
    index.mark_removed([first.id, uuid4()], 5)
    assert [one.removed_in for one in index.rows(1)] == [2]


def test_only_rows_that_this_generation_removed_are_put_back(index: VectorIndex) -> None:
    old, new = row(ordinal=0), row(ordinal=1)
    index.upsert([old, new])
    index.mark_removed([old.id], 2)
    index.mark_removed([new.id], 3)
    index.put_back([old.id, new.id], 3)
    assert [one.removed_in for one in index.rows(1)] == [2, PRESENT]


def test_ids_added_in_a_generation_are_those_of_one_document(index: VectorIndex) -> None:
    old, new, other = row(added_in=1), row(added_in=2), row(TRAVEL, added_in=2)
    index.upsert([old, new, other])
    assert index.added([LEAVE], 2) == {new.id}
    assert index.added([Document("elsewhere", LEAVE.uri)], 2) == set()


def test_deleted_rows_are_gone_and_unknown_ids_are_no_error(index: VectorIndex) -> None:
    first, second = row(ordinal=0), row(ordinal=1)
    index.upsert([first, second])
    index.delete([first.id, uuid4()])
    assert index.ids(1) == {second.id}


def test_empty_calls_and_an_empty_index_are_no_error(index: VectorIndex) -> None:
    index.upsert([])
    index.mark_removed([], 1)
    index.put_back([], 1)
    index.delete([])
    assert (index.ids(1), list(index.rows(1)), found(index, unit(1)), index.prune([1])) == (set(), [], [], 0)


def test_groups_of_a_document_only_become_fewer(index: VectorIndex) -> None:
    index.upsert([row(groups=("board", "staff")), row(TRAVEL, groups=("board", "staff"))])
    index.set_groups(LEAVE, ["guests", "staff"])
    assert groups_of(index, LEAVE) == [("staff",)]
    assert groups_of(index, TRAVEL) == [("board", "staff")]
    index.set_groups(LEAVE, ["board", "staff"])
    assert groups_of(index, LEAVE) == [("staff",)]
    index.set_groups(LEAVE, [])
    assert groups_of(index, LEAVE) == [()]


def test_rows_of_the_known_version_get_exactly_the_groups(index: VectorIndex) -> None:
    index.upsert([row(ordinal=0, groups=("staff",)), row(ordinal=1, version="v2", groups=("staff",))])
    index.set_groups(LEAVE, ["board", "staff"], version="v2")
    assert groups_of(index, LEAVE) == [("staff",), ("board", "staff")]


def test_groups_are_set_on_rows_of_every_generation(index: VectorIndex) -> None:
    old, new = row(ordinal=0), row(ordinal=1, added_in=2)
    index.upsert([old, new])
    index.mark_removed([old.id], 2)
    index.set_groups(LEAVE, ["board"])
    assert (groups_of(index, LEAVE, 1), groups_of(index, LEAVE, 2)) == ([()], [()])


def test_documents_that_more_than_the_allowed_groups_may_read_are_named(index: VectorIndex) -> None:
    index.upsert([row(groups=("board", "staff")), row(TRAVEL, groups=("staff",)), row(TRAVEL, ordinal=1, groups=())])
    assert index.wider_than({LEAVE: ["staff"], TRAVEL: ["staff"]}) == {LEAVE}
    assert index.wider_than({LEAVE: ["board", "guests", "staff"], TRAVEL: []}) == {TRAVEL}
    assert index.wider_than({}) == set()


def test_nearest_rows_come_first_with_their_cosine(index: VectorIndex) -> None:
    rows = [row(ordinal=number) for number in range(20)]
    index.upsert(rows)
    wanted = sorted(rows, key=lambda one: -float(one.embedding @ unit(99)))[:5]
    hits = index.search(unit(99), "", 5, 1, ["staff"], VECTOR)
    assert [hit.id for hit in hits] == [one.id for one in wanted]
    np.testing.assert_allclose([hit.score for hit in hits], [one.embedding @ unit(99) for one in wanted], atol=2e-3)
    assert (hits[0].doc_id, hits[0].section, hits[0].text) == (LEAVE.uri, "Leave", wanted[0].text)


def test_search_shows_a_row_to_whoever_has_one_of_its_groups(index: VectorIndex) -> None:
    staff, board, both, nobody = (
        row(ordinal=number, groups=groups)
        for number, groups in enumerate([("staff",), ("board",), ("board", "staff"), ()])
    )
    index.upsert([staff, board, both, nobody])
    assert set(found(index, unit(1), groups=["staff"])) == {staff.id, both.id}
    assert set(found(index, unit(1), groups=["board", "guests"])) == {board.id, both.id}
    assert found(index, unit(1), groups=["guests"]) == []
    assert found(index, unit(1), groups=[]) == []


def test_texts_are_given_to_whoever_has_one_of_their_groups(index: VectorIndex) -> None:
    staff, board = row(ordinal=0, groups=("staff",)), row(ordinal=1, groups=("board",))
    index.upsert([staff, board])
    index.mark_removed([staff.id], 2)
    assert index.texts([staff.id, board.id, uuid4()], ["staff", "guests"]) == {staff.id: staff.text}
    assert index.texts([staff.id, board.id], []) == {}
    assert index.texts([], ["staff"]) == {}


def test_unicode_and_very_long_text_come_back_unchanged(index: VectorIndex) -> None:
    uri = Document("dökumente", "日本/休暇 'quoted' \"%s\" {}.md")
    text = "Ünïcödé 休暇 👩‍👩‍👧 \u202eright to left\n\ttab \\ ' \" % :name " + "x" * 1_000_000
    index.upsert([row(uri, text=text, section="§ 1 › «a»", groups=("büro, 'a'", "{b}"))])
    (back,) = index.rows(1, uri)
    assert (back.text, back.section, back.uri) == (text, "§ 1 › «a»", uri.uri)
    assert found(index, unit(0), groups=["büro, 'a'"]) == found(index, unit(0), groups=["{b}"]) == [back.id]
    index.set_groups(uri, ["{b}"])
    assert groups_of(index, uri) == [("{b}",)]


def test_vector_of_other_dimensions_is_refused(index: VectorIndex, backend: Backend) -> None:
    with pytest.raises(backend.refusal):
        index.upsert([row(embedding=np.ones(DIMS + 1, dtype=np.float32))])


def test_prune_deletes_the_rows_that_no_kept_generation_sees(index: VectorIndex) -> None:
    kept, ended, later = row(ordinal=0), row(ordinal=1), row(ordinal=2, added_in=3)
    index.upsert([kept, ended, later])
    index.mark_removed([ended.id], 2)
    assert index.prune([1, 2, 3]) == 0
    assert index.prune([2]) == 2
    assert index.ids(1) == index.ids(3) == {kept.id}


def test_collections_do_not_see_each_other(index: VectorIndex, another: Callable[[], VectorIndex]) -> None:
    first, other = row(), another()
    index.upsert([first])
    other.upsert([first])
    other.set_groups(LEAVE, ["board"])
    assert found(other, unit(0)) == []
    other.delete([first.id])
    assert groups_of(index, LEAVE) == [("staff",)]
    assert found(index, unit(0)) == [first.id]


def test_ensure_twice_and_drop_of_what_is_gone_are_no_error(index: VectorIndex) -> None:
    index.ensure()
    index.drop()
    index.drop()
    index.ensure()
    assert index.ids(1) == set()


def test_small_group_and_new_generation_get_k_hits_as_an_exact_search_does(index: VectorIndex) -> None:
    """A group that owns 0.5 % of the rows: an approximate search that filters afterwards would find next to nothing."""
    rows = [row(ordinal=number, groups=("rare",) if number % 200 == 0 else ("staff",)) for number in range(3000)]
    rows += [row(TRAVEL, ordinal=5000 + number, added_in=2, groups=("rare",)) for number in range(20)]
    index.upsert(rows)
    agreed = []
    for number in range(10):
        question = unit(10_000 + number)
        visible = [one for one in rows if "rare" in one.groups and one.added_in <= 1]
        exact = sorted(visible, key=lambda one: -float(one.embedding @ question))[:8]
        hits = found(index, question, k=8, groups=["rare"])
        assert len(hits) == 8
        agreed.append(len(set(hits) & {one.id for one in exact}) / 8)
    assert np.mean(agreed) >= 0.9
