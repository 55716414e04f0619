import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rtsp_server import free_port

from connectors.kafka.frame_message import Fault
from connectors.sources.video_file import INTERRUPTED
from pipeline.core.errors import ConfigError
from pipeline.core.records.sink_report import SinkReport
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.match_status import MatchStatus
from pipeline.telemetry.metrics import COUNTERS, GAUGES, LEFT_OUT
from pipeline.telemetry.metrics_server import Metrics, serve_metrics

LABELS = ("site", "camera", "outcome", "reason", "sink")
OF_OTHER_MESSAGES = {"of another camera", "without a value", "deleted by the broker", "dead letters lost"}


@contextmanager
def served() -> Iterator[tuple[Metrics, int]]:
    port = free_port()
    with serve_metrics("127.0.0.1", port) as (metrics,):
        yield metrics, port


def scraped(port: int) -> dict[str, float]:
    """Return the value of each series, by its name and the values of its labels."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = [sample for family in families for sample in family.samples]
    return {"/".join([each.name, *filter(None, map(each.labels.get, LABELS))]): each.value for each in samples}


def test_what_has_not_happened_is_counted_as_0_from_the_beginning() -> None:
    with served() as (metrics, port):
        metrics.show({"east": CameraStatus()}, MatchStatus(sinks={"jsonl": SinkReport()}))
        found = scraped(port)
    assert {name.split("/")[0] for name in found} == {f"ray_{name}" for name in (*COUNTERS, *GAUGES)}
    assert all(value == 0 for name, value in found.items() if "_total" in name)
    assert found["ray_reid_left_out_total/east/image"] == 0


def test_the_newest_status_of_each_site_is_served() -> None:
    with served() as (metrics, port):
        metrics.show({"east": CameraStatus(frames_processed=2)}, MatchStatus(num_sightings=1), "north")
        metrics.show({"east": CameraStatus(frames_processed=5, away="no route")}, MatchStatus(num_sightings=3), "north")
        metrics.show({"gate": CameraStatus(left_out={"fog": 4})}, MatchStatus(), "south")
        found = scraped(port)
    expected = {
        "ray_reid_frames_total/north/east/processed": 5.0,
        "ray_reid_camera_away/north/east": 1.0,
        "ray_reid_sightings_total/north": 3.0,
        "ray_reid_left_out_total/south/gate/fog": 4.0,
    }
    assert expected.items() <= found.items()


def test_nobody_listens_when_the_run_is_over() -> None:
    with served() as (_, port):
        pass
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=5):
        pass


def test_a_port_that_is_taken_is_named() -> None:
    with (
        served() as (_, port),
        pytest.raises(ConfigError, match=rf"metrics\.port: .*127\.0\.0\.1:{port}.*in use; choose a free port"),
        serve_metrics("127.0.0.1", port),
    ):
        pass


def test_nothing_is_served_unless_a_port_is_given() -> None:
    with serve_metrics("127.0.0.1", None) as metrics:
        assert metrics == []


def test_the_counters_of_all_reasons_of_our_sources_begin_at_0() -> None:
    assert {*Fault, *OF_OTHER_MESSAGES, INTERRUPTED} == {*LEFT_OUT}
