"""What an operator of the page relies on, in a browser over a small ledger."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from console_browser import chromium, go, opened
from console_page import ADDRESS, PASSWORD, RunningPage, make_jpeg, write_ledger
from factories import make_path, make_sighting
from playwright.sync_api import Browser, expect

from connectors.console.store.accounts import Role
from connectors.console.store.journey import journey_film
from connectors.console.store.pictures import Clip
from pipeline.core import Alert, Match, Outcome, Severity, TrackId, TrackPart
from pipeline.ledger import Ledger

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def serve(folder: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "connectors.console", "--output", str(folder), "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            socket.create_connection((ADDRESS, port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return process
    raise AssertionError("the server did not start")


def test_a_server_that_is_killed_shows_a_banner_and_comes_back_by_itself(browser: Browser, tmp_path: Path) -> None:
    write_ledger(tmp_path)
    with socket.create_server((ADDRESS, 0)) as free:
        port = free.getsockname()[1]
    server = serve(tmp_path, port)
    try:
        options = {"viewport": {"width": 1280, "height": 860}}
        context = browser.new_context(**options)
        page = context.new_page()
        page.goto(f"http://{ADDRESS}:{port}/#/people?camera=west")
        page.wait_for_selector(".page-people[data-ready]")
        page.wait_for_timeout(1000)  # the connection is open
        server.send_signal(signal.SIGKILL)
        killed_at = time.monotonic()
        page.wait_for_selector("text=Connection lost since")
        assert time.monotonic() - killed_at < 8.0
        server.wait()
        server = serve(tmp_path, port)
        expect(page.locator("#lost")).to_have_count(0, timeout=30_000)
        assert page.locator("[data-person]").count() == 2
        context.close()
    finally:
        server.kill()
        server.wait()


def test_a_new_alert_comes_with_a_picture_on_every_page_and_counts_in_the_title(
    browser: Browser, tmp_path: Path
) -> None:
    with RunningPage(tmp_path, is_open=True) as running, opened(browser, f"{running.url}/#/health") as page:
        running.add_pictures()
        expect(page).to_have_title("(2) Health – Passerby")
        ledger = Ledger(tmp_path / "ledger.sqlite")
        track = TrackId("east", 0, 2)
        ledger.append([Alert("zone/3/30", "zone", Severity.CRITICAL, 3, "east", 30.0, 31.0, "Enters.", (track,))])
        ledger.close()
        page.wait_for_selector('[data-alarm="zone/3/30"] img')
        expect(page).to_have_title("(3) Health – Passerby")
        page.locator("[data-alarm]").get_by_role("button", name="Acknowledge").click()
        expect(page).to_have_title("(2) Health – Passerby")


def test_of_many_new_alerts_three_are_shown_each_can_be_closed_and_none_is_acknowledged_by_that(
    browser: Browser, tmp_path: Path
) -> None:
    with RunningPage(tmp_path, is_open=True) as running, opened(browser, f"{running.url}/#/health") as page:
        expect(page).to_have_title("(2) Health – Passerby")
        track = TrackId("east", 0, 2)
        for first in (0, 3):  # one after the other: they would pile up
            ledger = Ledger(tmp_path / "ledger.sqlite")
            ledger.append(
                [
                    Alert(f"zone/3/{number}", "zone", Severity.WARNING, 3, "east", number, number, "Enters.", (track,))
                    for number in range(30 + first, 33 + first)
                ]
            )
            ledger.close()
            expect(page).to_have_title(f"({5 + first}) Health – Passerby")
        alarms = page.locator(".toast.alarm:visible")
        expect(alarms).to_have_count(3)
        expect(page.locator("#toasts")).to_contain_text("and 3 more new alerts")
        page.locator('[data-alarm="zone/3/35"]').get_by_role("button", name="Close").click()
        expect(alarms).to_have_count(3)
        expect(page.locator("#toasts")).to_contain_text("and 2 more new alerts")
        page.locator(".toast:not(.alarm)").get_by_role("button", name="Close").click()
        expect(page.locator(".toast")).to_have_count(0)
        expect(page).to_have_title("(8) Health – Passerby")


def test_all_alerts_are_acknowledged_at_once_and_opened_again(browser: Browser, tmp_path: Path) -> None:
    with RunningPage(tmp_path, is_open=True) as running, opened(browser, f"{running.url}/#/alerts") as page:
        page.get_by_role("button", name="Acknowledge all 2 shown").click()
        expect(page.locator("article .tag.good")).to_have_count(2)
        page.locator(".toast").get_by_role("button", name="Undo").last.click()
        expect(page.locator("article .tag.good")).to_have_count(0)


def test_an_answer_in_the_review_queue_is_undone_by_a_key(browser: Browser, tmp_path: Path) -> None:
    write_ledger(tmp_path)
    with RunningPage(tmp_path, is_open=True) as running, opened(browser, running.url) as page:
        running.add_pictures()
        go(page, "review")
        pair = page.get_attribute("[data-pair]", "data-pair")
        page.keyboard.press("s")
        page.wait_for_selector("text=Nothing to review")
        page.keyboard.press("z")
        page.wait_for_selector(f'[data-pair="{pair}"]')
        assert running.state.ledger_view.current_id(2) == 2


def test_why_leads_from_a_track_that_goes_on_to_the_decision_behind_it(browser: Browser, tmp_path: Path) -> None:
    write_ledger(tmp_path)
    track = TrackId("gate", 0, 1)
    decided = make_sighting(1, track, 0, make_path(500, 10), Outcome.MATCHED)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([replace(decided, runner_up=Match(3, 0.4), probability=0.7)])
    going = make_sighting(1, track, 1, make_path(510, 10), Outcome.MATCHED)
    ledger.append([replace(going, gates=("the track goes on",))])
    ledger.close()
    with RunningPage(tmp_path, is_open=True) as running, opened(browser, running.url) as page:
        running.add_pictures()
        go(page, "person/1")
        page.locator('[data-key="why gate/0/1 1"]').click()
        page.wait_for_selector("dialog >> text=The decision behind it")
        assert "70 %" in page.inner_text("dialog")


def test_a_merge_of_two_who_were_seen_at_once_warns(browser: Browser, tmp_path: Path) -> None:
    write_ledger(tmp_path)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([make_sighting(8, TrackId("east", 0, 8), path=make_path(0, 10))])
    ledger.close()
    with RunningPage(tmp_path, is_open=True) as running, opened(browser, running.url) as page:
        go(page, "person/1")
        page.get_by_role("button", name="Merge with").click()
        page.get_by_label("Person number").fill("8")
        page.wait_for_selector("text=were seen at the same time: in east")
        page.get_by_role("button", name="Merge all the same").click()
        page.wait_for_selector("text=is now shown as")
        assert running.state.ledger_view.current_id(8) == 1


def test_an_operator_who_is_removed_while_watching_sees_the_login(browser: Browser, tmp_path: Path) -> None:
    with RunningPage(tmp_path) as running:
        for role in (Role.OPERATOR, Role.ADMINISTRATOR):
            running.accounts.put(role.value, PASSWORD, role, None)
        with opened(browser, f"{running.url}/#/people?camera=west") as page:
            page.get_by_label("Name").fill("operator")
            page.get_by_label("Password").fill(PASSWORD)
            page.keyboard.press("Enter")
            page.wait_for_selector(".page-people[data-ready] [data-person]")
            running.accounts.log_out("operator")
            page.get_by_label("Password").fill(PASSWORD)  # the login, and then the same page as before
            page.get_by_label("Name").fill("operator")
            page.keyboard.press("Enter")
            page.wait_for_selector(".page-people[data-ready]")
            assert page.url.endswith("#/people?camera=west")
            assert page.locator("[data-person]").count() == 2
            running.accounts.drop("operator")
            page.wait_for_selector(".login")


def test_a_journey_is_played_from_camera_to_camera(browser: Browser, tmp_path: Path) -> None:
    with RunningPage(tmp_path, is_open=True) as running, opened(browser, running.url) as page:
        parts = [TrackPart(TrackId("east", 0, 1), 0), TrackPart(TrackId("west", 0, 1), 0)]
        for number, part in enumerate(parts):
            times = (10.0 * number, 10.0 * number + 0.5)
            running.state.pictures.put_clip(Clip(part, times, make_jpeg(number, (96, 80)), ((), ())))
        go(page, "person/1")
        page.get_by_role("button", name="Play journey").click()
        page.wait_for_selector('dialog[data-loaded="4"] canvas[data-frame="3"]')
        assert "west" in page.inner_text("dialog .player")
        page.get_by_label("Time").fill("0")
        assert "east" in page.inner_text("dialog .player")
        with page.expect_download() as saved:
            page.get_by_role("link", name="Save as film").click()
        assert saved.value.suggested_filename == "journey-1.mp4"


def test_an_alert_is_played(browser: Browser, tmp_path: Path) -> None:
    with RunningPage(tmp_path, is_open=True) as running, opened(browser, running.url) as page:
        part = TrackPart(TrackId("east", 0, 1), 0)
        running.state.pictures.put_clip(Clip(part, (0.0, 0.5), make_jpeg(1, (96, 80)), ((), ())))
        go(page, "alerts")
        page.locator('[data-alert="dwell/1/0.5"]').get_by_role("button", name="Play").click()
        page.wait_for_selector('dialog[data-loaded="2"] canvas[data-frame]')


def test_the_clip_of_an_alert_plays_in_the_page(browser: Browser, tmp_path: Path) -> None:
    write_ledger(tmp_path)
    track = TrackId("east", 0, 2)
    alert = Alert("zone/3/30", "zone", Severity.CRITICAL, 3, "east", 30.0, 31.0, "Enters.", (track,), clip="a.mp4")
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([alert])
    ledger.close()
    clip = Clip(TrackPart(track, 0), (30.0, 30.5), make_jpeg(1, (96, 80)), ((), ()))
    (tmp_path / "a.mp4").write_bytes(journey_film([clip]))
    with RunningPage(tmp_path, is_open=True) as running, opened(browser, running.url) as page:
        go(page, "alerts")
        page.locator('[data-alert="zone/3/30"]').get_by_role("button", name="Clip").click()
        page.wait_for_function("() => document.querySelector('dialog video').currentTime > 0")
