"""A running canary on the page of its knowledge base, and its judgement on that of its release."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from canaries import ended, new_index, reported, started, whole_canary
from databases import Databases
from judged_knowledge_base import JudgedKnowledgeBase
from psycopg.conninfo import conninfo_to_dict

from liftgate.releases.serving import Serving, serving
from liftgate.runtime import Runtime
from liftgate_airflow.pages import live

pytestmark = pytest.mark.slow


@pytest.fixture
def tried(
    get: Any, told: JudgedKnowledgeBase, databases: Databases, migrated: str, tmp_path: Path
) -> Iterator[JudgedKnowledgeBase]:
    """Another knowledge base `small`, with a canary, in front of which the API server stands now."""
    settings = told.runtime.settings.model_copy(update={"database_url": databases.make("canary_page", migrated)})
    made = JudgedKnowledgeBase(Runtime(settings), tmp_path / "small")
    started(made)
    reported(made, canary=0.9, live=0.9, readers=100)
    at = conninfo_to_dict(settings.database_url)
    connection = {"conn_type": "postgres", "host": at["host"], "login": at["user"], "schema": "canary_page"}
    with pytest.MonkeyPatch.context() as patch:
        extra = {"files_url": "/files"}
        patch.setenv("AIRFLOW_CONN_LIFTGATE_DATABASE", json.dumps({**connection, "extra": extra}))
        yield made
    made.runtime.database.close()
    databases.done("canary_page")


def outcomes(html: str) -> dict[str, list[str]]:
    """The table of the canary's sides: good answers, outcomes, readers, share."""
    table = html[html.index('aria-label="Outcomes of the canary"') :].split("</table>")[0]
    rows = re.findall(r'<tr><th scope="row">(\w+)</th>(.*?)</tr>', table)
    return {name: re.findall(r"<td[^>]*>([^<]*)</td>", cells) for name, cells in rows}


def test_pages_show_a_running_canary_and_then_its_judgement(get: Any, tried: JudgedKnowledgeBase) -> None:
    html = get("/kb/small").text
    assert "Running canary" in html
    assert "50 % of readers get its adapter, until" in html
    found = outcomes(html)
    assert sum(int(found[side][1]) for side in ("canary", "live")) == 100
    assert "by reader between" in html
    ended(tried, 2)
    assert "Running canary" not in get("/kb/small").text
    released = get("/kb/small/releases/2").text
    assert "Inconclusive: the canary has" in released
    assert outcomes(released) == found
    assert "canary ended" in get("/kb/small/ledger?kind=canary_ended").text


def test_what_an_application_is_told_is_of_one_release_also_where_another_goes_live_meanwhile(
    tried: JudgedKnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported(tried, canary=0.9, live=0.9)

    def promoting(*given: Any) -> Serving | None:
        assert whole_canary(tried, 2) == (2, "promote")
        found = serving(*given)
        new_index(tried)
        return found

    monkeypatch.setattr(live, "database_in_api_server", lambda: tried.runtime.database)
    monkeypatch.setattr(live, "serving", promoting)
    told = live.live("small")
    makeup = tried.release(2).makeup
    assert (told["release"], told["generation"]) == (2, makeup.retrieval.generation)
    assert makeup.adapter
    assert told["adapter"] == makeup.adapter.model_dump()
    assert [operand["valueInt"] for operand in told["where"]["operands"]] == [told["generation"]] * 2


def test_application_learns_which_adapter_a_reader_gets(get: Any, tried: JudgedKnowledgeBase) -> None:
    told = [get(f"/live/small?reader=reader%20{number}").json() for number in range(30)]
    makeup, live = tried.release(2).makeup, tried.release(1).makeup
    assert makeup.adapter
    number = tried.query("SELECT n FROM events WHERE kind = 'canary_started'")[0]["n"]
    for one in told:
        assert (one["release"], one["canary"], one["generation"]) == (1, number, live.retrieval.generation)
        assert one["adapter"] == (makeup.adapter.model_dump() if one["side"] == "canary" else None)
    assert {one["side"] for one in told} == {"canary", "live"}
    assert get("/live/small").json()["side"] == "live"
