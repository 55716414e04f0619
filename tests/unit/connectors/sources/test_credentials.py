"""What is wrong with the user or password of a camera is one line that names the key; the camera is not asked."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from connectors.sources.live import LiveSource
from connectors.sources.network import NetworkOpener
from connectors.sources.video_file import VideoFileSource
from connectors.sources.web_file import WebFile
from pipeline.core import Source
from pipeline.core.errors import ConfigError

MISTAKES: list[tuple[Mapping[str, str], str]] = [
    (
        {"username": "ann"},
        "username: expected password_env or password_file with it, got neither; name one, or leave it out",
    ),
    ({"password_env": "THERE"}, "username: expected the user of the password, got none; name one"),
    (
        {"username": "ann", "password_env": "NOT_THERE"},
        "password_env: expected an environment variable, got NOT_THERE, which is not set; export it",
    ),
    (
        {"username": "ann", "password_file": "/none"},
        "password_file: expected a file, got No such file or directory for /none; correct it",
    ),
    (
        {"username": "ann", "password_env": "THERE", "password_file": "/none"},
        "password_file: expected no password_env beside it, got both; leave one out",
    ),
]


def live(given: Mapping[str, str], uri: str = "rtsp://127.0.0.1:1/s") -> Source:
    opener = partial(NetworkOpener, threads=1, **given)
    return LiveSource("east", uri, opener=opener, open_timeout_s=1.0, read_timeout_s=1.0)


def recording(given: Mapping[str, str], uri: str = "http://127.0.0.1:1/a.mp4") -> Source:
    return VideoFileSource("east", uri, files=partial(WebFile, **given))


@pytest.mark.parametrize(("given", "said"), MISTAKES)
@pytest.mark.parametrize(("make", "block"), [(live, "opener"), (recording, "files")])
def test_a_mistake_in_user_or_password_is_said_and_nothing_else(
    make: partial[Source], block: str, given: Mapping[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THERE", "s3cret")
    with pytest.raises(ConfigError) as caught:
        make(given).check()
    assert str(caught.value) == f"site.cameras.east: {block}.{said}"


@pytest.mark.parametrize(("make", "block"), [(live, "opener"), (recording, "files")])
def test_a_user_here_and_in_the_address_is_refused(make: partial[Source], block: str) -> None:
    given = {"username": "ann", "password_env": "THERE"}
    with pytest.raises(ConfigError) as caught:
        make(given, "rtsp://bob:s3cret@127.0.0.1:1/a.mp4").check()
    assert str(caught.value) == (
        f"site.cameras.east: {block}.username: expected user and password in the address or here, got both; "
        "leave one out"
    )


def test_a_password_in_another_encoding_is_said(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes("pässword".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"opener\.password_file: expected text in UTF-8, got other bytes in"):
        live({"username": "ann", "password_file": str(path)}).check()
