"""Cameras over TLS: a real RTSP server and a real HTTP server behind TLS, and certificates of several authorities."""

import io
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from certificates import Authority
from clips import make_clip
from http_receiver import serving
from PIL import Image
from rtsp_server import RtspServer
from tls_tunnel import tls_tunnel

from connectors.sources.live import LiveSource
from pipeline.config.composition import load_config
from pipeline.config.plugins import build_source
from pipeline.core.errors import ConfigError
from pipeline.core.interfaces import Source

pytestmark = pytest.mark.slow


class MotionJpeg(BaseHTTPRequestHandler):
    """A camera that sends JPEG pictures over HTTP without end."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        image = np.random.default_rng(7).integers(0, 255, (48, 64, 3), np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG")
        try:
            for _ in range(200):
                head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {buffer.tell()}\r\n\r\n"
                self.wfile.write(head.encode() + buffer.getvalue() + b"\r\n")
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    make_clip(folder / "long.mp4", num_frames=200, fps=20, codec_options={"bf": "0", "g": "10"})
    return folder


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder, "authority")


@pytest.fixture(scope="module")
def camera(folder: Path, authority: Authority) -> Iterator[int]:
    """The port of a camera whose certificate is for 127.0.0.1."""
    with RtspServer(folder) as server, tls_tunnel(authority.sign("camera"), server.port) as port:
        yield port


def make(uri: str, *overrides: str, **options: object) -> LiveSource:
    source = load_config(["site=empty", *overrides]).source
    made = build_source("east", {"uri": uri, "open_timeout_s": 5.0, **options}, source)()
    assert isinstance(made, LiveSource)
    return made


def shape_of_first(source: LiveSource) -> tuple[int, ...]:
    frames = source.frames()
    shape = next(frames).image.shape
    source.close()
    return shape


def test_a_camera_is_trusted_whose_authority_is_named(camera: int, authority: Authority) -> None:
    source = make(f"rtsps://127.0.0.1:{camera}/long.mp4", f"source.rtsp.ca_file={authority.path}")
    assert shape_of_first(source)[2] == 3
    assert not source.report().is_unverified


def test_a_camera_that_the_system_does_not_know_is_refused_with_the_reason(camera: int) -> None:
    expected = r"got a certificate that is not trusted \(.*(issuer|self.signed).*\); check .* as ca_file"
    with pytest.raises(ConfigError, match=expected):
        make(f"rtsps://127.0.0.1:{camera}/long.mp4").check()


def test_a_camera_of_another_authority_is_refused(camera: int, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    with pytest.raises(ConfigError, match="not trusted"):
        make(f"rtsps://127.0.0.1:{camera}/long.mp4", f"source.rtsp.ca_file={other.path}").check()


def test_a_certificate_for_another_address_is_refused(camera: int, authority: Authority) -> None:
    uri = f"rtsps://localhost:{camera}/long.mp4"
    with pytest.raises(ConfigError, match=r"not trusted \(Hostname mismatch"):
        make(uri, f"source.rtsps.ca_file={authority.path}").check()
    assert shape_of_first(make(uri, verify=False))[2] == 3  # so the name alone was wrong


def test_not_to_verify_is_a_choice_that_is_reported(camera: int) -> None:
    source = make(f"rtsps://127.0.0.1:{camera}/long.mp4", verify=False)
    assert shape_of_first(source)[2] == 3
    assert source.report().is_unverified


def test_a_camera_over_https_is_verified_too(folder: Path, authority: Authority) -> None:
    with serving(MotionJpeg) as address:
        assert shape_of_first(make(f"{address}/video")) == (48, 64, 3)
        with tls_tunnel(authority.sign("https"), int(address.rsplit(":", 1)[1])) as port:
            uri = f"https://127.0.0.1:{port}/video"
            assert shape_of_first(make(uri, ca_file=str(authority.path))) == (48, 64, 3)
            with pytest.raises(ConfigError, match="not trusted"):
                make(uri).check()


@pytest.fixture
def files(folder: Path, authority: Authority) -> Iterator[str]:
    """The address of a web server over TLS that has the folder."""

    class Files(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

    with serving(Files) as address, tls_tunnel(authority.sign("files"), int(address.rsplit(":", 1)[1])) as port:
        yield f"https://127.0.0.1:{port}"


def test_a_recording_of_a_server_that_is_not_trusted_is_refused_with_the_reason(
    files: str, authority: Authority
) -> None:
    recording(f"{files}/long.mp4", f"source.rtsp.ca_file={authority.path}").check()
    expected = r"got a certificate that is not trusted .*; name its authority, or its own certificate, as .*ca_file"
    with pytest.raises(ConfigError, match=expected):
        recording(f"{files}/long.mp4").check()


def test_a_recording_that_a_server_does_not_give_is_refused_with_its_answer(files: str, authority: Authority) -> None:
    with pytest.raises(ConfigError, match=r"got .*404.*; check the address, the user and the password"):
        recording(f"{files}/absent.mp4", f"source.rtsp.ca_file={authority.path}").check()


def recording(uri: str, *overrides: str) -> Source:
    return build_source("east", uri, load_config(["site=empty", *overrides]).source)()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_holds_no_authority_is_an_error_before_anything_starts(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"ca_file: expected certificates in PEM, got .*ca\.pem"):
        make("rtsps://127.0.0.1:1/a", ca_file=str(path))
