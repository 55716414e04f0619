"""Zones, lines and rules are edited through the page: checked as a run does, saved with a history, tried on the run."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np
import pytest
import yaml
from console_page import RunningPage
from factories import make_path, make_sighting

from connectors.console.site_editing.ground_points import ground_plane
from connectors.console.site_editing.versions import RuleStore
from connectors.console.store.accounts import Role
from connectors.sinks.mot import MotSink
from pipeline.config.composition import load_config, to_yaml
from pipeline.core import TrackId
from pipeline.core.errors import DataError
from pipeline.ledger import Ledger

ROOT = Path(__file__).parents[4]
DOOR = {"camera": "west", "relative": True, "polygon": [[-1, -1], [2, -1], [2, 2], [-1, 2]], "max_dwell_s": 1.0}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    folder = tmp_path_factory.mktemp("run")
    (folder / "config.yaml").write_text(to_yaml(load_config(["site=demo", f"output_dir={folder}"])))
    sightings = [make_sighting(1, TrackId("west", 0, 1), path=make_path(0, 100))]
    ledger = Ledger(folder / "ledger.sqlite")
    ledger.append(sightings)
    ledger.close()
    sink = MotSink(output_dir=str(folder), camera_ids=["west"], max_gap_s=0.0)
    sink.write(sightings)
    sink.close()
    with RunningPage(folder) as running:
        yield running


@pytest.fixture(scope="module")
def client(page: RunningPage) -> Iterator[httpx.Client]:
    with page.client("ada", Role.ADMINISTRATOR) as client:
        client.timeout = httpx.Timeout(120)
        yield client


def with_door(edits: dict) -> str:
    return yaml.safe_dump({**edits, "site": {**edits["site"], "zones": {"door": DOOR}}})


def test_edits_are_checked_saved_tried_and_taken_back(page: RunningPage, client: httpx.Client) -> None:
    found = client.get("/api/rules").json()
    assert (found["number"], found["state"]["name"]) == (0, "applied")
    assert list(found["edits"]["site"]["zones"]) == ["plaza"]
    text = with_door(found["edits"])
    checked = client.post("/api/rules/check", json={"rules": text}).json()
    assert any(line.startswith("+") and "door" in line for line in checked["diff"])
    tried = client.post("/api/rules/try", json={"rules": text}).json()
    assert (tried["num"], tried["num_now"]) == ({"zone_dwell": 1}, {})
    assert "door" in tried["alerts"][0]["message"]

    saved = client.put("/api/rules", json={"rules": text, "base": 0, "reason": "a door"}).json()
    assert (saved["number"], saved["state"]["name"]) == (2, "next_start")
    path = page.settings.output_dir / "edits.yaml"
    assert yaml.safe_load(path.read_text())["site"]["zones"] == {"door": DOOR}
    assert path.stat().st_mode & 0o077 == 0
    assert client.put("/api/rules", json={"rules": text, "base": 0}).status_code == 409  # somebody else's is newer

    back = client.post("/api/rules/1/restore", params={"base": 2}, json={}).json()
    assert back["number"] == 3
    again = client.get("/api/rules").json()
    assert again["edits"] == found["edits"]
    assert [each["by"] for each in again["versions"]] == ["ada", "ada", "the configuration"]
    assert any("door" in line for line in client.get("/api/rules/2").json()["diff"])
    audit = [(each["what"], each["about"]) for each in client.get("/api/audit").json()]
    assert ("rules saved", "version 2: a door") in audit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("site: {zones: {door: {camera: west}}}", "polygon"),
        ("sink: {jsonl: {}}", "expected some of site, alerts, alerting"),
        ("site: {zones: '${oc.env:HOME}'}", "got a reference"),
    ],
)
def test_what_a_run_would_not_take_is_not_saved(client: httpx.Client, text: str, message: str) -> None:
    newest = client.get("/api/rules").json()["number"]
    answer = client.put("/api/rules", json={"rules": text, "base": newest})
    assert answer.status_code == 422
    assert message in answer.json()["detail"]
    assert client.get("/api/rules").json()["number"] == newest


@pytest.mark.parametrize("change", ["site: {cameras: {yard: 'rtsp://10.0.0.9/live'}}", "site: {cameras: {west: null}}"])
def test_cameras_are_changed_in_no_route_of_the_rules(client: httpx.Client, change: str) -> None:
    newest = client.get("/api/rules").json()["number"]
    answers = [
        client.post("/api/rules/check", json={"rules": change}),
        client.post("/api/rules/try", json={"rules": change}),
        client.put("/api/rules", json={"rules": change, "base": newest}),
    ]
    assert [answer.status_code for answer in answers] == [422] * 3
    assert {answer.json()["detail"].partition(";")[0] for answer in answers} == {
        "site.cameras: cameras are changed in their own form"
    }


def test_a_mask_that_the_next_run_would_refuse_is_not_saved(page: RunningPage, client: httpx.Client) -> None:
    (page.settings.output_dir / "status.json").write_text('{"cameras": {"west": {"frame_hw": [360, 640]}}}')
    newest = client.get("/api/rules").json()["number"]
    mask = {"camera": "west", "polygon": [[900, 0], [1000, 0], [1000, 90]]}
    answer = client.put("/api/rules", json={"rules": yaml.safe_dump({"site": {"masks": {"m": mask}}}), "base": newest})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("site.masks.m: expected corners in a picture of 640x360, got others")
    assert client.get("/api/rules").json()["number"] == newest


SAVE = """
import sys
from pathlib import Path
from connectors.console.site_editing.versions import RuleStore
store = RuleStore(Path(sys.argv[1]))
while True:
    number = store.newest()
    store.save(f"# {number}" + "x" * 200_000, "", by="ann", reason="", base=number)
    print(number, flush=True)
"""


def test_a_page_that_is_killed_while_it_saves_leaves_the_newest_version_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "edits.yaml"
    for seed in range(6):
        with subprocess.Popen([sys.executable, "-c", SAVE, str(path)], cwd=ROOT, stdout=subprocess.PIPE) as page:
            assert page.stdout is not None
            page.stdout.readline()
            time.sleep(0.003 * seed)
            page.kill()
        store = RuleStore(path)
        assert store.text() == store.versions()[0].text
        store.close()


def test_a_save_that_was_cut_off_is_finished_where_the_history_has_it_and_else_was_none(tmp_path: Path) -> None:
    path = tmp_path / "edits.yaml"
    store = RuleStore(path)
    number = store.save("a: 1", "", by="ann", reason="", base=0)
    store.close()
    unfinished = path.with_name(".edits.yaml")
    unfinished.write_text("b: 2")
    RuleStore(path).close()
    assert path.read_text() == "a: 1", "nobody was told that b is saved"
    with closing(sqlite3.connect(tmp_path / "edits.history.sqlite")) as file, file:
        file.execute("INSERT INTO versions (at, by, reason, text) VALUES (0, 'ann', '', 'b: 2')")
    store = RuleStore(path)
    assert (store.newest(), store.text()) == (number + 1, "b: 2")
    store.close()


def test_only_an_administrator_who_sees_all_cameras_edits(page: RunningPage) -> None:
    for role, cameras in ((Role.OPERATOR, None), (Role.ADMINISTRATOR, ("west",))):
        with page.client("eve", role, cameras) as client:
            asked = [
                client.get("/api/rules"),
                client.get("/api/rules/1"),
                client.get("/api/rules/picture", params={"camera": "west"}),
                client.put("/api/rules", json={"rules": "", "base": 0}),
                client.post("/api/rules/check", json={"rules": ""}),
                client.post("/api/rules/try", json={"rules": ""}),
                client.post("/api/rules/1/restore", params={"base": 0}, json={}),
                client.post("/api/rules/ground", json={"pixels": [], "metres": []}),
            ]
            assert [answer.status_code for answer in asked] == [403] * len(asked)


def test_a_picture_of_a_recording_is_there_to_draw_on(client: httpx.Client) -> None:
    answer = client.get("/api/rules/picture", params={"camera": "west"})
    assert answer.content.startswith(b"\xff\xd8")
    assert client.get("/api/rules/picture", params={"camera": "../west"}).status_code == 404


def test_four_points_give_the_ground_of_the_demo_within_a_third_of_a_metre(client: httpx.Client) -> None:
    truth = np.array(yaml.safe_load((ROOT / "configs/site/demo.yaml").read_text())["ground"]["west"])
    pixels = [[120.0, 130.0], [540.0, 110.0], [600.0, 340.0], [60.0, 345.0], [320.0, 220.0]]
    metres = [place(truth, point) for point in pixels]
    clicked = [[round(x), round(y) + 1] for x, y in pixels]  # an operator is a pixel off
    found = client.post("/api/rules/ground", json={"pixels": clicked[:4], "metres": metres[:4]}).json()
    assert np.linalg.norm(np.subtract(place(np.array(found["rows"]), pixels[4]), metres[4])) < 0.3


def test_a_point_that_was_set_wrongly_is_left_out() -> None:
    homography = np.array([[0.02, 0.001, 1.0], [0.0, 0.03, 2.0], [0.0, 0.001, 1.0]])
    pixels = [[0.0, 0.0], [600.0, 0.0], [600.0, 400.0], [0.0, 400.0], [300.0, 200.0], [100.0, 300.0], [500.0, 120.0]]
    metres = [place(homography, point) for point in pixels]
    metres[5] = [metres[5][0] + 5.0, metres[5][1]]
    found = ground_plane(pixels, metres)
    assert found.is_used == [True] * 5 + [False, True]
    assert max(np.array(found.errors_m)[found.is_used]) < 0.01
    assert found.errors_m[5] == pytest.approx(5.0, abs=0.01)


@pytest.mark.parametrize("pixels", [[[0, 0], [1, 1]], [[0, 0], [10, 10], [20, 20], [30, 30]]])
def test_points_that_say_too_little_are_refused(pixels: list[list[float]]) -> None:
    with pytest.raises(DataError, match="points: expected"):
        ground_plane(pixels, [[float(x), 2.0 * y] for x, y in pixels])


def place(homography: np.ndarray, point: list[float]) -> list[float]:
    x, y, scale = homography @ [*point, 1.0]
    return [x / scale, y / scale]
