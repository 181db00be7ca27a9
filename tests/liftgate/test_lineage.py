"""Data sets in and out, by OpenLineage's names."""

from __future__ import annotations

from typing import Any

from trained_adapter import registered

from liftgate.config.sources import DataSet
from liftgate.lineage import of_adapter, of_generation, of_tuning_set
from liftgate.sources.kinds.http import Http
from liftgate.sources.kinds.s3 import S3


def index_of(judged: Any) -> str:
    return str(judged.query("SELECT name FROM collections")[0]["name"])


def test_a_generation_comes_from_the_sources_and_lies_in_its_collection(small: Any) -> None:
    run = small.index()
    told = of_generation(small.runtime, run, None)
    assert told.inputs == (DataSet("file", str(small.documents)),)
    (out,) = told.outputs
    assert out.namespace.startswith("postgres://")
    database = small.runtime.settings.database_url.partition("?")[0].rpartition("/")[2]
    assert out.name == f"{database}.public.{index_of(small)}"


def test_an_adapter_comes_from_a_tuning_set_and_that_from_examples_and_the_live_index(judged: Any) -> None:
    run, digest, candidate = registered(judged)
    with judged.runtime.database.transaction() as connection:
        connection.execute("UPDATE tuning_sets SET uri = 's3://llm/sets/one.jsonl'")
    tuning_set = DataSet("s3://llm", "sets/one.jsonl")
    told = of_tuning_set(judged.runtime, run, digest)
    assert told.outputs == (tuning_set,)
    examples, index = told.inputs
    assert examples == DataSet("file", str(judged.folder / "examples.jsonl"))
    assert index.name.endswith(f".public.{index_of(judged)}")
    told = of_adapter(judged.runtime, run, candidate)
    assert told.inputs == (tuning_set,)
    assert told.outputs == (DataSet("file", judged.release(candidate).makeup.adapter.uri),)


def test_a_source_is_named_by_its_place_where_openlineage_has_a_name_for_it() -> None:
    assert S3(type="s3", bucket="kb", prefix="policies/").data_set() == DataSet("s3://kb", "policies/")
    assert S3(type="s3", bucket="kb").data_set() == DataSet("s3://kb", "/")
    assert Http(type="http", name="site", sitemap="https://example.com/s.xml").data_set() == DataSet("http", "site")
