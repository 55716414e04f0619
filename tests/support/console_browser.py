"""Debian's Chromium, driven by Playwright; never a browser that Playwright downloads."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 60_000
"""Not what is measured: machines that test are busy."""


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
    """Give a page of its own that fails the test if a script fails or the browser refuses something."""
    wrong: list[str] = []
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("dialog", lambda shown: wrong.append(shown.message))
    page.goto(url)
    yield page
    page.close()
    context.close()
    assert [each for each in wrong if "401" not in each and "404" not in each] == []


def go(page: Page, name: str) -> None:
    """Show one page of the page, whole."""
    page.goto(f"{page.url.split('#')[0]}#/{name}")
    page.wait_for_selector(f".page-{name.split('/')[0]}[data-ready]")
