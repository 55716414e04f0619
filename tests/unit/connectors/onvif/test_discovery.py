"""Cameras are found by multicast, and asked for their streams."""

import shlex
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from onvif_camera import LOOPBACK, OnvifCamera

from connectors.onvif.device import CameraRefusedError, OnvifDevice
from connectors.onvif.discovery import find_cameras, parse_xml, read_answer
from connectors.sources.recorded import RecordedCamera
from pipeline.cli.discover import main
from pipeline.config.composition import load_config
from pipeline.config.plan import make_plan

USER = ("ann", "s3crét&<")


def test_a_camera_answers_with_its_name_and_the_address_that_is_reached_from_here() -> None:
    with OnvifCamera() as camera:
        found = [each for each in find_cameras(timeout_s=0.5, interface=LOOPBACK) if each.address == camera.address]
    assert [(each.name, each.hardware) for each in found] == [("Tür Süd", "X-1")]


def test_streams_come_with_their_size_the_largest_first() -> None:
    with OnvifCamera(((640, 360), (1920, 1080)), user=USER) as camera:
        streams = OnvifDevice(camera.address, USER, timeout_s=2.0).streams()
    assert [(each.name, each.codec, each.size_wh, each.fps) for each in streams] == [
        ("P1", "H264", (1920, 1080), 15.0),
        ("P0", "H264", (640, 360), 15.0),
    ]
    assert streams[0].uri == f"rtsp://{LOOPBACK}:554/P1?a=1&b=2"


def test_user_and_password_go_to_the_camera_and_to_no_host_that_it_names() -> None:
    with OnvifCamera(user=USER, media_host="198.51.100.7") as camera:
        assert len(OnvifDevice(camera.address, USER, timeout_s=2.0).streams()) == 2


@pytest.mark.parametrize("user", [None, ("ann", "wrong")])
def test_a_wrong_password_is_said_and_never_shown(user: tuple[str, str] | None) -> None:
    with OnvifCamera(user=USER) as camera, pytest.raises(CameraRefusedError, match="password") as caught:
        OnvifDevice(camera.address, user, timeout_s=2.0).streams()
    assert "wrong" not in str(caught.value)


def test_the_printed_configuration_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CAMERA_PASSWORD", USER[1])
    with OnvifCamera(user=USER) as camera:
        host = f"{LOOPBACK}:{camera.port}"
        code = main(["--host", host, "--host", host, "--username", USER[0], "--password-env", "CAMERA_PASSWORD"])
    printed = capsys.readouterr().out
    assert code == 0
    assert USER[1] not in printed
    text = printed[printed.index("cameras:") : printed.index("\nor at once")]
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "mine.yaml").write_text(text)
    from_file = load_config([f"--config-dir={tmp_path}", "site=mine"])
    at_once = load_config(shlex.split(printed.splitlines()[-1])[2:])
    assert from_file.site.cameras == at_once.site.cameras == yaml.safe_load(text)["cameras"]
    assert len(from_file.site.cameras) == 2
    assert all(isinstance(make(), RecordedCamera) for make in make_plan(from_file).make_sources.values())


def test_a_camera_of_one_stream_is_read_from_it(capsys: pytest.CaptureFixture[str]) -> None:
    with OnvifCamera(((1920, 1080), (320, 180))) as camera:  # the small one is too small
        assert main(["--host", f"{LOOPBACK}:{camera.port}"]) == 0
    assert yaml.safe_load(capsys.readouterr().out.split("\n\n")[2])["cameras"].popitem()[1] == {
        "uri": f"rtsp://{LOOPBACK}:554/P0?a=1&b=2"
    }


def test_who_finds_nothing_is_told_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--host", "127.0.0.1:9"]) == 1
    assert "no answer from" in capsys.readouterr().out
    assert main(["--username", "ann"]) == 2
    assert main(["--interface", "203.0.113.9"]) == 2
    assert "--interface" in capsys.readouterr().err


@given(st.binary(max_size=300))
def test_an_answer_of_any_bytes_is_no_camera_and_no_crash(answer: bytes) -> None:
    assert read_answer(answer, LOOPBACK) == []


def test_an_answer_with_declarations_is_not_read() -> None:
    assert parse_xml(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>') is None
