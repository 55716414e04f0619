"""The operator's page in a browser: beside a run of the demo, and then over its output."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import quote

import cv2
import httpx
import numpy as np
import pytest
from console_browser import chromium, go, opened
from console_page import HOSTILE, PASSWORD, RunningPage, write_ledger
from factories import make_path, make_sighting
from playwright.sync_api import Browser, Page, Route, expect
from running import start

from connectors.console.store.accounts import Role
from pipeline.core import Match, Outcome, TrackId
from pipeline.ledger import Ledger
from pipeline.telemetry.camera_status import CameraStatus

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

PERSON = "person"
"""Stands for the page of the person with the most cameras and sightings."""
RECORDINGS = "recordings"
"""Stands for the recordings at a moment at which that person is seen."""
SIMILAR = "people/similar"
"""Stands for the similarity search for that person."""
PAGES = (
    "live",
    "alerts",
    "floor",
    RECORDINGS,
    "people",
    "site",
    SIMILAR,
    PERSON,
    "watchlist",
    "review",
    "review/audit",
    "counts",
    "health",
    "privacy",
    "accounts",
    "api",
)
CONTRAST = (Path(__file__).parents[1] / "support/page_contrast.js").read_text()
ZONE = "{plaza: {camera: west, polygon: [[0, 0], [640, 0], [640, 360], [0, 360]]}}"
LIVE_S = 25.0
"""Shortest time that the run of the demo goes on, seconds."""


@dataclass(frozen=True)
class Run:
    url: str
    folder: Path
    began: float
    live_s: float
    process: subprocess.Popen[str]

    def stop(self) -> None:
        """Wait until the run has output to show, then stop it as a user does; idempotent."""
        if self.process.poll() is None:
            time.sleep(max(0.0, self.began + self.live_s - time.monotonic()))
            self.process.send_signal(signal.SIGTERM)
            _, output = self.process.communicate(timeout=200)
            assert self.process.returncode == 0, output


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def run(browser: Browser, tmp_path_factory: pytest.TempPathFactory, screenshots: Path | None) -> Iterator[Run]:
    """A run of the demo with its page; stopped after its tests."""
    folder = tmp_path_factory.mktemp("demo")
    process = start(
        [
            *(
                "site=demo",
                "runtime=inline",
                "replay.speed=0.5",
                "sink=[jsonl,console,counts,recording]",
                f"output_dir={folder}",
            ),
            *("sink.console.port=0", f"site.zones={ZONE}", "alerts.zone_dwell.max_dwell_s=4"),
        ]
    )
    assert process.stdout is not None
    url = next(found[1] for line in process.stdout if (found := re.match(r"console: (\S+) ", line)))
    running = Run(url, folder, time.monotonic(), LIVE_S if screenshots is None else 4 * LIVE_S, process)
    yield running
    running.stop()


def shoot(page: Page, screenshots: Path, name: str) -> None:
    page.wait_for_function(
        "() => [...document.images].every(one => one.complete || one.getBoundingClientRect().top > innerHeight)"
    )
    shown = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    small = cv2.resize(shown, (960, 645), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(screenshots / f"{name}.webp"), small, [cv2.IMWRITE_WEBP_QUALITY, 72])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_live_view_shows_new_pictures(browser: Browser, run: Run, theme: str, screenshots: Path | None) -> None:
    with opened(browser, f"{run.url}/#/live", color_scheme=theme) as page:
        canvas = page.locator("[data-camera=west] canvas[data-frame]")
        before = canvas.get_attribute("data-frame")
        assert before is not None
        expect(canvas).not_to_have_attribute("data-frame", before)
        page.wait_for_selector("[data-camera=west] .who .person:not(.unknown)")
        if screenshots is not None:
            time.sleep(1)
            shoot(page, screenshots, f"live-{theme}")


def test_a_hidden_tab_is_no_viewer(browser: Browser, run: Run) -> None:
    with opened(browser, f"{run.url}/#/live") as page, httpx.Client(base_url=run.url) as client:
        page.wait_for_selector("canvas[data-frame]")
        while client.get("/api/health").json()["viewers"] != 1:  # the viewer of the test before disconnects
            time.sleep(0.05)
        page.evaluate(
            "() => { Object.defineProperty(document, 'hidden', { get: () => true });"
            " document.dispatchEvent(new Event('visibilitychange')); }"
        )
        while client.get("/api/health").json()["viewers"]:
            time.sleep(0.05)


def test_selecting_a_person_in_the_live_view_shows_where_they_went(browser: Browser, run: Run) -> None:
    with opened(browser, f"{run.url}/#/live") as page:
        page.locator("[data-camera=east] .who .person:not(.unknown)").first.click()
        page.wait_for_selector(".page-person[data-ready] .timeline button")


def test_a_new_alert_appears_without_a_reload(browser: Browser, run: Run) -> None:
    with opened(browser, f"{run.url}/#/alerts") as page:
        page.wait_for_selector("article.alert")
        count = page.locator("article.alert").count()
        page.wait_for_function("count => document.querySelectorAll('article.alert').length !== count", arg=count)
        page.locator("article.alert").get_by_role("button", name="Acknowledge", exact=True).first.click()
        page.wait_for_selector("text=Acknowledged by demonstration")


def test_a_zone_that_is_drawn_has_its_alert_without_a_restart(browser: Browser, run: Run) -> None:
    with opened(browser, f"{run.url}/#/site") as page:
        page.wait_for_selector(".page-site[data-ready]")
        page.get_by_role("button", name="New zone").click()
        canvas = page.locator(".drawing canvas")
        box = canvas.bounding_box()
        assert box is not None
        for x, y in ((0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99), (0.01, 0.01)):
            canvas.click(position={"x": x * box["width"], "y": y * box["height"]})
        page.locator('[data-key="zone 1 name"]').fill("door")
        page.locator('[data-key="zone 1 name"]').press("Enter")
        page.locator('[data-key="door max_dwell_s"]').fill("1")
        page.locator('[data-key="door max_dwell_s"]').press("Enter")
        page.get_by_role("button", name="Save…").click()
        page.get_by_role("button", name="Save", exact=True).click()
        page.wait_for_selector(".toast >> text=The run follows these rules.")
        go(page, "alerts")
        page.wait_for_selector("article >> text=Somebody stays in 'door' for more than 1 s.")


def test_the_pipeline_applies_a_correction_of_an_operator(run: Run) -> None:
    with httpx.Client(base_url=run.url, timeout=30) as client:
        client.headers["x-csrf-token"] = client.get("/api/me").json()["csrf"]
        person_id = client.get("/api/people").json()["people"][0]["person"]
        asked = {"kind": "name", "person_ids": [person_id], "name": "red bag"}
        correction = client.post("/api/corrections", json=asked).json()
        while correction["state"] == "pending":
            time.sleep(0.1)
            correction = client.get(f"/api/corrections/{correction['number']}").json()
        assert correction["state"] == "done", correction
        while client.get(f"/api/people/{person_id}").json()["name"] != "red bag":
            time.sleep(0.1)


@pytest.fixture(scope="module")
def past(run: Run) -> Iterator[RunningPage]:
    """A page with a login over the output of that run."""
    run.stop()
    with RunningPage(run.folder) as running:
        for role in Role:
            running.accounts.put(role.value, PASSWORD, role, None)
        yield running


def address(past: RunningPage, name: str) -> str:
    """Return the address of an entry of ``PAGES``."""
    if name not in (PERSON, SIMILAR, RECORDINGS):
        return name
    people = past.state.ledger_view.people(past.accounts.users()[0])
    person_id = max(people, key=lambda person: (len(person.camera_ids), person.num_sightings)).person_id
    if name == PERSON:
        return f"person/{person_id}"
    events = past.state.ledger_view.events_of(person_id)
    if name == RECORDINGS:
        return f"recordings?person={person_id}&at={events[len(events) // 2].first_at}"
    parts = [event.part for event in events if event.part is not None]
    part = next(part for part in parts if past.state.pictures.get(part) is not None)
    return f"people/similar/{quote(str(part.track_id), safe='')}/{part.part}"


def logged_in(past: RunningPage, role: Role) -> dict[str, object]:
    """Return browser options with the cookie of a logged-in user."""
    cookie = past.state.sessions.cookie(past.accounts.log_in(role.value, PASSWORD))  # type: ignore[arg-type]
    return {
        "storage_state": {
            "cookies": [
                {
                    "name": f"passerby_session_{past.port}",
                    "value": cookie,
                    "domain": "127.0.0.1",
                    "path": "/",
                    "expires": -1,
                }
                | {"httpOnly": True, "secure": False, "sameSite": "Strict"}
            ],
            "origins": [],
        }
    }


def test_login_and_navigation_work_with_the_keyboard_only(browser: Browser, past: RunningPage) -> None:
    with opened(browser, past.url) as page:
        page.wait_for_selector("form")
        page.keyboard.type("viewer")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_selector(".page-live[data-ready]")
        page.keyboard.press("Tab")
        page.get_by_role("link", name="People", exact=True).focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(".page-people[data-ready] [data-person]")
        page.locator("[data-person]").first.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(".page-person[data-ready]")
        assert page.get_by_role("button", name="Merge with").count() == 0
        assert page.get_by_role("button", name="Erase").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_loads_with_readable_contrast(
    browser: Browser, past: RunningPage, theme: str, screenshots: Path | None
) -> None:
    options = {"color_scheme": theme, **logged_in(past, Role.ADMINISTRATOR)}
    with opened(browser, past.url, **options) as page:
        for name in PAGES:
            go(page, address(past, name))
            if name == RECORDINGS:
                page.wait_for_selector(".page-recordings[data-shown=yes] video")
            assert page.evaluate(CONTRAST) == [], name
            if screenshots is not None and name != "live":
                shoot(page, screenshots, f"{name.replace('/', '-')}-{theme}")
        assert page.evaluate("document.documentElement.dataset.theme") == theme


def test_every_person_number_is_readable_on_its_colour(browser: Browser, past: RunningPage) -> None:
    with opened(browser, past.url) as page:
        page.wait_for_selector("form")
        page.evaluate(
            """async () => {
                const { personLink } = await import("/page/format.js");
                document.body.replaceChildren(...Array.from({ length: 1000 }, (_, person) => personLink(person + 1)));
            }"""
        )
        assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("name", PAGES)
def test_every_control_has_an_accessible_name(browser: Browser, past: RunningPage, name: str) -> None:
    with opened(browser, past.url, **logged_in(past, Role.ADMINISTRATOR)) as page:
        go(page, address(past, name))
        nameless = page.evaluate(
            """() => [...document.querySelectorAll("a, button, input, select, textarea, img, canvas")].filter((one) =>
                !(one.textContent.trim() || one.getAttribute("aria-label") || one.labels?.length || one.title
                || one.getAttribute("alt") !== null || one.querySelector("img[alt]:not([alt=''])"))
            ).map((one) => one.outerHTML.slice(0, 200))"""
        )
        assert nameless == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_on_a_phone(browser: Browser, past: RunningPage, name: str) -> None:
    options = {"viewport": {"width": 360, "height": 740}, **logged_in(past, Role.ADMINISTRATOR)}
    with opened(browser, past.url, **options) as page:
        go(page, address(past, name))
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_search_by_sighting_and_by_upload_finds_the_person_in_the_other_camera(
    browser: Browser, past: RunningPage, tmp_path: Path
) -> None:
    with opened(browser, past.url, **logged_in(past, Role.OPERATOR)) as page:
        where = address(past, PERSON)
        person_id = where.partition("/")[2]
        go(page, where)
        assert page.locator(".timeline b").count() > 1  # cameras
        page.get_by_role("link", name="Search by picture").click()
        page.wait_for_selector(f'li:first-child [data-found="{person_id}"]')
        picture = page.locator(".query img").get_attribute("src")
        assert picture is not None
        (tmp_path / "them.jpg").write_bytes(page.request.get(f"{past.url}{picture}").body())
        go(page, "people")
        page.get_by_label("By picture").set_input_files(tmp_path / "them.jpg")
        page.wait_for_selector(f'li:first-child [data-found="{person_id}"]')
        page.locator("[data-found]").first.click()
        page.wait_for_selector(".page-person[data-ready]")


def test_the_review_queue_works_with_two_keys(browser: Browser, tmp_path: Path) -> None:
    write_ledger(tmp_path)
    uncertain = make_sighting(5, TrackId("west", 0, 3), path=make_path(500, 10), outcome=Outcome.TENTATIVE)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([replace(uncertain, runner_up=Match(3, 0.3), probability=0.5)])
    ledger.close()
    with RunningPage(tmp_path) as running:
        running.add_pictures()
        running.accounts.put(Role.OPERATOR.value, PASSWORD, Role.OPERATOR, None)
        with opened(browser, running.url, **logged_in(running, Role.OPERATOR)) as page:
            go(page, "review")
            for key in "sd":
                pair = page.get_attribute("[data-pair]", "data-pair")
                page.keyboard.press(key)
                page.wait_for_function("pair => document.querySelector('[data-pair]')?.dataset.pair !== pair", arg=pair)
        assert len(running.state.notes.labels("queue")) == 2


def test_a_merge_shows_in_every_open_page_and_can_be_undone(browser: Browser, past: RunningPage) -> None:
    people = past.state.ledger_view.people(past.accounts.users()[0])
    kept, absorbed = (person.person_id for person in people[:2])
    with (
        opened(browser, past.url, **logged_in(past, Role.OPERATOR)) as page,
        opened(browser, past.url, **logged_in(past, Role.VIEWER)) as watching,
    ):
        go(watching, "people")
        watching.wait_for_selector(f'[data-person="{absorbed}"]')
        go(page, f"person/{kept}")
        page.get_by_role("button", name="Merge with").click()
        page.get_by_label("Person number").fill(str(absorbed))
        page.wait_for_selector("dialog .bar img, dialog .bar .thumbnail", state="attached")
        page.locator("dialog button.main").click()
        page.wait_for_selector("text=is now shown as")
        expect(watching.locator(f'[data-person="{absorbed}"]')).to_have_count(0)
        page.locator(".toast").get_by_role("button", name="Undo").last.click()
        page.wait_for_selector("text=Undone")
        expect(watching.locator(f'[data-person="{absorbed}"]')).to_have_count(1)
        expect(watching.locator("[data-person]")).to_have_count(len(people))


def test_an_erased_person_is_on_no_page(browser: Browser, past: RunningPage) -> None:
    gone, held = past.state.ledger_view.people(past.accounts.users()[0])[-1].person_id, list[Route]()
    parts = [event.part for event in past.state.ledger_view.events_of(gone)]
    with opened(browser, past.url, **logged_in(past, Role.OPERATOR)) as page:
        go(page, f"person/{gone}")
        page.get_by_role("button", name="Erase").click()
        page.get_by_label(f"Type {gone} to confirm").fill(str(gone))
        page.route("**/api/people/*/erase", lambda route: held.append(route))
        page.get_by_role("button", name="Erase permanently").click()
        page.wait_for_selector('[data-proof="going"] progress')
        held[0].continue_()
        page.wait_for_selector('[data-proof="done"]')
        go(page, "people")
        assert page.locator(f'[data-person="{gone}"]').count() == 0
    assert all(past.state.pictures.get(part) is None for part in parts if part is not None)


def test_a_camera_that_is_lost_has_a_red_frame(browser: Browser, tmp_path: Path) -> None:
    write_ledger(tmp_path)
    ledger = Ledger(tmp_path / "ledger.sqlite")  # an open ledger means that the run goes on
    fine = {**asdict(CameraStatus()), "fps": 9.0}
    status = {"cameras": {"east": {**fine, "error": "no route to host"}, "west": fine}}
    (tmp_path / "status.json").write_text(json.dumps(status))
    with RunningPage(tmp_path, is_open=True) as running, opened(browser, f"{running.url}/#/live") as page:
        page.wait_for_selector("[data-camera=east].lost >> text=lost")
        assert page.locator("[data-camera=west].lost").count() == 0
    ledger.close()


def test_a_hostile_camera_name_is_shown_as_text(browser: Browser, tmp_path: Path) -> None:
    with RunningPage(tmp_path / "run", is_open=True) as running, opened(browser, running.url) as page:
        running.add_pictures()
        for name in ("live", "people", "person/4", "health"):
            go(page, name)
        go(page, "people")
        assert HOSTILE in page.inner_text("#main")
        assert page.locator("#main script").count() == 0
