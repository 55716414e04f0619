"""Addresses of other servers of the cameras: what is refused, and what a user is told of them."""

import json
from pathlib import Path

import pytest
from console_page import RunningPage

from connectors.console.camera_address import LIVE_VIDEO, RECORDER, CameraAddress
from connectors.console.store.accounts import Role
from pipeline.core.errors import ConfigError

ADDRESS = "https://nvr.example/play?channel={channel}&from={iso}"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"addres": ADDRESS}, "addres: there is no such key"),
        ({"channels": {"east": 3}}, "address: expected an address"),
        ({"address": "javascript:alert({iso})"}, "expected http://"),
        ({"address": "/play?at={iso}"}, "expected http://"),
        ({"address": "https://[nvr/play?at={iso}"}, "expected http://"),
        ({"address": "https://ann:secret@nvr/play?at={iso}"}, "expected no user and password"),
        ({"address": "https://nvr/{camera}"}, "expected a place of the time"),
        ({"address": "https://nvr/{time}"}, "got {time}"),
        ({"address": "https://nvr/{iso!r}"}, "got {iso!r}"),
        ({"address": "https://nvr/{iso}}"}, "got }"),
        ({"address": "https://{camera}/{iso}"}, "expected http://"),
        ({"address": ADDRESS, "channels": [1, 2]}, "channels: expected"),
        ({"address": ADDRESS, "channels": {"east": {}}}, "channels: expected"),
    ],
)
def test_what_is_no_address_of_a_recorder_is_refused_with_its_key(values: dict[str, object], said: str) -> None:
    for read in (
        lambda: CameraAddress.of(RECORDER, values),
        lambda: CameraAddress.of_argument(RECORDER, json.dumps(values)),
    ):
        with pytest.raises(ConfigError) as refused:
            read()
        assert str(refused.value).startswith("console.recorder.")
        assert said in str(refused.value)
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize("text", ["[", "address", "3"])
def test_an_argument_that_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^console\.recorder: expected"):
        CameraAddress.of_argument(RECORDER, text)


def test_without_one_there_is_none() -> None:
    assert CameraAddress.of(RECORDER, None) is None
    assert CameraAddress.of(RECORDER, {}) is None
    assert CameraAddress.of_argument(RECORDER, None) is None


@pytest.mark.slow
def test_a_user_is_told_the_channels_of_their_cameras_alone(tmp_path: Path) -> None:
    recorder = CameraAddress.of(RECORDER, {"address": ADDRESS, "channels": {"east": 3, "west": "gate 4"}})
    with RunningPage(tmp_path / "run", recorder=recorder) as page:
        with page.client("olga") as client:
            everything = {"address": ADDRESS, "channels": {"east": "3", "west": "gate 4"}}
            assert client.get("/api/site").json()["recorder"] == everything
        with page.client("paul", Role.VIEWER, ("west",)) as client:
            assert client.get("/api/site").json()["recorder"]["channels"] == {"west": "gate 4"}
    with RunningPage(tmp_path / "other") as page, page.client("olga") as client:
        assert client.get("/api/site").json()["recorder"] is None


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:1984/{camera}", "expected ws://, wss://"),
        ("ws://127.0.0.1:1984/api/ws?src=east", "expected a place of the camera"),
        ("ws://127.0.0.1:1984/{camera}/{iso}", "got {iso}"),
    ],
)
def test_an_address_of_live_video_has_a_place_of_the_camera_and_none_of_a_time(address: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        CameraAddress.of(LIVE_VIDEO, {"address": address})
    assert str(refused.value).startswith("console.live_video.address: ")
    assert said in str(refused.value)


def test_the_address_of_a_camera_keeps_its_name_apart_from_the_rest() -> None:
    found = CameraAddress.of(LIVE_VIDEO, {"address": "ws://host/{camera}?src={channel}", "channels": {"a": "x&y"}})
    assert found is not None
    assert found.of_camera("a") == "ws://host/a?src=x%26y"
    assert found.of_camera("hall/1") == "ws://host/hall%2F1?src=hall%2F1"
