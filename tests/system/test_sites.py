"""Several sites in one job: each has the result that it has alone, and what breaks one does not end the others."""

import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from running import ROOT, interrupt, run, start

from pipeline.cli.status import main as status

pytestmark = [pytest.mark.shared, pytest.mark.slow]

BOXES = {"east": "[0, 0, 384, 576]", "west": "[384, 0, 768, 576]"}
FILES = ("sightings.jsonl", "corrections.jsonl", "alerts.jsonl", "mot/door.txt")


@pytest.fixture
def common(shared: Path) -> list[str]:
    return [f"weights_dir={shared / 'models'}", "detector=yolox_onnx", "embedder=omz_0288", "sink=[jsonl,mot]"]


def words_of(clip: Path) -> dict[str, list[str]]:
    """What each of two sites is alone; their cameras have one name, and the second has another matcher."""
    cameras = {site: f"site.cameras={{door: {{uri: {clip}, crop_xyxy: {box}}}}}" for site, box in BOXES.items()}
    return {"east": [cameras["east"]], "west": [cameras["west"], "matcher.window_s=0.25"]}


def of_job(words: dict[str, list[str]]) -> list[str]:
    return [f"sites.{site}.{word}" for site, own in words.items() for word in own]


def result(folder: Path) -> dict[str, object]:
    """Every file that a run writes about people, byte for byte, and its events and their chain in the ledger."""
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as ledger:
        events = list(ledger.execute("SELECT * FROM events ORDER BY number"))
    return {name: (folder / name).read_bytes() for name in FILES} | {"events": events}


def alone(words: Sequence[str], folder: Path) -> dict[str, object]:
    finished = run(["runtime=inline", *words, f"output_dir={folder}"])
    assert finished.code == 0, finished.err
    found = result(folder)
    assert found["sightings.jsonl"]
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("runtime", ["inline", pytest.param("ray", marks=pytest.mark.ray)])
def test_two_sites_in_one_job_have_the_results_that_each_has_alone(
    clip: Path, common: list[str], tmp_path: Path, runtime: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = words_of(clip)
    expected = {site: alone([*common, *own], tmp_path / site) for site, own in words.items()}
    assert expected["east"] != expected["west"]
    both = tmp_path / "both"
    finished = run([f"runtime={runtime}", *common, *of_job(words), f"output_dir={both}"], timeout_s=400)
    assert finished.code == 0, finished.err
    assert {site: result(both / site) for site in words} == expected
    busy = [json.loads((both / site / "status.json").read_text())["busy"]["detect"]["items"] for site in words]
    assert max(busy) > 40  # one detector has seen the 40 frames of each
    assert status([str(both)]) == 3
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == ["site east", "site west"]


@pytest.mark.timeout(600)
def test_a_site_that_cannot_start_does_not_keep_the_other_from_its_result(
    clip: Path, common: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = words_of(clip)
    expected = alone([*common, *words["east"]], tmp_path / "alone")
    both = tmp_path / "both"
    broken = {**words, "west": [f"site.cameras={{door: {tmp_path / 'nowhere.mp4'}}}"]}
    finished = run(["runtime=inline", *common, *of_job(broken), f"output_dir={both}"])
    assert finished.code == 2
    (error,) = finished.errors
    assert error.startswith("error: site west: site.cameras.door: ")
    assert result(both / "east") == expected
    assert status([str(both)]) == 1
    assert f"site west: {error.removeprefix('error: site west: ')}" in capsys.readouterr().out


@pytest.mark.timeout(600)
def test_a_job_that_was_stopped_goes_on_with_both_sites_and_one_that_is_new(
    clip: Path, common: list[str], tmp_path: Path
) -> None:
    words = words_of(clip)
    expected = {site: alone([*common, *own], tmp_path / site) for site, own in words.items()}
    both = tmp_path / "both"
    first = ["runtime=inline", *common, f"output_dir={both}"]
    process = start([*first, *of_job({"east": words["east"]}), "replay.speed=1"])
    deadline = time.monotonic() + 120
    while not (path := both / "east/sightings.jsonl").exists() or not path.read_bytes():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert interrupt(process).code == 0
    finished = run([*first, *of_job(words), "resume=true"])
    assert finished.code == 0, finished.err
    assert {site: result(both / site) for site in words} == expected


@pytest.mark.ray
@pytest.mark.timeout(600)
def test_a_camera_that_cannot_be_built_in_its_process_ends_its_own_site(
    clip: Path, common: list[str], tmp_path: Path
) -> None:
    words = words_of(clip)
    broken = ["source.file._target_=driver_source.DriverSource", "allow_plugins=[driver_source]", *words["west"]]
    both = tmp_path / "both"
    finished = run(
        ["runtime=ray", *common, *of_job({**words, "west": broken}), f"output_dir={both}"],
        timeout_s=400,
        PYTHONPATH=str(ROOT / "tests/support"),
    )
    assert finished.code == 1
    (error,) = finished.errors
    assert error.startswith("error: site west: site.cameras.door (driver_source.DriverSource): __init__ raised Runtime")
    assert result(both / "east") == alone([*common, *words["east"]], tmp_path / "alone")


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_a_matcher_that_is_lost_ends_its_own_site(clip: Path, common: list[str], tmp_path: Path) -> None:
    words = words_of(clip)
    expected = alone([*common, *words["east"]], tmp_path / "alone")
    both = tmp_path / "both"
    slow = ["runtime=ray", "runtime.max_restarts=0", "replay.speed=0.2", *common, *of_job(words)]
    process = start([*slow, f"output_dir={both}"])
    deadline = time.monotonic() + 300
    while not (path := both / "west/sightings.jsonl").exists() or not path.read_bytes():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    writer_of(process.pid, both / "west").kill()
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1, out + err
    assert "error: site west: match of west: its process died" in err
    assert result(both / "east") == expected


def writer_of(pid: int, folder: Path) -> psutil.Process:
    """Return the process below this one that has the ledger of a folder open."""
    ledger = str(folder / "ledger.sqlite")
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if any(file.path == ledger for file in process.open_files()):
                return process
        except psutil.Error:
            continue
    raise AssertionError(f"nobody writes {ledger}")
