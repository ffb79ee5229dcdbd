"""The page in Chromium: what one clicks, types and sees, and that it asks nobody for anything."""

from __future__ import annotations

import base64
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from doublevm.cli.looking import page as making
from doublevm.cli.render import visible
from doublevm.host.sinks.reading import read_trail
from tests.docs.pages import ROOT
from tests.looking.browser import COLOURS, MARKUP_FOUND, UNREADABLE, opened
from tests.looking.conftest import html_of, operations_of
from tests.looking.sample import HOSTILE, entries, every_kind, hostile, of_a_program, written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.looking.conftest import Report

PICTURES = ROOT / "build" / "report"


@contextmanager
def looking(browser: Browser, file: Path, **how: Any) -> Iterator[Page]:
    """Open a report; it may complain of nothing and ask nobody."""
    with opened(browser, file, **how) as (page, seen):
        yield page
        assert page.evaluate(MARKUP_FOUND) == []
    assert (seen.requests, seen.errors) == ([], [])


def rows(page: Page) -> int:
    """Return how many operations the list says it has."""
    row = page.locator("#list .row").first
    return int(row.get_attribute("aria-setsize") or 0) if row.count() else 0


def selected(page: Page) -> str:
    return page.locator("#detail-title").inner_text()


def test_clicks(browser: Browser, report: Report) -> None:
    with looking(browser, report(every_kind())) as page:
        page.locator("#list .row").nth(5).click()
        assert selected(page) == "mail:send"
        detail = page.locator("#detail").inner_text()
        assert "data was read and something is leaving" in detail
        assert '"to": "archive@example.net"' in detail
        assert "c0ffee0123456789, run 1" in detail
        page.locator("#sequence .row").nth(4).click()
        assert selected(page) == "kb:search"
        assert "not on record: the host died" in page.locator("#detail").inner_text()
        assert page.locator("#list .row[aria-selected=true]").get_attribute("id") == "list-4"
        page.get_by_role("button", name="Denied").click()
        assert rows(page) == 8
        page.get_by_role("button", name="No outcome").click()
        assert rows(page) == 9, "both are shown"
        assert page.locator("#count").inner_text() == "9 of 14 operations"
        page.get_by_role("button", name="Clear filters").click()
        assert rows(page) == 14
        page.get_by_role("button", name="Would deny").click()
        assert (rows(page), selected(page)) == (1, "tickets:delete")
        assert "data was read and is deleted" in page.locator("#detail").inner_text()
        page.keyboard.press("Escape")
        page.locator("#list .row").nth(0).click()
        page.get_by_role("button", name="Only this run").click()
        assert rows(page) == 13
        page.get_by_role("button", name="Operations").click()
        assert rows(page) == 13, "all verdicts, of this run"


def test_the_line_that_made_the_call(browser: Browser, tmp_path: Path) -> None:
    reader = read_trail(written(tmp_path / "trail.jsonl", of_a_program()))
    file = tmp_path / "report.html"
    operations = list(reader.operations())
    file.write_text(making.page(operations, reader.programs(), title="t", about="", notice=""))
    with looking(browser, file) as page:
        facts = page.locator("#detail .facts").inner_text()
    assert r"line 3: kb.search('<b>')\u202e" in facts


def test_the_sequence_shows_how_far_each_came(browser: Browser, report: Report) -> None:
    with looking(browser, report(every_kind()), size=(1280, 1700)) as page:
        page.locator("#list .row").nth(0).click()
        steps = page.locator("#sequence .row").evaluate_all(
            "rows => rows.map((row) => [row.dataset.reach, row.getAttribute('aria-label')])"
        )
    assert steps[0] == ["parent", "(program): allowed, scored"]
    assert steps[1] == ["host", "kb:search: allowed, returned"]
    assert steps[4] == ["host", "kb:search: allowed, no outcome"]
    assert steps[5] == ["parent-denied", "mail:send: denied, sequence/EXFIL_LIST_SEND"]
    assert steps[-1] == [
        "host",
        "tickets:delete: would deny, returned, sequence/DELETE_AFTER_ACCESS",
    ]
    assert steps[-2] == ["host-denied", "kb:search: denied by the host, audit/unavailable"]


def test_filters(browser: Browser, report: Report) -> None:
    with looking(browser, report(every_kind())) as page:
        page.fill("#search", "ARCHIVE mail:")
        assert (rows(page), selected(page)) == (1, "mail:send")
        page.fill("#search", "nothing at all like this")
        assert page.get_by_text("No operation fits these filters.").is_visible()
        page.fill("#search", "")
        for choice, value, count in (
            ("Operation", "kb:search", 5),
            ("Rule", "sequence/BULK_OPERATION", 2),
            ("Outcome", "unknown", 1),
            ("Run", "0/2", 1),
        ):
            page.get_by_label(choice, exact=True).select_option(value=f"={value}")
            assert rows(page) == count, choice
            page.get_by_label(choice, exact=True).select_option(value="")
        assert rows(page) == 14


def test_the_timeline_zooms(browser: Browser, report: Report) -> None:
    with looking(browser, report(entries(1000))) as page:
        canvas = page.locator("#timeline")
        box = canvas.bounding_box()
        assert box
        drawn = "canvas => canvas.toDataURL()"
        whole = canvas.evaluate(drawn)
        page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 30)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 30)
        page.mouse.up()
        count = rows(page)
        assert 100 < count < 500, "about a quarter of them"
        assert canvas.evaluate(drawn) != whole
        canvas.focus()
        page.keyboard.press("+")
        assert rows(page) < count
        page.keyboard.press("-")
        page.keyboard.press("ArrowRight")
        assert rows(page) != count
        page.get_by_role("button", name="Whole trail").click()
        assert rows(page) == 1000
        page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 30)
        assert "allowed" in page.locator("#timeline-tip").inner_text()


def test_keys(browser: Browser, report: Report) -> None:
    with looking(browser, report(every_kind())) as page:
        page.keyboard.press("/")
        page.keyboard.type("kb:search n")
        assert page.locator("#search").input_value() == "kb:search n", "n is a letter in there"
        page.keyboard.press("Escape")
        assert rows(page) == 14
        page.locator("#list").focus()
        for key, place in (
            ("Home", 0),
            ("ArrowDown", 1),
            ("n", 4),
            ("n", 5),
            ("p", 4),
            ("End", 13),
            ("PageUp", None),
            ("ArrowUp", None),
            ("Home", 0),
        ):
            page.keyboard.press(key)
            active = page.locator("#list").get_attribute("aria-activedescendant")
            assert page.locator(f"#{active}[aria-selected=true]").is_visible()
            assert place is None or active == f"list-{place}", key
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "detail"
        page.keyboard.press("?")
        assert page.get_by_role("dialog", name="Keys").is_visible()
        page.keyboard.press("Escape")
        assert not page.get_by_role("dialog").is_visible()


def test_themes(browser: Browser, report: Report) -> None:
    file = report(every_kind())
    ground = "getComputedStyle(document.body).backgroundColor"
    for scheme in ("light", "dark"):
        with looking(browser, file, scheme=scheme) as page:
            system = page.evaluate(ground)
            found = []
            for _ in range(3):
                page.keyboard.press("t")
                found.append(page.evaluate(ground))
            light, dark, auto = found
            assert light != dark
            assert auto == system == (light if scheme == "light" else dark)


def test_who_does_not_see_it(browser: Browser, report: Report) -> None:
    with looking(browser, report(every_kind())) as page:
        tree = page.locator("main").aria_snapshot()
        assert re.search(r"img \"Timeline of 14 operations, 8 denied", tree)
        assert re.search(r"option \"Denied 12:00:06\.000 mail:send", tree)
        assert '- searchbox "Search names, arguments, reasons"' in tree
        nameless = page.locator("button, select, input").evaluate_all(
            "all => all.filter((each) => !each.labels?.length && !each.ariaLabel && "
            "!each.textContent.trim()).map((each) => each.outerHTML)"
        )
        assert nameless == []


def test_hostile_strings_are_text(browser: Browser, report: Report) -> None:
    with looking(browser, report(hostile())) as page:
        for place, text in enumerate(HOSTILE.values()):
            page.locator("#list").evaluate("(list, place) => (list.scrollTop = place * 34)", place)
            page.locator(f"#list-{place}").click()
            assert page.locator("#detail-title").text_content() == visible(text)
            assert page.locator("#detail pre").text_content(), "its arguments"
            assert page.evaluate(MARKUP_FOUND) == []
        page.keyboard.press("Escape")
        page.locator("#list").focus()
        page.keyboard.press("End")
        assert r"a\ud800b" in page.locator("#detail pre").inner_text()


def test_the_controls_of_hostile_strings(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each wall by itself: what the test above looks for is there as soon as it is gone."""
    trail = tmp_path / "trail.jsonl"
    whole = html_of(trail, hostile())
    file = tmp_path / "page.html"

    markup = whole.replace(".textContent = text", ".innerHTML = text")
    assert markup != whole
    file.write_text(markup)
    with opened(browser, file, ready=False) as (page, seen):
        assert any("Refused" in each or "violates" in each for each in seen.errors), "its hash"
        assert page.evaluate("window.pwned") is None

    file.write_text(without_policy(markup))
    with opened(browser, file) as (page, seen):
        page.wait_for_function("window.pwned === 1")
        assert "its script ran" in page.evaluate(MARKUP_FOUND)
        assert "img" in page.evaluate(MARKUP_FOUND)

    monkeypatch.setattr(making, "embedded", json.dumps)
    file.write_text(making.page(list_of(trail), title="t", about="", notice=""))
    with opened(browser, file, ready=False) as (page, _):
        assert "img" in page.evaluate(MARKUP_FOUND)
        assert page.evaluate("window.pwned") is None, "the policy stands behind it"


def list_of(trail: Path) -> list[Any]:
    return operations_of(trail.with_name("again.jsonl"), hostile())


def without_policy(page: str) -> str:
    return re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', "", page)


class Heard(BaseHTTPRequestHandler):
    """Notes who asks."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


TRIES = """async (address) => {
  new Image().src = `${address}/image`;
  await fetch(`${address}/fetch`, { mode: "no-cors" }).catch(() => {});
  navigator.sendBeacon(`${address}/beacon`);
  const script = document.createElement("link");
  Object.assign(script, { rel: "stylesheet", href: `${address}/style` });
  document.head.append(script);
  await new Promise((done) => setTimeout(done, 300));
}"""


def test_nothing_can_be_fetched(browser: Browser, tmp_path: Path) -> None:
    whole = html_of(tmp_path / "trail.jsonl", every_kind())
    asked: list[str] = []
    server = HTTPServer(("127.0.0.1", 0), type("Ear", (Heard,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        for text, heard in ((without_policy(whole), True), (whole, False)):
            asked.clear()
            file = tmp_path / "page.html"
            file.write_text(text)
            context = browser.new_context()
            page = context.new_page()
            page.goto(file.as_uri())
            page.evaluate(TRIES, f"http://127.0.0.1:{server.server_port}")
            context.close()
            assert bool(asked) == heard, asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("count", [1, 100, 10_000])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures(browser: Browser, report: Report, scheme: str, count: int) -> None:
    """They are in build/report, for people; here they are not blank, readable and not too wide."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    file = report(entries(count))
    with looking(browser, file, scheme=scheme) as page:
        if count > 1:
            page.keyboard.press("n")
        picture = page.screenshot(path=PICTURES / f"{count}-{scheme}.png")
        found = page.evaluate(UNREADABLE)
        assert found["looked"] > 20
        assert found["bad"] == []
        assert overflow(page) == []
    with looking(browser, file, scheme=scheme, size=(390, 844)) as page:
        page.screenshot(path=PICTURES / f"{count}-{scheme}-narrow.png", full_page=True)
        assert page.evaluate(UNREADABLE)["bad"] == []
        assert overflow(page) == []
    with opened_blank(browser) as page:
        colours, most = page.evaluate(COLOURS, base64.b64encode(picture).decode())
    assert colours > 50
    assert most < 0.9


def overflow(page: Page) -> list[str]:
    """Return what sticks out of the window at its side."""
    found: list[str] = page.evaluate(
        "() => [...document.querySelectorAll('body *')].filter((each) => "
        "each.checkVisibility() && !each.closest('.rows, .unseen, .skip') && "
        "each.getBoundingClientRect().right > innerWidth + 0.5).map((each) => each.outerHTML)"
    )
    width, window = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return found if width <= window else [*found, f"the page is {width} wide"]


@contextmanager
def opened_blank(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(offline=True)
    yield context.new_page()
    context.close()


def test_the_control_of_contrast_and_width(browser: Browser, report: Report) -> None:
    with opened(browser, report(every_kind())) as (page, _):
        page.evaluate("document.getElementById('about').style.color = '#b0b0b0'")
        assert [each.partition(":")[0] for each in page.evaluate(UNREADABLE)["bad"]] == [
            "trail, of the tests"
        ]
        page.evaluate("document.getElementById('tiles').style.width = '2000px'")
        assert overflow(page)


WORK = """async () => {
  const list = document.getElementById("list");
  const frame = () => new Promise(requestAnimationFrame);
  const times = [];
  let most = 0;
  await frame();
  for (let step = 0; step <= 100; step += 1) {
    const begin = performance.now();
    list.scrollTop = ((list.scrollHeight - list.clientHeight) * step) / 100;
    await frame();
    list.getBoundingClientRect();
    times.push(performance.now() - begin);
    most = Math.max(most, document.querySelectorAll(".row").length);
  }
  const last = [...list.querySelectorAll(".row")].map((row) => Number(row.dataset.place));
  const search = document.getElementById("search");
  const filters = {};
  for (const words of ["i", "invoice", "sequence/", "no such words", ""]) {
    const begin = performance.now();
    search.value = words;
    search.dispatchEvent(new Event("input"));
    list.getBoundingClientRect();
    filters[words || "(all again)"] = performance.now() - begin;
  }
  times.sort((one, other) => one - other);
  return {
    scroll_ms: { median: times[50], p95: times[95], max: times[100] },
    filter_ms: filters,
    rows_at_most: most,
    last: Math.max(...last),
    elements: document.querySelectorAll("*").length,
  };
}"""


def test_ten_thousand_operations(browser: Browser, report: Report) -> None:
    """Only what is in sight is there, so scrolling takes no longer than with a hundred."""
    with looking(browser, report(entries(10_000))) as page:
        found = page.evaluate(WORK)
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / "figures.json").write_text(json.dumps(found, indent=2) + "\n")
    assert found["last"] == 9999, "it was scrolled to its end"
    assert found["rows_at_most"] < 100
    assert found["elements"] < 1500


def test_the_picture_in_the_docs(browser: Browser, tmp_path: Path) -> None:
    """Made anew in build/report each time; copied to docs by hand when it has changed."""
    found = list(read_trail(ROOT / "examples" / "help_desk" / "trail.jsonl").operations())
    file = tmp_path / "report.html"
    about = "trail.jsonl, 2026-03-01 12:00:59 to 2026-03-01 12:06:52 UTC"
    file.write_text(making.page(found, title="trail.jsonl", about=about, notice=""))
    PICTURES.mkdir(parents=True, exist_ok=True)
    with looking(browser, file, size=(1160, 720)) as page:
        page.keyboard.press("n")
        assert selected(page) == "mail:send"
        page.screenshot(path=PICTURES / "example.png")
    assert (ROOT / "docs" / "report.png").stat().st_size < 150_000


def test_nothing_at_all(browser: Browser, report: Report) -> None:
    with looking(browser, report(iter(()))) as page:
        assert page.get_by_text("No operation fits these filters.").is_visible()
        for key in ("n", "p", "Escape", "t"):
            page.keyboard.press(key)
