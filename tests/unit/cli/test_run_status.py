"""``passerby status``: the health of a run as an exit code."""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pytest

from pipeline.cli.status import main
from pipeline.core.records.sink_report import SinkReport
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.match_status import MatchStatus
from pipeline.telemetry.sites import write_sites


def write(
    folder: Path, *, age_s: float = 0.0, sinks: Mapping[str, SinkReport] | None = None, **cameras: CameraStatus
) -> None:
    folder.mkdir(exist_ok=True)
    status = {
        "at": time.time() - age_s,
        "cameras": {camera_id: asdict(camera) for camera_id, camera in cameras.items()},
        "match": asdict(MatchStatus(num_sightings=7, sinks=sinks or {})),
    }
    (folder / "status.json").write_text(json.dumps(status))


def test_a_run_that_follows_its_cameras_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, east=CameraStatus(), west=CameraStatus())
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}: 7 sightings, 2 cameras\n"


def test_a_run_that_has_ended_is_told_from_one_that_hangs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, age_s=100.0, east=CameraStatus())
    assert main([str(tmp_path)]) == 1
    (tmp_path / "summary.json").write_text("{}")
    assert main([str(tmp_path)]) == 3
    assert "the run has ended" in capsys.readouterr().out
    copy = shutil.copytree(tmp_path, tmp_path.with_name("copy"), copy_function=shutil.copyfile)  # times are new
    assert main([str(copy)]) == 3
    (tmp_path / "summary.json").unlink()  # as a run that goes on does
    write(tmp_path, east=CameraStatus())
    assert main([str(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        (CameraStatus(error="no such file"), "camera west: no such file"),
        (CameraStatus(away="no route to host"), "camera west: no route to host"),
        (CameraStatus(is_silent=True), "camera west: its process does not answer"),
    ],
)
def test_a_camera_that_is_not_followed_is_named(
    camera: CameraStatus, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, east=CameraStatus(), west=camera)
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [said]


def test_a_sink_that_is_refused_is_named_with_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = SinkReport(num_waiting=40, refusal="user line may not Write to alerts")
    write(
        tmp_path,
        sinks={"kafka": refused, "webhook": SinkReport(num_given_up=3)},
        east=CameraStatus(),
    )
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "sink kafka: 40 records wait: user line may not Write to alerts"
    ]


def test_a_status_that_is_no_longer_written_is_ill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, age_s=60.0, east=CameraStatus())
    assert main([str(tmp_path)]) == 1
    assert "its status is 60 s old" in capsys.readouterr().out


def test_of_several_runs_the_newest_counts(tmp_path: Path) -> None:
    write(tmp_path / "old", east=CameraStatus(error="gone"))
    time.sleep(0.02)
    write(tmp_path / "new", east=CameraStatus())
    assert main([str(tmp_path)]) == 0


def test_of_several_sites_each_is_told_and_the_worst_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = tmp_path / "job"
    write(tmp_path / "old", east=CameraStatus())
    for site in ("north", "south"):
        job.mkdir(exist_ok=True)
        write(job / site, east=CameraStatus())
    write_sites(job, {"north": None, "south": None})
    assert main([str(tmp_path)]) == main([str(job)]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        f"site north: {job}/north: 7 sightings, 1 cameras",
        f"site south: {job}/south: 7 sightings, 1 cameras",
    ]
    write_sites(job, {"north": None, "south": "the disk is gone"})
    assert main([str(job)]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == ["site south: the disk is gone"]
    write_sites(job, {"north": None, "south": None})
    (job / "south/summary.json").write_text("{}")
    assert main([str(job)]) == 0  # north goes on
    (job / "north/summary.json").write_text("{}")
    assert main([str(job)]) == 3
    (job / "north/status.json").unlink()
    assert main([str(job)]) == 2


def test_without_a_status_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "expected the output of a run that goes on" in capsys.readouterr().err
