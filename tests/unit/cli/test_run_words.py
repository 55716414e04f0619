"""``passerby run``: what its words come to before anything is started."""

import shutil
from pathlib import Path

import pytest
import yaml
from rtsp_server import free_port

from pipeline.cli.run import run, show
from pipeline.telemetry.sites import write_sites


@pytest.mark.slow
def test_the_configuration_is_printed_with_its_secrets_masked(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(["site.cameras={a: 'rtsp://u:hunter2@host/s'}", "--cfg", "job", "replay.speed=2"]) == 0
    printed = capsys.readouterr().out
    assert "hunter2" not in printed
    assert yaml.safe_load(printed)["replay"]["speed"] == 2


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("site.leave_after_s=-1", "leave_after_s: expected "),
        ("replay.speed=0", "replay.speed: expected max or a number above 0, got 0"),
        ("detector.input_hw=[640]", "detector.input_hw: expected height and width in pixels, got [640]"),
        ("site.overlaps=[[east, absent]]", "site.overlaps: expected two of "),
        ("site.ground={east: [[1, 0], [0, 1]]}", "site.ground.east: expected a camera of "),
        ("runtime.kind=other", "runtime.kind: expected one of inline, ray, got other"),
    ],
)
def test_what_a_run_refuses_by_its_value_is_not_printed(
    word: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(["site=demo", word, "--cfg", "job"]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""


def test_a_place_without_cameras_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(["site=empty", "--cfg", "job"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["site"]["cameras"] == {}


@pytest.mark.parametrize("words", [["--cfg", "hydra"], ["--cfg=all"], ["-c"]])
def test_only_the_configuration_of_the_run_can_be_printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert show(words) == 2
    assert "expected job, the configuration of the run" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["resume=true"], "resume: expected the folder of an earlier run, got nothing at "),
        (["enrol={lost: /absent}"], "enrol.lost: expected a video file, got nothing at /absent"),
        (["weights_dir=/absent"], "weights_dir: expected a folder, got nothing at /absent"),
        (["site=pets"], "site.cameras.view_001: expected a video file, got nothing at "),
    ],
)
def test_what_is_absent_is_named_by_its_own_key(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PASSERBY_PETS09", raising=False)
    monkeypatch.setenv("PASSERBY_CACHE", str(tmp_path / "cache"))
    assert run([*words, f"output_dir={tmp_path / 'out'}", "runtime=inline"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {said}")
    if words == ["site=pets"]:
        assert "fetch vtest.avi" in line
        assert str(tmp_path / "cache/pets09") in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("also", [[], ["resume=true"]], ids=["anew", "continued"])
@pytest.mark.parametrize(
    ("words", "left", "said"),
    [
        (["site=demo"], "sites.json", "expected a folder for one site, got {}, which has the sites east, west"),
        (["sites={east: demo}"], "ledger.sqlite", "expected a folder for several sites, got {}, which has the ledger"),
    ],
)
def test_one_site_and_several_do_not_run_in_the_same_folder(
    words: list[str], left: str, said: str, also: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sites(tmp_path, {"east": None, "west": None})
    if left == "ledger.sqlite":
        (tmp_path / "sites.json").rename(tmp_path / left)
    assert run([*words, *also, f"output_dir={tmp_path}", "runtime=inline"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: output_dir: {said.format(tmp_path)}")
    assert [path.name for path in tmp_path.iterdir()] == [left]


@pytest.mark.slow
def test_a_home_folder_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    demo = Path(__file__).resolve().parents[3] / "connectors/synthetic/demo/north.mp4"
    shutil.copy(demo, tmp_path / "ö (1)=a.mp4")
    words = ["site.cameras={1: ~/ö (1)=a.mp4}", "source.file.seconds=1", "output_dir=~/o=1", "runtime=inline"]
    assert run([*words, "sink=[jsonl]"]) == 0
    assert (tmp_path / "o=1/sightings.jsonl").exists()


@pytest.mark.slow
def test_a_pose_network_that_nothing_asks_for_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["runtime=inline", "pose=passerby", "source.file.seconds=1", f"output_dir={tmp_path / 'out'}"]
    assert run(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: pose: expected an embedder that asks for keypoints, got one that does not")


@pytest.mark.slow
def test_a_run_is_continued_although_the_broker_of_its_events_is_down(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    demo = Path(__file__).resolve().parents[3] / "connectors/synthetic/demo/north.mp4"
    words = [f"site.cameras={{north: {demo}}}", "source.file.seconds=3", f"output_dir={tmp_path}", "runtime=inline"]
    down = ["sink=[jsonl,kafka]", f"sink.kafka.servers=127.0.0.1:{free_port()}", "flow.drain_s=1"]
    assert run([*words, *down]) == 2  # a run that begins says so instead
    assert run([*words, "detector=passerby"]) == 0
    assert run([*words, *down, "detector=passerby", "resume=true"]) == 0
    assert "sink.kafka: expected 127.0.0.1:" in caplog.text
