"""The contract of sinks, for each YAML in configs/sink. One that needs a running server is tested in its own file."""

import json
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from http_receiver import serving
from omegaconf import OmegaConf
from plugins import ROOT, plugin_names

from pipeline.contracts.test_sink import *  # noqa: F403
from pipeline.contracts.test_sink import Factory

NEEDS_A_SERVER = {"alert_clips", "alert_pictures", "apprise", "console", "mqtt", "open_telemetry", "recording"}


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(Receiver) as address:
        yield f"{address}/"


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.kafka] if name == "kafka" else [])
        for name in plugin_names("sink")
        if name not in NEEDS_A_SERVER
    ]
)
def factory(request: pytest.FixtureRequest, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> Factory:
    """The constructor call of a YAML, as ``pipeline/config/plugins.py`` makes it."""
    monkeypatch.setenv("PASSERBY_WEBHOOK_URL", address)
    if request.param == "kafka":
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", request.getfixturevalue("broker").servers)
    settings = OmegaConf.create(
        {
            "output_dir": str(tmp_path / "out"),
            "threads": 1,
            "buffer": {"first_after_s": 1.0, "part_s": 3.0},
            "site": {"cameras": {"east": "rtsp://10.0.0.1/a"}, "zones": {}, "lines": {}, "masks": {}, "ground": {}},
        }
    )
    settings.source = OmegaConf.load(ROOT / "configs/source/kafka.yaml")
    settings.sink = OmegaConf.load(ROOT / "configs" / "sink" / f"{request.param}.yaml")
    calls = OmegaConf.to_container(settings.sink, resolve=True)
    assert isinstance(calls, dict)
    assert list(calls) == [request.param], "a sink's YAML nests itself under its own name"
    arguments = calls[request.param]
    module_name, class_name = arguments.pop("_target_").rsplit(".", 1)
    plugin = getattr(__import__(module_name, fromlist=[class_name]), class_name)
    return partial(plugin, **arguments)
