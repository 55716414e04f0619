"""What an operator reads of a camera that gives no picture."""

import json
from pathlib import Path

import pytest

from connectors.console.site_editing.camera_faults import FAULTS, for_operator

PAGE = Path(__file__).resolve().parents[4] / "connectors/console/page"
CHECK = "check address, user and password, that the camera is on, and that the network reaches it"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("Server returned 401 Unauthorized (authorization failed)", "refuses this user and password"),
        ("Server returned 404 Not Found", "has nothing at this address"),
        ("no machine named nowhere.invalid", "no host of this name"),
        ("Connection refused", "Nothing listens at this address"),
        ("no picture within 10 s", "does not answer in time"),
        ("Connection timed out", "does not answer in time"),
        ("Invalid data found when processing input", "is no video"),
        ("a connection or a disk that broke off", "broke off"),
    ],
)
def test_an_error_of_a_camera_is_a_sentence_without_keys_and_addresses(reason: str, said: str) -> None:
    for error in (
        f"site.cameras.yard: rtsp://***@10.0.0.9/live: expected pictures, got {reason}; {CHECK}",
        f"site.cameras.yard: expected pictures from rtsp://***@10.0.0.9/live, got {reason}; {CHECK}",
    ):
        told = for_operator(error, "yard", "")
        assert said in told
        assert "site.cameras" not in told
        assert "10.0.0.9" not in told


def test_an_error_that_is_not_known_stays_readable_and_shows_no_password() -> None:
    error = "site.cameras.yard: expected pictures, got a gremlin at rtsp://ann:s3cret@host/live s3cret"
    assert for_operator(error, "yard", "s3cret") == "The camera gives no picture: a gremlin at rtsp://***@host/live ***"


def test_an_error_of_an_option_names_the_field_alone() -> None:
    error = "site.cameras.yard.detector: expected one of onnx, passerby, got nonsense; correct it"
    assert for_operator(error, "yard", "") == "detector: expected one of onnx, passerby, got nonsense; correct it"


@pytest.mark.parametrize("path", sorted(PAGE.glob("languages/*.json")), ids=lambda path: path.stem)
def test_every_sentence_is_in_the_catalogue(path: Path) -> None:
    known = json.loads(path.read_text())["server"]
    assert [sentence for _, sentence in FAULTS if sentence not in known] == []
