"""An administrator edits the site in the page, in a browser: zones are drawn, tried, saved and taken back."""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from console_browser import chromium, go, opened
from console_page import RunningPage
from factories import make_path, make_sighting
from PIL import Image
from playwright.sync_api import Page, expect

from connectors.sinks.mot import MotSink
from pipeline.config.composition import load_config, to_yaml
from pipeline.core import TrackId
from pipeline.ledger import Ledger

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder: Path = tmp_path_factory.mktemp("run")
    (folder / "config.yaml").write_text(to_yaml(load_config(["site=demo", f"output_dir={folder}"])))
    sightings = [make_sighting(1, TrackId("west", 0, 1), path=make_path(0, 100))]
    ledger = Ledger(folder / "ledger.sqlite")
    ledger.append(sightings)
    ledger.close()
    sink = MotSink(output_dir=str(folder), camera_ids=["west"], max_gap_s=0.0)
    sink.write(sightings)
    sink.close()
    with (
        chromium() as browser,
        RunningPage(folder, is_open=True) as running,
        opened(browser, running.url) as opened_page,
    ):
        yield opened_page


def click_at(page: Page, *shares: tuple[float, float]) -> None:
    """Select points of the picture, given as shares of it."""
    canvas = page.locator(".drawing canvas")
    box = canvas.bounding_box()
    assert box is not None
    for x, y in shares:
        canvas.click(position={"x": x * box["width"], "y": y * box["height"]})


def test_a_zone_is_drawn_tried_saved_and_taken_back(page: Page) -> None:
    go(page, "site")
    expect(page.locator(".drawing canvas")).to_have_attribute("width", "640")
    assert page.locator("[data-shape=plaza]").count() == 1
    page.get_by_role("button", name="New zone").click()
    click_at(page, (0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98), (0.02, 0.02))
    page.locator('[data-key="zone 1 name"]').fill("door")
    page.locator('[data-key="zone 1 name"]').press("Enter")
    page.locator('[data-key="door max_dwell_s"]').fill("2")
    page.locator('[data-key="door max_dwell_s"]').press("Enter")
    page.get_by_role("button", name="Try on this run").click()
    page.wait_for_selector("[data-trial] >> text=in 'door' for more than 2 s")
    page.get_by_role("button", name="Save…").click()
    page.wait_for_selector(".diff >> text=door")
    page.get_by_label("Reason").fill("the new door")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("text=Version 2. This run has ended. The next start follows these rules.")
    page.locator(".toast").get_by_role("button", name="Undo").last.click()
    page.wait_for_selector("text=Version 3.")
    assert page.locator("[data-shape=door]").count() == 0
    page.locator('[data-key="version 2"]').click()
    page.get_by_role("button", name="Go back to this version").click()
    page.wait_for_selector("[data-shape=door]")


def test_what_is_not_saved_outlives_a_look_at_another_page_and_a_mistake_is_said(page: Page) -> None:
    go(page, "site")
    page.locator('[data-key="zone_dwell max_absence_s"]').fill("-3")
    page.locator('[data-key="zone_dwell max_absence_s"]').press("Enter")
    go(page, "people")
    go(page, "site")
    expect(page.locator('[data-key="zone_dwell max_absence_s"]')).to_have_value("-3")
    page.locator('[data-key="save"]').click()
    page.wait_for_selector(".toast.bad >> text=max_absence_s")
    page.locator('[data-key="discard"]').click()
    expect(page.locator('[data-key="zone_dwell max_absence_s"]')).to_have_value("3")


def test_four_points_of_the_floor_are_drawn_back_with_their_error(page: Page) -> None:
    go(page, "site")
    page.locator("summary", has_text="Where the floor lies").click()
    for number, (x, y, along, across) in enumerate(
        ((0.1, 0.9, 0, 0), (0.9, 0.9, 6, 0), (0.7, 0.4, 6, 9), (0.3, 0.4, 0, 9))
    ):
        page.get_by_role("button", name="Set a point").click()
        click_at(page, (x, y))
        page.locator(f'[data-key="ground {number} 0"]').fill(str(along))
        page.locator(f'[data-key="ground {number} 1"]').fill(str(across))
    page.locator('[data-key="ground compute"]').click()
    page.wait_for_selector("[data-ground=found] >> text=4 of 4 points agree")
    page.locator('[data-key="ground use"]').click()
    page.wait_for_selector("text=This camera has a ground plane")
    page.locator('[data-key="discard"]').click()


def test_a_floor_plan_is_uploaded_given_a_scale_and_gives_the_metres_of_a_ground_point(page: Page) -> None:
    go(page, "site")
    page.reload()  # without the points of another task
    expect(page.locator(".drawing canvas")).to_have_attribute("width", "640")
    plan = BytesIO()
    Image.new("RGB", (400, 200), "white").save(plan, "PNG")
    files = {"name": "plan.png", "mimeType": "image/png", "buffer": plan.getvalue()}
    page.locator('[data-key="plan file"]').set_input_files(files)  # type: ignore[arg-type]
    page.wait_for_selector("[data-plan] >> text=It has no scale yet")
    page.locator('[data-key="plan set scale"]').click()
    canvas = page.locator("[data-plan] canvas")
    for x, y in ((50, 100), (350, 100)):
        canvas.click(position={"x": x, "y": y})
    page.locator('[data-key="plan length"]').fill("15")
    page.locator('[data-key="plan scale"]').click()
    page.wait_for_selector("[data-plan] >> text=20.0 × 10.0 m")
    page.locator("summary", has_text="Where the floor lies").click()
    page.get_by_role("button", name="Set a point").click()
    click_at(page, (0.1, 0.9))
    page.locator('[data-key="ground place 0"]').click()
    canvas.click(position={"x": 100, "y": 40})
    expect(page.locator('[data-key="ground 0 0"]')).to_have_value(re.compile("^(5|4.9|5.0)"))
    expect(page.locator('[data-key="ground 0 1"]')).to_have_value(re.compile("^(8|7.9|8.0)"))
    page.locator('[data-key="ground drop 0"]').click()
    page.locator('[data-key="plan drop"]').click()
    page.wait_for_selector("[data-plan] >> text=Upload a PNG")


def test_a_privacy_mask_is_drawn_and_covers_the_picture_from_then_on(page: Page) -> None:
    go(page, "site")
    page.reload()  # without messages of earlier versions
    expect(page.locator(".drawing canvas")).to_have_attribute("width", "640")
    page.get_by_role("button", name="New privacy mask").click()
    click_at(page, (0.02, 0.02), (0.5, 0.02), (0.5, 0.98), (0.02, 0.98), (0.02, 0.02))
    page.locator('[data-key="mask 1 name"]').fill("neighbour")
    page.locator('[data-key="mask 1 name"]').press("Enter")
    page.wait_for_selector("[data-masks] >> text=is taken away covers until the next start")
    page.locator('[data-key="save"]').click()
    page.wait_for_selector(".diff >> text=neighbour")
    page.wait_for_selector("dialog >> text=What was stored before stays as it is")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector(".toast >> text=The next start follows these rules")
    shown = page.evaluate(
        """async () => {
            const picture = await createImageBitmap(await (await fetch("/api/rules/picture?camera=west")).blob());
            const canvas = new OffscreenCanvas(640, 360);
            canvas.getContext("2d").drawImage(picture, 0, 0);
            return [...canvas.getContext("2d").getImageData(200, 200, 1, 1).data].slice(0, 3);
        }"""
    )
    assert all(abs(value - 64) < 8 for value in shown)
    page.locator(".toast").get_by_role("button", name="Undo").last.click()
    page.wait_for_selector("text=Version")
    expect(page.locator("[data-shape=neighbour]")).to_have_count(0)
