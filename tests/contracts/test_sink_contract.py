"""What every sink must do. A sink that needs a running server is tested with one in its own file."""

import json
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from factories import make_sighting
from http_receiver import serving
from omegaconf import OmegaConf
from plugins import ROOT, plugin_names

from pipeline.core import Alert, Correction, CorrectionKind, Severity, Sink, TrackId, TrackPart

TRACK = TrackId("east", 0, 1)
ALERT = Alert("dwell/1/4.5", "dwell", Severity.WARNING, 1, "east", 4.5, 6.0, "Stays.", (TRACK,))
RECORDS = [
    make_sighting(1, TRACK),
    make_sighting(2, TrackId("west", 0, 1)),
    ALERT,
    Correction(CorrectionKind.MERGED, (1, 2), "rule", 7.0),
    Correction(CorrectionKind.SPLIT, (1, 3), "ann", 8.0, (TrackPart(TRACK, 0),)),
    Correction(CorrectionKind.CONFIRMED, (1,), "ann", 9.0),
    Correction(CorrectionKind.ERASED, (3,), "ann", 10.0),
]
NEEDS_A_SERVER = {"alert_pictures", "apprise", "console", "mqtt", "open_telemetry"}


@dataclass(frozen=True)
class LaterRecord:
    """A kind of record that does not exist yet."""

    person_id: int


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
def factory(
    request: pytest.FixtureRequest, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Sink]:
    """The constructor call of a YAML, as ``pipeline/config/plugins.py`` makes it."""
    monkeypatch.setenv("PASSERBY_WEBHOOK_URL", address)
    if request.param == "kafka":
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", request.getfixturevalue("broker").servers)
    settings = OmegaConf.create(
        {
            "output_dir": str(tmp_path / "out"),
            "threads": 1,
            "site": {"cameras": {"east": "rtsp://10.0.0.1/a"}, "zones": {}, "lines": {}, "ground": {}},
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


def test_nothing_can_be_written(factory: Callable[[], Sink]):
    sink = factory()
    sink.write([])
    sink.flush()
    sink.close()


def test_every_kind_of_record_can_be_written_flushed_and_closed(factory: Callable[[], Sink]):
    sink = factory()
    sink.write(RECORDS)
    sink.flush()
    sink.close()


def test_records_may_come_one_by_one_with_a_flush_after_each(factory: Callable[[], Sink]):
    sink = factory()
    for record in RECORDS:
        sink.write([record])
        sink.flush()
    sink.close()


def test_the_same_records_may_be_written_again(factory: Callable[[], Sink]):
    sink = factory()
    sink.write(RECORDS)
    sink.write(RECORDS)
    sink.flush()
    sink.close()


def test_closing_twice_is_closing_once(factory: Callable[[], Sink]):
    sink = factory()
    sink.write(RECORDS)
    sink.flush()
    sink.close()
    sink.close()


def test_a_sink_that_was_never_written_to_can_be_closed(factory: Callable[[], Sink]):
    factory().close()


def test_records_of_later_kinds_are_ignored(factory: Callable[[], Sink]):
    sink = factory()
    sink.write([LaterRecord(1), *RECORDS, LaterRecord(2)])  # type: ignore[list-item]
    sink.flush()
    sink.close()


def test_its_constructor_call_can_be_sent_to_another_process(factory: Callable[[], Sink]):
    sink = pickle.loads(pickle.dumps(factory))()
    sink.write(RECORDS)
    sink.flush()
    sink.close()


def test_a_second_run_into_the_same_folder_works(factory: Callable[[], Sink]):
    for _ in range(2):
        sink = factory()
        sink.write(RECORDS)
        sink.flush()
        sink.close()
