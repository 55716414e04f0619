"""Debian's Chromium, driven by Playwright, which downloads no browser of its own."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_MS = 60_000
"""Longest wait for anything on a page, ms; generous, because test machines are busy."""


@contextmanager
def chromium() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no browser: apt-get install chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, url: str, **options: object) -> Iterator[Page]:
    """Open a page in a new context; fail the test if a script fails or the browser refuses something."""
    problems: list[str] = []
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("dialog", lambda shown: problems.append(shown.message))
    page.goto(url)
    yield page
    page.close()
    context.close()
    refused = ("401", "404", "409", "422")  # answers that a page shows in words
    found = [each for each in problems if not any(code in each for code in refused)]
    assert found == [], found


def go(page: Page, name: str) -> None:
    """Go to one view of the page, and wait until it is complete."""
    page.goto(f"{page.url.split('#')[0]}#/{name}")
    page.wait_for_selector(f".page-{re.split('[/?]', name)[0]}[data-ready]")
