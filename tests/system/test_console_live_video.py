"""Live video of another server, in a browser: with who was seen at its moment, and only where it may be shown."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from console_browser import chromium, opened
from console_page import FEED_KEY, RunningPage
from factories import make_frame, make_stamp
from live_video_server import PERIOD_S, LiveVideoServer, moment
from playwright.sync_api import Browser, Page

from connectors.console.camera.monitor import FEED, LiveViewMonitor
from connectors.console.camera_address import CameraAddress
from pipeline.core import TrackId

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

SHOWN = """camera => {
    const canvas = document.querySelector(`[data-camera=${camera}] canvas`);
    const level = canvas.getContext("2d").getImageData(canvas.width - 4, canvas.height - 4, 1, 1).data[0];
    const { video, seen } = canvas.dataset;
    return [Number(video), level, seen ? Number(seen) : null, canvas.getAttribute("aria-label")];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def shown(page: Page) -> tuple[float, float, float | None, str]:
    """Return when a picture is said to be, when it is (within ``PERIOD_S``), when who is in it was seen, and who."""
    at, level, seen_at, label = page.evaluate(SHOWN, "east")
    return at, moment(level), seen_at, label


def feeding(running: RunningPage, page: Page, seconds: float) -> Iterator[None]:
    """Send what the pipeline sees in east, 0.4 s late: a person in the second half of each second."""
    address = {"url": running.url.replace("http", "ws") + "/feed", "key": FEED_KEY, "certificate": None}
    (running.settings.folder / FEED).write_text(json.dumps(address))
    options = {"max_rate_hz": 100.0, "max_side_px": 80, "jpeg_quality": 80, "blur_heads": False, "clip_rate_hz": 0.0}
    monitor = LiveViewMonitor("east", output_dir=str(running.settings.output_dir), **options)  # type: ignore[arg-type]
    box = np.array([50, 20, 90, 110], np.float32)
    for index in range(round(10 * seconds)):
        at = time.time() - 0.4
        boxes = {TrackId("east", 0, 1): box} if at % 1 > 0.5 else {}
        monitor.show(make_frame(make_stamp(index=index, captured_at=at)), boxes)
        page.wait_for_timeout(100)
        yield
    monitor.close()


def test_the_video_shows_its_moment_and_who_was_seen_then(browser: Browser, tmp_path: Path) -> None:
    with (
        LiveVideoServer("hall") as server,
        RunningPage(
            tmp_path, is_open=True, is_live=True, live_video=CameraAddress(server.address, {"east": "hall"})
        ) as running,
        opened(browser, f"{running.url}/#/live") as page,
    ):
        page.wait_for_selector("[data-camera=east] canvas[data-video]")
        assert all("avc1" in each and "mp4a" not in each for each in server.asked), "pictures without sound"
        offs, waits = [], []
        for number, _ in enumerate(feeding(running, page, 12.0)):
            at, of_picture, seen_at, label = shown(page)
            if number < 50:  # the camera is being connected, and the video waits for what is known of it
                continue
            offs.append((at - of_picture + PERIOD_S / 2) % PERIOD_S - PERIOD_S / 2)
            if seen_at is None or abs(seen_at % 0.5 - 0.25) < 0.24:  # what is said of it is rounded
                assert ("people 1" in label) == (seen_at is not None and seen_at % 1 > 0.5), "nobody of another moment"
            if seen_at is not None:
                waits.append(at - seen_at)
        assert np.median(np.abs(offs)) < 0.4, "the picture is of the moment that is said"
        assert min(waits) > -0.06
        assert np.median(waits) < 0.5, "who is drawn was seen just then"
        assert page.locator("[data-camera=west] canvas[data-video]").count() == 0, "it is no stream there"


def test_a_mask_that_is_saved_ends_the_video_at_once_and_pictures_go_on(browser: Browser, tmp_path: Path) -> None:
    with (
        LiveVideoServer("east", "west") as server,
        RunningPage(tmp_path, is_open=True, is_live=True, live_video=CameraAddress(server.address)) as running,
        opened(browser, f"{running.url}/#/live") as page,
    ):
        for camera in ("east", "west"):
            page.wait_for_selector(f"[data-camera={camera}] canvas[data-video]")
        assert server.num_open == 2
        mask = "{camera: east, polygon: [[0, 0], [1, 0], [1, 1]], relative: true}"
        (tmp_path / "edits.yaml").write_text(f"site: {{masks: {{window: {mask}}}}}\n")
        give_up_at = time.monotonic() + 30
        while server.num_open != 1:
            assert time.monotonic() < give_up_at
            page.wait_for_timeout(50)
        at = shown(page)[0]
        page.wait_for_timeout(1500)
        assert shown(page)[0] == at, "nothing more of it is shown"
