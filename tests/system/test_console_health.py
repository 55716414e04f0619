"""The page *Health* in a browser, over the output of a run that took frames in batches."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from console_browser import chromium, go, opened
from console_page import RunningPage
from playwright.sync_api import Browser
from running import start

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def test_the_page_shows_how_many_inputs_the_calls_of_a_network_really_had(browser: Browser, tmp_path: Path) -> None:
    words = ("site=demo", "runtime=inline", "reproducible=false", "source.file.seconds=6", "sink=[jsonl]")
    run = start([*words, f"output_dir={tmp_path}"])
    _, output = run.communicate(timeout=200)
    assert run.returncode == 0, output
    calls = json.loads((tmp_path / "status.json").read_text())["busy"]["detect"]["calls"]
    sizes = sorted((int(size), count) for size, count in calls.items())
    assert max(size for size, _ in sizes) > 1, "four cameras wait for one detector"
    shown = ", ".join(f"{count} × {size}" for size, count in sizes)
    mean = sum(size * count for size, count in sizes) / sum(count for _, count in sizes)
    with RunningPage(tmp_path, is_open=True) as page_of_run, opened(browser, page_of_run.url) as page:
        go(page, "health")
        row = page.locator("tr:has(td:text-is('detect'))").inner_text()
    found = row.split("\t")[-1].strip()
    assert found.endswith(f"({shown})")
    assert float(found.split(" ")[0]) == pytest.approx(mean, abs=0.06)
