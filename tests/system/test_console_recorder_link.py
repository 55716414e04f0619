"""Alerts and sightings link to another recorder, at their camera and their time."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from console_browser import chromium, opened
from console_page import CONFIG, RunningPage, write_ledger
from factories import make_path, make_sighting
from playwright.sync_api import Browser

from connectors.console.camera_address import CameraAddress
from pipeline.core import Alert, Severity, TrackId
from pipeline.ledger import Ledger

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

AT = 1_782_900_005.0
"""2026-07-01 10:00:05 UTC."""
RECORDER = CameraAddress(
    "https://nvr.example/{camera}?channel={channel}&from={iso}&at={compact}&s={unix_s}", {"east": "hall 3"}
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def test_alerts_and_sightings_lead_to_the_moment_in_the_other_recorder(browser: Browser, tmp_path: Path) -> None:
    ledger, track = Ledger(tmp_path / "ledger.sqlite"), TrackId("east", 0, 1)
    alert = Alert("dwell/1", "dwell", Severity.WARNING, 1, "east", AT, AT, "Stays long.", (track,))
    ledger.append([make_sighting(1, track, 0, make_path(round(10 * AT), 10)), alert])
    ledger.close()
    (tmp_path / "config.yaml").write_text(CONFIG)
    expected = (
        "https://nvr.example/east?channel=hall%203&from=2026-07-01T10%3A00%3A00Z&at=20260701T100000Z&s=1782900000"
    )
    with RunningPage(tmp_path, is_open=True, recorder=RECORDER) as running:
        for where in ("alerts", "person/1"):
            with opened(browser, f"{running.url}/#/{where}") as page:
                link = page.get_by_role("link", name="Other recorder").first
                assert link.get_attribute("href") == expected
                assert link.get_attribute("rel") == "noopener noreferrer"


def test_a_recording_whose_time_is_not_known_has_no_link(browser: Browser, tmp_path: Path) -> None:
    write_ledger(tmp_path)
    with (
        RunningPage(tmp_path, is_open=True, recorder=RECORDER) as running,
        opened(browser, f"{running.url}/#/alerts") as page,
    ):
        page.wait_for_selector(".page-alerts[data-ready]")
        assert page.get_by_role("link", name="Other recorder").count() == 0
