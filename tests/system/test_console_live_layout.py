"""The live page in a browser: cameras fit the screen, are shown in groups, alone, and page by page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from console_browser import chromium, go, opened
from console_page import RunningPage, write_ledger
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

SCREEN = {"width": 1440, "height": 900}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def page_of(browser: Browser, folder: Path, num: int) -> Iterator[Page]:
    write_ledger(folder)
    cameras = ", ".join(f"cam{number}: /a.mp4" for number in range(1, num + 1))
    groups = "{hall: [cam1, cam3]}"
    (folder / "config.yaml").write_text(f"site:\n  cameras: {{{cameras}}}\n  camera_groups: {groups}\n  ground: {{}}\n")
    with (
        RunningPage(folder, is_open=True, is_live=True) as running,
        opened(browser, f"{running.url}/#/live", viewport=SCREEN) as page,
    ):
        page.wait_for_selector(".page-live[data-ready]")
        yield page


@pytest.fixture
def four(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    yield from page_of(browser, tmp_path, 4)


@pytest.fixture
def twelve(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    yield from page_of(browser, tmp_path, 12)


def shown(page: Page) -> list[str]:
    return [each.get_attribute("data-camera") or "" for each in page.locator("figure.camera").all()]


def check_fits(page: Page) -> None:
    for camera in page.locator("figure.camera").all():
        box = camera.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= SCREEN["height"]
        assert box["x"] + box["width"] <= SCREEN["width"]


def test_four_cameras_fit_the_screen_and_are_as_large_as_that_allows(four: Page) -> None:
    assert len(shown(four)) == 4
    check_fits(four)
    sizes = [each.bounding_box() for each in four.locator("figure.camera canvas").all()]
    assert all(
        box is not None and box["width"] > 400 and abs(box["width"] / box["height"] - 16 / 9) < 0.05 for box in sizes
    )


def test_layouts_have_pages_and_the_address_keeps_them(twelve: Page) -> None:
    check_fits(twelve)
    assert len(shown(twelve)) == 12
    for layout, num in (("1", 1), ("4", 4), ("9", 9), ("16", 12)):
        twelve.locator('[data-key="layout"]').select_option(layout)
        expect(twelve.locator("figure.camera")).to_have_count(num)
        check_fits(twelve)
    twelve.locator('[data-key="layout"]').select_option("9")
    twelve.locator('[data-key="later"]').click()
    expect(twelve.locator("figure.camera")).to_have_count(3)
    assert shown(twelve) == ["cam10", "cam11", "cam12"]
    twelve.reload()
    expect(twelve.locator("figure.camera")).to_have_count(3)
    expect(twelve.locator('[data-key="later"]')).to_be_disabled()


def test_groups_are_those_of_the_site_and_ones_own_which_are_kept(four: Page) -> None:
    four.locator('[data-key="group"]').select_option("hall")
    expect(four.locator("figure.camera")).to_have_count(2)
    assert shown(four) == ["cam1", "cam3"]
    four.locator('[data-key="groups"]').click()
    four.locator('[data-key="group name"]').fill("mine")
    four.get_by_role("checkbox", name="cam1").uncheck()
    four.locator('[data-key="save group"]').click()
    expect(four.locator("figure.camera")).to_have_count(1)
    go(four, "people")
    go(four, "live")
    four.reload()
    four.locator('[data-key="group"]').select_option("mine")
    expect(four.locator("figure.camera")).to_have_count(1)
    assert shown(four) == ["cam3"]
    four.locator('[data-key="groups"]').click()
    four.get_by_role("button", name="Delete").click()
    expect(four.locator("figure.camera")).to_have_count(4)


def test_a_camera_is_shown_alone_and_all_again_and_full_screen(four: Page) -> None:
    four.locator('[data-key="enlarge cam2"]').click()
    expect(four.locator("figure.camera")).to_have_count(1)
    box = four.locator("figure.camera canvas").bounding_box()
    assert box is not None
    assert box["width"] > 900
    check_fits(four)
    four.locator('[data-key="enlarge cam2"]').click()
    expect(four.locator("figure.camera")).to_have_count(4)
    four.locator('[data-key="full"]').click()
    four.wait_for_function("() => document.fullscreenElement?.className.includes('cameras')")
    check_fits(four)


def test_only_cameras_that_are_seen_are_asked_for(four: Page) -> None:
    with four.expect_websocket(lambda socket: "cam2" in socket.url and "cam1" not in socket.url):
        four.locator('[data-key="enlarge cam2"]').click()


def test_a_camera_that_joins_or_leaves_the_site_does_so_on_the_open_page(four: Page, tmp_path: Path) -> None:
    config = (tmp_path / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(config.replace("cam4: /a.mp4", "cam5: /a.mp4"))
    expect(four.locator("figure.camera[data-camera=cam5]")).to_be_visible()
    assert shown(four) == ["cam1", "cam2", "cam3", "cam5"]
    check_fits(four)
