"""An administrator adds a camera to a run that goes on, in a browser: tried, added, removed, and taken back."""

import json
from pathlib import Path

import pytest
from console_browser import chromium, go, opened
from footage import write_clip
from rtsp_server import RtspServer, free_port
from running import interrupt, start
from test_changed_cameras import PUBLIC, SECRET, camera
from test_faults import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.shared, pytest.mark.slow, pytest.mark.timeout(600)]


def read_cameras(out: Path) -> set[str]:
    """The cameras that the run reads now."""
    try:
        return set(json.loads((out / "status.json").read_text())["cameras"])
    except (OSError, ValueError):
        return set()


def test_a_camera_is_tried_and_added_to_a_run_that_goes_on(clip: Path, tmp_path: Path, shared: Path) -> None:
    media, out, port = tmp_path / "media", tmp_path / "out", free_port()
    media.mkdir()
    write_clip(clip, media / "film.mp4", 40)
    with RtspServer(media) as server:
        url = server.url("film.mp4", endless=True)
        words = [f"weights_dir={shared / 'models'}", f"output_dir={out}", f"site.cameras={{east: {camera(url)}}}"]
        words += ["runtime=inline", "sink=[jsonl,console]", f"sink.console.port={port}"]
        run = start([*PUBLIC, *words])
        try:
            wait_for(lambda: read_cameras(out) == {"east"}, 240)
            with chromium() as browser, opened(browser, f"http://127.0.0.1:{port}/") as page:
                go(page, "site")
                page.wait_for_selector('[data-camera=east] >> text="is read"')
                page.locator('[data-key="new camera"]').click()
                page.locator('[data-key="camera camera"]').fill("yard")
                page.locator('[data-key="camera address"]').fill("rtsp://127.0.0.1:1/live")
                page.locator('[data-key="try camera"]').click()
                page.wait_for_selector("dialog .error >> text=Nothing listens at this address")
                page.locator('[data-key="camera address"]').fill(url)
                page.locator('[data-key="camera username"]').fill("ann")
                page.locator('[data-key="camera password"]').fill(SECRET)
                page.locator('[data-key="try camera"]').click()
                page.wait_for_selector("[data-trial=camera] >> text=768×576")
                page.locator('[data-key="save camera"]').click()
                page.wait_for_selector(".toast >> text=camera yard is added")
                wait_for(lambda: read_cameras(out) == {"east", "yard"}, 60)
                page.locator('[data-key="look at cameras"]').click()
                page.wait_for_selector('[data-camera=yard] >> text="is read"')
                page.locator('[data-key="drop yard"]').click()
                page.locator('[data-key="remove camera"]').click()
                page.wait_for_selector(".toast >> text=camera yard is removed")
                page.wait_for_selector('[data-camera=yard] >> text="removed"')
                wait_for(lambda: read_cameras(out) == {"east"}, 60)
                page.locator(".toast").get_by_role("button", name="Undo").last.click()
                page.wait_for_selector('[data-key="drop yard"]')
                wait_for(lambda: read_cameras(out) == {"east", "yard"}, 60)
                assert SECRET not in page.content()
        finally:
            finished = interrupt(run)
        (out / "status.json").unlink()
        anew = start([*PUBLIC, *words])  # it begins anew, with the camera that was kept
        try:
            wait_for(lambda: read_cameras(out) == {"east", "yard"}, 120)
        finally:
            interrupt(anew)
    assert finished.code == 0, finished.err
    assert SECRET not in finished.out + finished.err
    leaks = {path.parent.name for path in out.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()}
    assert leaks == {"camera_passwords"}
