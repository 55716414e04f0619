"""An administrator accepts in a browser what a run has learned, and the matcher of the run obeys it."""

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import yaml
from console_browser import chromium, go, opened
from console_page import RunningPage
from people import see
from playwright.sync_api import Page, expect
from walkers import EVERY_S, Walkers, deliver, make_actor, status_of, write_config

from pipeline.ledger import LedgerReader

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


class RunningMatcher:
    """The matcher of a run that goes on, in a thread of its own: people walked, and now nobody is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        write_config(folder)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._at = (Walkers().num + 3) * EVERY_S

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._begin())
        self._going = asyncio.run_coroutine_threadsafe(self._go_on(), self._loop)
        return self

    def __exit__(self, *_: object) -> None:
        self._going.cancel()
        self._call(self.actor.finish(5.0))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cross(self, gap_s: float) -> list[int]:
        """Let a person whom nobody knows go from east to west, and return the numbers that they had."""
        return self._call(self._cross(gap_s))

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    async def _begin(self) -> None:
        self.actor = make_actor(self.folder)
        await deliver(self.actor, list(Walkers().embeddings()), self._at)
        (self.folder / "status.json").write_text(json.dumps(status_of(await self.actor.status())))

    async def _go_on(self) -> None:
        while True:
            await self.actor.status()  # which keeps the ledger its own
            self._at += 0.1
            await deliver(self.actor, [], self._at)
            await asyncio.sleep(0.2)

    async def _cross(self, gap_s: float) -> list[int]:
        at, number = self._at + 1.0, 1000 + int(self._at)
        vector = np.random.default_rng(number).standard_normal(64)
        vector = (vector / np.linalg.norm(vector)).astype(np.float32)
        first = see("east", number, at, at + 2.0, is_last=True, vector=vector)
        second = see("west", number, at + 2 + gap_s, at + 4 + gap_s, is_last=True, vector=vector)
        self._at = at + 30.0
        await deliver(self.actor, [first, second], self._at)
        reader = LedgerReader(self.folder / "ledger.sqlite")
        found = [each.person_id for each in reader.events() if each.kind == "sighting"][-2:]
        reader.close()
        return found


@pytest.fixture(scope="module")
def matcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMatcher]:
    with RunningMatcher(tmp_path_factory.mktemp("run")) as running:
        yield running


@pytest.fixture(scope="module")
def page(matcher: RunningMatcher) -> Iterator[Page]:
    with (
        chromium() as browser,
        RunningPage(matcher.folder, is_open=True) as running,
        opened(browser, running.url, locale="en-GB") as opened_page,
    ):
        yield opened_page


def test_a_transit_time_is_accepted_by_a_click_and_the_running_matcher_obeys_it(
    page: Page, matcher: RunningMatcher
) -> None:
    one, other = matcher.cross(1.0)
    assert one == other
    go(page, "site")
    row = page.locator('[data-learned="transit east west"]')
    expect(row).to_contain_text("transits, 90 % of them took")
    page.locator('[data-key="accept transit east west"]').click()
    page.wait_for_selector(".toast >> text=Version 2. The run follows these rules.")
    expect(row).to_have_count(0)
    (entry,) = yaml.safe_load((matcher.folder / "edits.yaml").read_text())["site"]["transit_times"]
    assert entry["between"] == ["east", "west"]
    one, other = matcher.cross(1.0)
    assert one != other

    page.locator(".toast").get_by_role("button", name="Undo").last.click()
    page.wait_for_selector(".toast >> text=Version 3. The run follows these rules.")
    expect(row).to_have_count(1)
    one, other = matcher.cross(1.0)
    assert one == other


def test_a_rejected_proposal_is_gone_and_what_is_drawn_stays_when_another_is_accepted(
    page: Page, matcher: RunningMatcher
) -> None:
    go(page, "site")
    page.locator('[data-key="reject no_overlap east west"]').click()
    page.wait_for_selector(".toast >> text=It comes back when the evidence changes.")
    expect(page.locator('[data-learned="no_overlap east west"]')).to_have_count(0)
    page.locator('[data-key="zone_dwell max_absence_s"]').fill("7")
    page.locator('[data-key="zone_dwell max_absence_s"]').press("Enter")
    page.locator('[data-key="accept transit east west"]').click()
    page.wait_for_selector(".toast >> text=Version 4. The run follows these rules.")
    expect(page.locator('[data-key="zone_dwell max_absence_s"]')).to_have_value("7")
    page.get_by_role("button", name="Save…").click()
    page.wait_for_selector(".diff >> text=max_absence_s")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector(".toast >> text=Version 5.")
    edits = yaml.safe_load((matcher.folder / "edits.yaml").read_text())
    assert edits["alerts"]["zone_dwell"]["max_absence_s"] == 7
    assert edits["site"]["transit_times"][0]["max_s"] == float("inf")
