"""Recorded video in a browser: all cameras at one time, the marks on the axis, a person followed, a span saved."""

from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import pytest
from console_browser import chromium, go, opened
from console_page import RunningPage, write_ledger
from factories import make_path, make_sighting
from playwright.sync_api import Browser, Page, expect
from recorded import LEVELS_PER_S, brightness, record

from connectors.console.store.accounts import Role
from connectors.sinks.recording import RecordingSink
from pipeline.core import TrackId
from pipeline.ledger import Ledger

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

SHADE = """camera => {
    const video = document.querySelector(`[data-camera=${camera}] video`);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [16, 9];
    const pen = canvas.getContext("2d");
    pen.drawImage(video, 0, 0, 16, 9);
    return pen.getImageData(8, 4, 1, 1).data[0];
}"""
SHOWN = ".page-recordings[data-shown=yes]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningPage]:
    """Person 1 is in east until 2 s and in west from 10 s on; person 5 is in west from 30 s to 33 s."""
    write_ledger(tmp_path)
    late = make_sighting(5, TrackId("west", 0, 5), path=make_path(300, 30))
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([late])
    record(tmp_path, "east", 0.0, 50.0)
    record(tmp_path, "west", 5.0, 50.0)
    sink = RecordingSink(output_dir=str(tmp_path), keep_days=1.0, max_gb=1.0, people_only=False, around_s=2.0)
    sink.write([make_sighting(1, TrackId("east", 0, 1), 0, make_path(0, 10)), late])
    sink.close()
    ledger.close()
    with RunningPage(tmp_path, is_open=True) as page:
        yield page


def seconds_shown(page: Page, camera: str) -> float:
    """Return the moment that a camera's picture shows, as its brightness says."""
    return float((page.evaluate(SHADE, camera) - brightness(0.0)) / LEVELS_PER_S)


def show(page: Page, at: float) -> None:
    page.goto(f"{page.url.split('#')[0]}#/recordings?at={at}")
    page.wait_for_selector(f"{SHOWN} [data-camera=east][data-at^='{int(at)}.']")


def test_all_cameras_show_the_same_moment_wherever_the_axis_is_dragged(browser: Browser, running: RunningPage) -> None:
    with opened(browser, f"{running.url}/#/recordings?at=12.5") as page:
        for at in (12.5, 33.5):
            show(page, at)
            for camera in ("east", "west"):
                assert seconds_shown(page, camera) == pytest.approx(at, abs=0.5), camera
        track = page.locator("[data-row=west]")
        box = track.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + box["height"] - 2)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.71 * box["width"], box["y"] + box["height"] - 2, steps=4)
        page.mouse.up()
        page.wait_for_selector(f"{SHOWN} [data-camera=west][data-at^='35.']")  # of 50 s
        assert seconds_shown(page, "east") == pytest.approx(seconds_shown(page, "west"), abs=0.5)


def test_they_play_together_and_the_address_keeps_the_moment(browser: Browser, running: RunningPage) -> None:
    with opened(browser, f"{running.url}/#/recordings?at=26") as page:
        page.wait_for_selector(SHOWN)
        page.get_by_role("button", name="Play", exact=True).click()
        page.wait_for_selector("[data-camera=west]:is([data-at^='31.'], [data-at^='32.'])")  # across the end of a piece
        page.get_by_role("button", name="Pause").click()
        page.wait_for_selector(SHOWN)
        east, west = page.evaluate(
            "['east', 'west'].map((each) => Number(document.querySelector(`[data-camera=${each}]`).dataset.at))"
        )
        assert east == pytest.approx(west, abs=0.05), "two players stop within half a picture of each other"
        assert seconds_shown(page, "east") == pytest.approx(east, abs=0.5)
        assert float(page.url.split("at=")[1].split("&")[0]) == pytest.approx(east, abs=0.5)


def test_where_nothing_was_recorded_no_picture_stands(browser: Browser, running: RunningPage) -> None:
    with opened(browser, f"{running.url}/#/recordings?at=3") as page:
        page.wait_for_selector("[data-camera=west] >> text=Nothing is recorded here.")
        page.wait_for_selector("[data-camera=east] video")
        assert page.locator("[data-camera=west] video").count() == 0


def test_a_person_is_followed_from_camera_to_camera(browser: Browser, running: RunningPage) -> None:
    with opened(browser, f"{running.url}/#/person/1") as page:
        page.get_by_role("link", name="Watch recording").click()
        page.wait_for_selector(f"{SHOWN} .sighting")
        assert page.locator("[data-row=east] .sighting").count() == 1
        assert page.locator("[data-row=west] .sighting").count() == 1
        assert page.locator("[data-row=east] .alarm.warning").count() == 1, "the alert of 1 s"
        page.wait_for_selector("[data-camera=east].here")
        page.get_by_role("button", name="Next mark").click()
        page.get_by_role("button", name="Play", exact=True).click()
        page.wait_for_selector("[data-camera=west].here")
        page.wait_for_selector("text=Person 1 is not seen after this.")
        at = float(page.get_attribute("[data-camera=west]", "data-at") or "nan")
        assert 11 < at < 13, "what lies between was skipped"


def test_a_span_is_saved_and_the_audit_says_who_did(browser: Browser, running: RunningPage, tmp_path: Path) -> None:
    with opened(browser, f"{running.url}/#/recordings?at=20") as page:
        page.wait_for_selector(SHOWN)
        page.get_by_role("button", name="Save a span").click()
        page.wait_for_selector("dialog >> text=Save west")
        page.locator('[data-key="save from"]').fill("0:02")
        page.locator('[data-key="save from"]').press("Enter")
        page.wait_for_selector("dialog li:has-text('Save west') >> text=Not all of it was recorded")
        with page.expect_download() as saved:
            page.get_by_role("link", name="Save east").click()
        assert saved.value.suggested_filename == "east-2.mp4"
        saved.value.save_as(tmp_path / "saved.mp4")
    with av.open(str(tmp_path / "saved.mp4")) as film:
        assert list(film.decode(video=0))[-1].time == pytest.approx(33, abs=0.2)
    entry = running.state.ledger_view.audit()[-1]
    assert (entry.action, entry.subject) == ("export", "video of camera east from 2.000 to 35.000")


def test_who_is_erased_is_gone_from_the_video_that_is_shown(browser: Browser, running: RunningPage) -> None:
    with opened(browser, f"{running.url}/#/recordings?at=32") as page:
        page.wait_for_selector(f"{SHOWN} [data-camera=west] video")
        with httpx.Client(base_url=running.url, timeout=30) as client:
            goes = client.get("/api/people/5/erase").json()
            assert goes["video_s"] == pytest.approx(10, abs=0.5)
            csrf = {"x-csrf-token": client.get("/api/me").json()["csrf"] or ""}
            proof = client.post("/api/people/5/erase", json={"number": 5}, headers=csrf).json()
        assert proof["state"] == "done"
        assert proof["is_left"]["video_s"] == 0
        page.wait_for_selector("[data-camera=west] >> text=Nothing is recorded here.")
        expect(page.locator("[data-camera=west] video")).to_have_count(0)
        assert page.locator("[data-camera=east] video").count() == 1, "that camera did not see the person"


def test_a_user_sees_the_video_of_their_cameras_and_a_viewer_saves_none(tmp_path: Path) -> None:
    write_ledger(tmp_path)
    for camera in ("east", "west"):
        record(tmp_path, camera, 0.0, 12.0)
    span = {"since": 0.0, "until": 10.0}
    with RunningPage(tmp_path) as running:
        with running.client("mia", Role.OPERATOR, ("west",)) as client:
            assert [each["camera"] for each in client.get("/api/recordings").json()["cameras"]] == ["west"]
            assert list(client.get("/api/recordings/spans", params=span).json()["spans"]) == ["west"]
            for name in ("film", "export"):
                path = f"/api/recordings/{name}.mp4"
                assert client.get(path, params={**span, "camera": "east"}).status_code == 404
                assert client.get(path, params={**span, "camera": "west"}).status_code == 200
        with running.client("vic", Role.VIEWER) as client:
            assert client.get("/api/recordings/film.mp4", params={**span, "camera": "east"}).status_code == 200
            assert client.get("/api/recordings/export.mp4", params={**span, "camera": "east"}).status_code == 403
            refused = client.get("/api/recordings/film.mp4", params={"camera": "east", "since": 0.0, "until": 300.0})
            assert refused.status_code == 422
        looks = [(entry.by, entry.subject) for entry in running.state.ledger_view.audit() if entry.action == "look"]
        assert ("vic", "recorded video east") in looks
        with running.client() as client:
            assert client.get("/api/recordings/film.mp4", params={**span, "camera": "east"}).status_code == 401


def test_a_run_without_recorded_video_says_how_to_record(browser: Browser, tmp_path: Path) -> None:
    with RunningPage(tmp_path, is_open=True) as running, opened(browser, running.url) as page:
        go(page, "recordings")
        page.wait_for_selector("text=Start a run with the sink recording")
