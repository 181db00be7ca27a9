"""The pages as Airflow's own API server gives them, behind its login."""

from __future__ import annotations

import csv
import io
import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import HTTPException
from told_ledger import SCRIPT
from viewers import GROUPS

from liftgate_airflow.pages import app, plots, reading
from liftgate_airflow.pages.assets import files
from liftgate_airflow.pages.downloads import inert
from liftgate_airflow.pages.rendering import duration

pytestmark = pytest.mark.slow

QUESTION = "/kb/small/releases/5/questions/q-1"
PAGES = [
    "/",
    "/kb/small",
    "/kb/small?metric=refusal_correct",
    "/kb/small/ledger",
    *(f"/kb/small/releases/{n}" for n in range(1, 7)),
    QUESTION,
]
FILLED = {"kb": "small", "n": "5", "name": "plots.js", "question": "q-1"}


def paths() -> list[str]:
    """Every route of the application, with its parameters filled in."""
    templates = [route.path for route in app.build().routes]
    return sorted({re.sub(r"{(\w+)(:path)?}", lambda found: FILLED[found[1]], path) for path in templates})


def specs(html: str) -> list[dict[str, Any]]:
    """The plots of a page."""
    return [json.loads(found) for found in re.findall(r'<script type="application/json">(.+?)</script>', html)]


def test_nobody_gets_anything_without_a_login(get: Any) -> None:
    found = {path: get(path, None).status_code for path in paths()}
    assert len(found) == 13, sorted(found)
    assert set(found.values()) == {401}


def test_whoever_may_not_see_the_dag_gets_nothing_of_its_knowledge_base(get: Any) -> None:
    for path in paths():
        if "small" in path:
            assert get(path, "nobody").status_code == 403, path
    assert "small" not in get("/", "nobody").text


@pytest.mark.parametrize("path", PAGES)
def test_page_is_whole_and_loads_nothing_from_elsewhere(get: Any, path: str) -> None:
    answer = get(path)
    assert answer.status_code == 200
    assert answer.text.rstrip().endswith("</html>")
    loaded = re.findall(r'(?:src|href)="([^"#?][^"]*)"', answer.text)
    assert [url for url in loaded if not url.startswith(("/liftgate/", "/dags/"))] == []
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert (
        re.findall(r"<script(?! defer src=| src=| type=\"application/json\")|<style| style=| on\w+=", answer.text) == []
    )


def test_what_people_wrote_is_shown_and_never_run(get: Any) -> None:
    for path in ("/kb/small/ledger", "/kb/small/releases/4"):
        assert SCRIPT not in get(path).text
        assert "&lt;script&gt;document.title" in get(path).text


def test_page_of_a_knowledge_base_says_how_it_stands(get: Any) -> None:
    html = get("/kb/small").text
    for text in ("Promotions are on hold", "Live is behind its sources", "stopped by a brake", "documents to remove"):
        assert text in html
    assert "torn.pdf" in html
    assert "sound PDF" in html
    assert 'href="/dags/kb_small/runs/run-7" target="_top"' in html
    timeline, times = specs(html)
    assert [row["release"] for row in timeline["layer"][0]["data"]["values"]] == [1, 2, 5, 6, 2]
    assert [row["release"] for row in times["data"]["values"]] == [1, 2, 5, 6]


def test_pool_that_airflow_does_not_have_is_told(get: Any, told: Any) -> None:
    assert "does not exist" not in get("/kb/small").text
    written = told.file.read_text()
    told.file.write_text(written + "models_pool: models\n")
    run = told.freeze()
    html = get("/kb/small").text
    told.file.write_text(written)
    told.query("DELETE FROM runs WHERE run_id = %s RETURNING 1", run.run_id)
    assert re.findall(r"The pool (\w+) does not exist", html) == ["models"]


def test_plots_tell_the_time_as_the_page_does(get: Any) -> None:
    """By 24 hours and in UTC; a whole day is a date."""
    timeline, times = specs(get("/kb/small").text)
    for plotted in [*timeline["layer"], times]:
        x = plotted["encoding"]["x"]
        assert x["scale"] == {"type": "utc"}
        assert {"hours": "%H:%M", "minutes": "%H:%M", "date": "%b %d"}.items() <= x["axis"]["format"].items()


def test_only_who_may_start_the_dag_is_offered_the_way_back(get: Any) -> None:
    viewer, user = get("/kb/small", "viewer").text, get("/kb/small", "user").text
    assert "roll_back_small/dagRuns" not in viewer
    assert "resume_small/dagRuns" not in viewer
    assert 'data-url="/api/v2/dags/roll_back_small/dagRuns"' in user
    assert re.findall(r'<option value="(\d+)">', user) == ["6", "5", "1"]


def test_release_shows_each_interval_with_what_was_needed(get: Any) -> None:
    differences, floors = specs(get("/kb/small/releases/5").text)
    row = next(row for row in differences["data"]["values"] if row["label"].startswith("guard refusal_correct"))
    assert row["outcome"] == "not decided"
    assert row["lower"] < row["needed"] == -0.1 == row["estimate"] < 0 < row["upper"]
    assert [row["label"] for row in floors["data"]["values"]] == ["floor recall: shown"]


def test_release_lists_the_questions_that_flipped_either_way(get: Any) -> None:
    lossy, regained = get("/kb/small/releases/5").text, get("/kb/small/releases/6").text
    assert "4 lost and 0 gained against baseline" in lossy
    assert "0 lost and 4 gained against baseline" in regained
    assert "0 lost and 0 gained against anchor" in get("/kb/small/releases/6?against=anchor").text


def test_texts_are_for_who_holds_the_groups_of_the_documents(get: Any) -> None:
    assert "When the topicab desk opens?" in get(QUESTION, "op").text
    assert "Ring twice." in get(QUESTION, "op").text
    for name in ("viewer", "user"):
        html = get(QUESTION, name).text
        assert "topicab" not in html
        assert "Ring twice." not in html
        assert "or it is deleted: desk-1.md" in html
    for name in ("op", "viewer"):
        assert "topicab" not in get("/kb/small/releases/5", name).text
        assert "topicab" not in get("/kb/small/releases/5.json", name).text


@pytest.mark.parametrize(
    ("user", "groups"),
    [
        (SimpleNamespace(role="op", get_name=lambda: "eve"), {"staff"}),
        (SimpleNamespace(role=None, get_name=lambda: "user"), {"board"}),
        (SimpleNamespace(roles=[SimpleNamespace(name="Op")], get_name=lambda: "user"), {"staff", "board"}),
        (SimpleNamespace(get_name=lambda: "eve"), set()),
    ],
)
def test_groups_of_a_viewer_come_from_roles_and_name(user: Any, groups: set[str]) -> None:
    from liftgate_airflow.pages.viewer import groups_of

    assert groups_of(user, GROUPS) == groups
    assert groups_of(user, {}) == set()


@pytest.mark.parametrize("mapping", [{"roles": "op"}, {"groups": {}}, "staff"])
def test_mapping_of_groups_that_is_no_mapping_is_named(mapping: Any) -> None:
    from liftgate_airflow.pages.viewer import groups_of

    with pytest.raises(HTTPException, match="Correct it"):
        groups_of(SimpleNamespace(role="op", get_name=lambda: "ada"), mapping)


@pytest.mark.parametrize(
    "path",
    [
        "/kb/other",
        "/kb/small/releases/5/questions/q-999",
        "/kb/small/releases/99",
        "/kb/small/releases/99.json",
        "/assets/..%2Fapp.py",
    ],
)
def test_what_does_not_exist_is_not_found(get: Any, path: str) -> None:
    assert get(path).status_code == 404


def test_every_plot_is_a_specification_that_vega_lite_knows(get: Any) -> None:
    import altair

    for path in PAGES:
        for spec in specs(get(path).text):
            assert spec["$schema"] == plots.SCHEMA
            altair.Chart.from_dict(spec)


def test_ledger_is_filtered_and_downloaded_by_the_same_address(get: Any) -> None:
    query = "?kind=promoted&kind=rolled_back&release=2&words=&since=2020-01-01&until="
    html = get(f"/kb/small/ledger{query}").text
    assert "2 events." in html
    assert f"ledger.csv{query.replace('&', '&amp;')}" in html
    rows = list(csv.DictReader(io.StringIO(get(f"/kb/small/ledger.csv{query}").text)))
    assert [(row["kind"], row["release"], row["why"]) for row in rows] == [
        ("rolled_back", "2", "readers miss a desk"),
        ("promoted", "2", "measured lift"),
    ]
    assert [row["n"] for row in get(f"/kb/small/ledger.json{query}").json()] == [int(row["n"]) for row in rows]
    assert get("/kb/small/ledger.csv?words=nowhere").text == ""
    assert get("/kb/small/ledger?since=yesterday").status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        *(
            f"/kb/small/ledger{kind}?{query}"
            for kind in ("", ".csv", ".json")
            for query in ("release=2147483648", "words=%00", "kind=%00", "until=9999-12-31", "since=0001-01-01")
        ),
        "/kb/small/ledger?before=0",
        "/kb/%00",
        "/live/%00",
        "/kb/small/releases/2147483648",
        "/kb/small/releases/2147483648.json",
        "/kb/small/releases/2147483648/flips.csv",
        "/kb/small/releases/2147483648/questions/q-1",
        "/kb/small/releases/5/questions/%00",
    ],
)
def test_what_no_ledger_can_hold_is_refused_and_not_asked_for(get: Any, path: str) -> None:
    assert get(path).status_code == 422


def test_long_ledger_is_read_page_by_page_and_downloaded_whole(get: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [event["n"] for event in get("/kb/small/ledger.json").json()]
    monkeypatch.setattr(reading, "MOST_EVENTS", 10)
    pages, address = [], "/kb/small/ledger?words="
    while address:
        html = get(address).text
        assert 'href="/liftgate/kb/small/ledger.json?words="' in html
        pages.append(int(re.findall(r"(\d+) events", html)[0]))
        address = next(iter(re.findall(r'<a href="/liftgate([^"]+)">Earlier ones', html)), "").replace("&amp;", "&")
    assert pages == [10] * (len(whole) // 10) + [len(whole) % 10]
    assert len(get("/kb/small/ledger.json").json()) == len(whole)


def test_page_of_many_releases_shows_the_newest_and_those_that_can_go_live_again(
    get: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_RELEASES", 1)
    html = get("/kb/small").text
    assert set(re.findall(r'releases/(\d+)">\d', html)) == {"6", "5", "2", "1"}
    assert "4 of 6." in html
    assert len(get("/kb/small/releases.json").json()) == 6


def test_checks_and_flips_are_downloaded_as_tables(get: Any) -> None:
    checks = list(csv.DictReader(io.StringIO(get("/kb/small/releases/5/checks.csv").text)))
    assert {"leaks", "floor recall"} <= {row["name"] for row in checks}
    flips = list(csv.DictReader(io.StringIO(get("/kb/small/releases/5/flips.csv").text)))
    assert {(row["kind"], row["candidate"], row["other"]) for row in flips} == {("lost", "0.0", "1.0")}
    assert get("/kb/small/releases/5.json").json()["judged"]["verdict"]["outcome"] == "inconclusive"
    assert [line["release"]["n"] for line in get("/kb/small/releases.json").json()] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_download_holds_no_formulas(value: str) -> None:
    assert inert(value) == "'" + value
    assert inert(-1.5) == -1.5


def test_assets_are_kept_by_browsers_and_pages_are_not(get: Any) -> None:
    for name in files():
        answer = get(f"/assets/{name}")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, max-age=31536000, immutable")
    assert get("/").headers["cache-control"] == "no-store"


def test_application_learns_what_is_live(get: Any) -> None:
    assert (get("/live/small").json()["release"], get("/live/small").json()["generation"]) == (2, 2)
    assert get("/live/other").status_code == 404


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (93784, "1 d 2 h"), (None, "")]
)
def test_durations_name_their_two_largest_units(seconds: Any, said: str) -> None:
    assert duration(seconds) == said
