"""Spans for a collector that answers, and for one that does not."""

import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler

import pytest
from factories import make_sighting
from http_receiver import serving
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from rtsp_server import free_port

from connectors.kafka.trace_context import frame_traceparent
from connectors.sinks.open_telemetry import OpenTelemetrySink
from pipeline.core import Alert, Correction, CorrectionKind, FrameStamp, Severity, TrackId

TRACK = TrackId("east", 0, 1)


class Collector(BaseHTTPRequestHandler):
    """Keeps the spans that it receives."""

    spans: list[Span]

    def do_POST(self) -> None:
        request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    Collector.spans = []
    with serving(Collector) as address:
        yield f"{address}/v1/traces"


def test_a_sighting_and_its_alert_are_in_the_trace_of_their_frame(endpoint: str) -> None:
    taken_at = time.time() - 3
    sighting = replace(make_sighting(4, TRACK), last=FrameStamp("east", 40, taken_at))
    alert = Alert("dwell/4/1", "dwell", Severity.WARNING, 4, "east", taken_at - 9, taken_at, "Stays.", (TRACK,))
    sink = OpenTelemetrySink(endpoint=endpoint, timeout_s=5.0)
    sink.write([sighting, alert, Correction(CorrectionKind.MERGED, (4, 5), "rule", 7.0)])
    sink.flush()
    sink.close()
    sink.close()
    _, trace, frame, _ = frame_traceparent("east", taken_at).split("-")
    assert [span.name for span in Collector.spans] == ["sighting", "alert"]
    for span in Collector.spans:
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (trace, frame)
        assert span.start_time_unix_nano == round(taken_at * 1e9)
        assert span.end_time_unix_nano - span.start_time_unix_nano >= 3e9
        assert "person" not in str(span.attributes)


def test_times_of_a_recording_are_not_used_as_dates(endpoint: str) -> None:
    sink = OpenTelemetrySink(endpoint=endpoint, timeout_s=5.0)
    sink.write([make_sighting(4, TRACK)])
    sink.flush()
    sink.close()
    (span,) = Collector.spans
    assert span.start_time_unix_nano == span.end_time_unix_nano > 1e18


def test_a_missing_collector_does_not_block() -> None:
    sink = OpenTelemetrySink(endpoint=f"http://127.0.0.1:{free_port()}/v1/traces", timeout_s=0.2)
    for _ in range(20):
        sink.write([make_sighting(4, TRACK)] * 100)
    sink.flush()
    sink.close()
