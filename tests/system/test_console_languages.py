"""The operator's page in another language, in a browser over the output of a run of the demo."""

import json
import math
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from console_browser import chromium, go, opened
from console_page import PASSWORD, RunningPage
from playwright.sync_api import Browser, Page
from running import start

from connectors.console.store.accounts import Role

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
GERMAN: dict[str, Any] = json.loads((ROOT / "connectors/console/page/languages/de.json").read_text())
CONTRAST = (ROOT / "tests/support/page_contrast.js").read_text()
ZONE = "{plaza: {camera: west, polygon: [[0, 0], [640, 0], [640, 360], [0, 360]]}}"
USER = "ann"
PERSON = "person"
"""Stands for the page of the first person."""
PAGES = (
    *("live", "alerts", "floor", "recordings", "people", PERSON, "watchlist", "review", "review/audit"),
    *("counts", "health", "privacy", "site", "accounts", "api"),
)
DIALOGS: dict[str, tuple[str, ...]] = {
    "mute": ("alerts", '[data-key^="mute "]'),
    "comment": ("alerts", '[data-key^="say "]'),
    "span": ("recordings", '[data-key="save"]'),
    "play": (PERSON, '[data-key="play"]'),
    "merge": (PERSON, '[data-key="merge"]'),
    "watch-list": (PERSON, '[data-key="name"]'),
    "enrol": ("watchlist", '[data-key="enrol"]'),
    "camera": ("site", '[data-key="new camera"]'),
    "erase": (PERSON, '[data-key="erase"]'),
    "why": (PERSON, '[data-key^="why "]'),
    "user": ("accounts", ".head button.main"),
    "token": ("accounts", ".head button:not(.main) >> nth=1"),
    "second factor": ("accounts", "#nav .foot button >> nth=1"),
}
"""Pages with the button that opens a dialog there."""
SHOWN = """() => {
    const found = new Set();
    const own = "[lang=en], pre, code, textarea, noscript, #toasts";
    for (const one of document.querySelectorAll("body, body *")) {
        if (one.closest(own)) continue;
        for (const child of one.childNodes) if (child.nodeType === 3) found.add(child.data.trim());
        for (const name of ["aria-label", "title", "placeholder", "alt"]) found.add(one.getAttribute(name)?.trim());
    }
    return [document.title, ...found].filter(Boolean);
}"""
"""All texts of a page but those that are in no language: what is typed, code, and the reference of the API."""

LETTERS = str.maketrans("aceginorsuyzACEGINORSU", "áćéğíñóřšúýžÁĆÉĞÍÑÓŘŠÚ")


def lengthened(text: str) -> str:
    """Return a text with accents on its letters, and 30 % longer; its places stay."""
    parts = re.split(r"(\{\w+\})", text)
    accented = "".join(part if index % 2 else part.translate(LETTERS) for index, part in enumerate(parts))
    return accented + " ñññ" * math.ceil(0.3 * len(text) / 4)


def from_right_to_left() -> dict[str, Any]:
    """Return the catalogue of a language that is written from right to left, has accents, and needs more room."""
    texts = {text: lengthened(text) for text in GERMAN["texts"]}
    plurals = {text: {"other": texts[text]} for text, known in GERMAN["texts"].items() if isinstance(known, dict)}
    return {
        "direction": "rtl",
        "texts": texts | plurals,
        "server": {text: lengthened(text) for text in GERMAN["server"]},
    }


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def past(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    """A page with a login over what a run left that was stopped after its first alerts."""
    folder = tmp_path_factory.mktemp("demo")
    process = start(
        [
            *("site=demo", "runtime=inline", "sink=[jsonl,console,counts,recording]", f"output_dir={folder}"),
            *("sink.console.port=0", f"site.zones={ZONE}", "alerts.zone_dwell.max_dwell_s=2"),
        ]
    )
    assert process.stdout is not None
    url = next(found[1] for line in process.stdout if (found := re.match(r"console: (\S+) ", line)))
    with httpx.Client(base_url=url, timeout=60) as client:
        while client.get("/api/alerts").json()["num_open"] < 3:
            time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    _, output = process.communicate(timeout=400)
    assert process.returncode == 0, output
    with RunningPage(folder) as running:
        running.accounts.put(USER, PASSWORD, Role.ADMINISTRATOR, None)
        yield running


@contextmanager
def speaking(
    browser: Browser, past: RunningPage, catalogue: dict[str, Any] = GERMAN, **options: object
) -> Iterator[Page]:
    """Log in to the page in a browser that prefers German; ``catalogue`` stands in for the German one."""
    with opened(browser, "about:blank", **{"locale": "de-DE", **options}) as page:
        page.route("**/page/languages/de.json", lambda route: route.fulfill(json=catalogue))
        page.goto(past.url)
        page.locator("input").first.fill(USER)
        page.locator("input[type=password]").fill(PASSWORD)
        page.locator("form button.main").click()
        page.wait_for_selector(".page-live[data-ready]")
        yield page


def address(past: RunningPage, name: str) -> str:
    """Return the address of an entry of ``PAGES``."""
    if name != PERSON:
        return name
    people = past.state.ledger_view.people(past.accounts.users()[0])
    return f"person/{max(people, key=lambda person: person.num_sightings).person_id}"


def english_in(shown: list[str]) -> list[str]:
    """Return the texts that are English ones of the catalogue."""
    texts = {text: known for text, known in GERMAN["texts"].items() if known != text}
    server = {text: known for text, known in GERMAN["server"].items() if known != text}
    known = {form for text in texts.values() for form in (text.values() if isinstance(text, dict) else [text])}
    patterns = [re.compile(pattern_of(text)) for text in [*texts, *server] if text not in known]
    german = [re.compile(pattern_of(text)) for text in known]
    return [
        text
        for text in shown
        if any(each.fullmatch(text) for each in patterns) and not any(each.fullmatch(text) for each in german)
    ]


def pattern_of(text: str) -> str:
    return ".+".join(map(re.escape, re.split(r"\{\w+\}", text)))


def test_german_pages_show_no_english_text(browser: Browser, past: RunningPage) -> None:
    with speaking(browser, past) as page:
        assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["de", "ltr"]
        for name in PAGES:
            go(page, address(past, name))
            assert english_in(page.evaluate(SHOWN)) == [], name


@pytest.mark.parametrize("name", DIALOGS)
def test_german_dialogs_show_no_english_text(browser: Browser, past: RunningPage, name: str) -> None:
    where, button = DIALOGS[name]
    with speaking(browser, past) as page:
        go(page, address(past, where))
        page.locator(button).first.click()
        page.wait_for_selector("dialog[open]")
        assert english_in(page.evaluate(SHOWN)) == []


def test_no_text_is_outside_of_the_catalogue(browser: Browser, past: RunningPage) -> None:
    with speaking(browser, past, from_right_to_left()) as page:
        data = {USER, "Passerby", "Deutsch", "plaza", "cpu", *past.state.site_file.site().cameras}
        data |= rules_of(page)
        for name in PAGES:
            go(page, address(past, name))
            shown = [re.sub(r"\S*/\S*", "", text) for text in page.evaluate(SHOWN)]  # addresses are of no language
            words = {word for text in shown for word in re.findall(r"\b[A-Za-z_]{3,}\b", text)}
            assert {word for word in words - data if "_" not in word} == set(), name


def rules_of(page: Page) -> set[str]:
    """Return the names of all rules and of their options, which are those of the configuration in every language."""
    found: dict[str, Any] = page.evaluate("async () => (await (await fetch('/api/rules')).json()).templates")
    return {name for rule, options in found.items() for name in (rule, *options)}


def test_the_language_is_the_browsers_until_another_is_chosen(browser: Browser, past: RunningPage) -> None:
    with speaking(browser, past, locale="de-AT") as page:
        assert page.locator("#nav a.item").nth(1).inner_text().startswith("Alarme")
        with page.expect_navigation():
            page.get_by_label("Sprache").select_option("en")
        page.wait_for_selector("#nav >> text=Alerts")
        page.reload()
        page.wait_for_selector("#nav >> text=Alerts")
        assert page.evaluate("document.documentElement.lang") == "en"


def test_a_phone_has_the_choice_too_and_the_page_stays_where_it_is(browser: Browser, past: RunningPage) -> None:
    with speaking(browser, past, viewport={"width": 360, "height": 740}) as page:
        go(page, "health")
        page.evaluate("scrollTo(0, 150)")
        with page.expect_navigation():
            page.get_by_label("Sprache").select_option("en")
        page.wait_for_selector(".page-health h1 >> text=Health")
        page.wait_for_function("() => scrollY === 150")


def test_numbers_times_and_plurals_are_as_german_writes_them(browser: Browser, past: RunningPage) -> None:
    with speaking(browser, past) as page:
        written = page.evaluate(
            """async () => {
                const [{ t, tn, told }, { duration, eventTime, parseTime, percent }] = await Promise.all(
                    ["language", "format"].map((name) => import(`/page/${name}.js`)));
                return [
                    duration(4.25), duration(172800), percent(0.125, 1), eventTime(90.5), parseTime(eventTime(90.5)),
                    ...[1, 0].map((count) => tn("{count} sighting", "{count} sightings", count)),
                    t("Person {person}", { person: 12345 }),
                    told("Somebody leaves 'door'."), told("not 7: cannot walk from a to b in 2.5 s"),
                    told("expected the role operator, got viewer"),
                    told("camera a is removed at 2.5 s when the run is continued (resume=true)"),
                    told("no such sentence"), told("constructor"),
                ];
            }"""
        )
        assert written == [
            *("4,3 s", "2 Tage", "12,5 %", "01:30,5", 90.5, "1 Sichtung", "0 Sichtungen", "Person 12345"),
            *(
                "Jemand verlässt 'door'.",
                "nicht 7: kann in 2,5 s nicht von a nach b gehen",
                "Dafür ist die Rolle Bediener nötig; Sie haben die Rolle Betrachter",
                "Kamera a ist ab 2,5 s entfernt, wenn der Lauf fortgesetzt wird (resume=true)",
                "no such sentence",
                "constructor",
            ),
        ]


def test_what_an_entry_of_the_audit_is_about_is_in_german(browser: Browser, past: RunningPage) -> None:
    entries = {
        "name Anna; camera east; from 1.500": "Name Anna; Kamera east; ab 00:01,5",
        "camera yard is added: rtsp://10.0.0.9/live": "Kamera yard ist hinzugefügt: rtsp://10.0.0.9/live",
        "persons 3, 7; the same person": "Personen 3, 7; dieselbe Person",
        "person 7, 2 parts": "Person 7, Teile: 2",
        "what nobody knows; camera west": "what nobody knows; Kamera west",
    }
    with speaking(browser, past) as page:
        told = page.evaluate(
            """async (subjects) => {
                const { auditAbout } = await import("/page/audit.js");
                return subjects.map((subject) => auditAbout({ subject, reason: "" }));
            }""",
            [*entries],
        )
    assert dict(zip(entries, told, strict=True)) == entries


@pytest.mark.parametrize("viewport", [(1440, 900), (360, 740)], ids=["desk", "phone"])
def test_no_page_scrolls_sideways_from_right_to_left(
    browser: Browser, past: RunningPage, viewport: tuple[int, int]
) -> None:
    size = {"width": viewport[0], "height": viewport[1]}
    with speaking(browser, past, from_right_to_left(), viewport=size) as page:
        assert page.evaluate("getComputedStyle(document.body).direction") == "rtl"
        for name in PAGES:
            go(page, address(past, name))
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], name
            assert page.evaluate(CONTRAST) == [], name
