"""The pages in a real browser, in front of a real Airflow: what people see, and what they may do.

Pictures for the README are taken anew by: LIFTGATE_TAKE_PICTURES=1 python -m pytest this file.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import FLAGS, ROOT, Site, Visit, site, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PAGES = {
    "index": "/",
    "kb": "/kb/small?metric=refusal_correct",
    "release": "/kb/small/releases/5",
    "question": "/kb/small/releases/5/questions/q-1",
    "ledger": "/kb/small/ledger",
}
SHOWN = {("kb", "light"), ("release", "dark"), ("release", "phone")}
"""Pictures in the README."""
WIDE = {"width": 1200, "height": 900}
PHONE = {"width": 390, "height": 844}
PICTURES = ROOT / "examples" / "handbook" / "pictures"
CUT_WORDS = """
    [...document.querySelectorAll("td.text")].map(cell => [cell, cell.closest(".scroll")])
    .filter(([cell, table]) => cell.getBoundingClientRect().right > table.getBoundingClientRect().right)
    .map(([cell, table]) => table.ariaLabel)
"""
"""The tables in which somebody has to scroll sideways for the words."""
ASSERT_NARROW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def airflow(browser: Browser) -> Iterator[Site]:
    # Not below pytest's own folder: another session of pytest changes the rights of that.
    temporary = tempfile.TemporaryDirectory(prefix="liftgate-site-", ignore_cleanup_errors=True)
    with temporary as folder, site(Path(folder)) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("No Chromium was found. To run the tests in a browser: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield launched
        launched.close()


def looked_at(seen: Visit, look: str) -> None:
    """Open every page: nothing to complain about, nothing wider than the window, no words cut or from elsewhere."""
    for name, path in PAGES.items():
        seen.open(path)
        assert seen.complaints == [], name
        assert seen.page.evaluate(ASSERT_NARROW) <= 0, name
        assert seen.page.evaluate(CUT_WORDS) == [], name
        if os.environ.get("LIFTGATE_TAKE_PICTURES") and (name, look) in SHOWN:
            upper = {"x": 0, "y": 0, "width": seen.page.viewport_size["width"], "height": 1000}
            seen.page.screenshot(path=PICTURES / f"page-{name}-{look}.png", full_page=True, clip=upper)
    assert seen.asked_elsewhere == []


@pytest.mark.parametrize(
    ("look", "scheme", "viewport"), [("light", "light", WIDE), ("dark", "dark", WIDE), ("phone", "light", PHONE)]
)
def test_every_page_opens(airflow: Site, browser: Browser, look: str, scheme: str, viewport: dict[str, int]) -> None:
    with visit(browser, airflow, "viewer", color_scheme=scheme, viewport=viewport) as seen:
        looked_at(seen, look)
        ink = seen.page.evaluate("getComputedStyle(document.body).color")
        assert (ink == "rgb(230, 233, 238)") == (scheme == "dark")


def test_airflow_shows_the_pages_in_its_navigation_and_in_its_own_colours(airflow: Site, browser: Browser) -> None:
    with visit(browser, airflow, "viewer", color_scheme="light", viewport=WIDE) as seen:
        seen.page.goto(airflow.url)
        seen.page.evaluate("localStorage.setItem('theme', 'dark')")
        seen.page.reload()
        seen.page.get_by_text("Browse").click()
        seen.page.get_by_role("menuitem", name="Liftgate").click()
        frame = seen.page.frame_locator("iframe")
        frame.get_by_role("link", name="small").click()
        frame.get_by_role("heading", name="small").wait_for()
        seen.page.wait_for_url(f"{airflow.url}/plugin/liftgate/liftgate/kb/small")
        frame.locator(".drawing svg").first.wait_for()
        assert frame.locator("body").evaluate("body => getComputedStyle(body).color") == "rgb(230, 233, 238)"


def test_numbers_are_told_under_the_pointer_and_given_as_files(airflow: Site, browser: Browser) -> None:
    with visit(browser, airflow, "viewer", viewport=WIDE) as seen:
        seen.open("/kb/small/releases/5")
        seen.page.locator(".drawing svg .mark-symbol.role-mark path").first.hover()
        tooltip = seen.page.locator(".vg-tooltip.visible")
        tooltip.wait_for()
        assert "of baseline: difference" in (tooltip.text_content() or "")
        with seen.page.expect_download() as waiting:
            seen.page.get_by_role("link", name="Checks as CSV").click()
        assert waiting.value.suggested_filename == "small-5-checks.csv"
        assert seen.complaints == []


def test_texts_of_both_sides_are_read_by_who_holds_the_groups(airflow: Site, browser: Browser) -> None:
    for user, texts in (("op", 2), ("viewer", 0)):
        with visit(browser, airflow, user, viewport=WIDE) as seen:
            seen.open("/kb/small/releases/5#flips")
            seen.page.get_by_role("link", name="q-1", exact=True).click()
            seen.page.get_by_role("heading", name="candidate").wait_for()
            assert seen.page.get_by_text("Ring twice.").count() == texts
            assert seen.complaints == []


def test_nobody_sees_a_page_or_an_asset_without_a_login(airflow: Site, browser: Browser) -> None:
    with visit(browser, airflow, None) as seen:
        for path in [*PAGES.values(), "/assets/plots.js", "/assets/vega.min.js", "/kb/small/ledger.csv"]:
            answer = seen.page.goto(f"{airflow.url}/liftgate{path}")
            assert answer is not None
            assert answer.status == 401, path


def test_viewer_is_not_offered_the_way_back_and_airflow_refuses_it(airflow: Site, browser: Browser) -> None:
    with visit(browser, airflow, "viewer") as seen:
        seen.open("/kb/small")
        assert seen.page.get_by_role("button").count() == 0
        refused = seen.page.evaluate(
            "fetch('/api/v2/dags/roll_back_small/dagRuns', {method: 'POST', headers: {'Content-Type': "
            "'application/json'}, body: JSON.stringify({logical_date: null, conf: {to_release: 1, why: 'no'}})})"
            ".then(answer => answer.status)"
        )
        assert refused == 403


def test_another_site_cannot_start_a_run_in_the_name_of_who_is_logged_in(airflow: Site, browser: Browser) -> None:
    with visit(browser, airflow, None) as seen:
        seen.page.goto(f"{airflow.url}/auth/login")
        seen.page.get_by_label("Username").fill("op")
        seen.page.get_by_label("Password").fill(airflow.passwords["op"])
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_url(lambda url: "/auth/login" not in url)
        body = '{"logical_date": null, "conf": {"to_release": 1, "kind": "drill", "why": "a trick", "x": "='
        field = f"<textarea name='{body}'>\"}}}}</textarea>"
        target = f"{airflow.url}/api/v2/dags/roll_back_small/dagRuns"
        form = f"<form method=post enctype=text/plain action={target}>{field}<button>Win a prize</button></form>"
        seen.page.route("http://elsewhere.example/", lambda route: route.fulfill(body=form, content_type="text/html"))
        seen.page.goto("http://elsewhere.example/")
        with seen.page.expect_navigation() as gone:
            seen.page.get_by_role("button").click()
        assert gone.value is not None
        # Chromium may send a fresh cookie along for two minutes, but a form of another site cannot send JSON.
        assert (gone.value.url, gone.value.status in (401, 422)) == (target, True)
    assert airflow.api.runs("roll_back_small") == []


def test_operator_rolls_back_by_keyboard_and_the_ledger_has_their_name(airflow: Site, browser: Browser) -> None:
    assert airflow.live() == 2
    with visit(browser, airflow, "op", viewport=WIDE) as seen:
        seen.open("/kb/small")
        form = seen.page.locator("form.run").first
        form.get_by_label("Release", exact=False).and_(seen.page.locator("[name=to_release]")).select_option("1")
        form.get_by_label("Why").focus()
        seen.page.keyboard.type("an exercise")
        seen.page.keyboard.press("Tab")
        seen.page.keyboard.press("Enter")
        dialog = seen.page.get_by_role("dialog")
        assert dialog.get_by_role("heading").text_content() == "Roll back?"
        assert "an exercise" in (dialog.text_content() or "")
        seen.page.keyboard.press("Escape")
        assert airflow.api.runs("roll_back_small") == [], "Escape changes nothing."
        seen.page.keyboard.press("Enter")
        seen.page.keyboard.press("Tab")
        seen.page.keyboard.press("Enter")
        form.get_by_text("Done.").wait_for(timeout=60_000)
        assert (seen.complaints, seen.asked_elsewhere) == ([], [])
        assert airflow.live() == 1
        seen.open("/kb/small/ledger?kind=rolled_back&release=1")
        assert seen.page.locator("tbody td").all_text_contents()[4:6] == ["op", "an exercise"]
