"""Sends sightings and alerts to OpenTelemetry as spans, each in the trace of the frame that completed it.

Needs: opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http (extra ``traces``).
Guarantee: none. A span that the collector does not take in time is dropped.
When slow: drops spans. Only ``flush`` and ``close`` wait.
Secrets: headers for the collector, from the library's own environment variable OTEL_EXPORTER_OTLP_HEADERS.
"""

import time
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from connectors.kafka.trace_context import HEADER, frame_traceparent
from pipeline.core import Alert, Record, Sighting

FIRST_DATE_S = 1e8
"""Unix seconds. Earlier times are of a recording that does not say when it began."""


class OpenTelemetrySink:
    """Sends a span for every sighting and every alert, from the time of its last frame until now.

    The trace is the one in the Kafka header ``traceparent``. No span names a person.

    Args:
        endpoint: URL at which the collector takes OTLP over HTTP, for instance ``http://127.0.0.1:4318/v1/traces``.
        timeout_s: Seconds within which the collector must answer.
    """

    kinds = (Sighting, Alert)
    may_drop = True

    def __init__(self, *, endpoint: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._provider = TracerProvider(resource=Resource.create({"service.name": "passerby"}), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=timeout_s)))
        self._tracer = self._provider.get_tracer("passerby")

    def write(self, records: Sequence[Record]) -> None:
        """Make spans of sightings and alerts."""
        attributes: dict[str, str | int]
        for record in records:
            if isinstance(record, Sighting):
                track_id = record.track_id
                attributes = {"camera": track_id.camera_id, "track": str(track_id), "part": record.part}
                self._span("sighting", track_id.camera_id, record.last.captured_at, attributes)
            elif isinstance(record, Alert):
                attributes = {"camera": record.camera_id, "rule": record.rule, "state": record.state.value}
                self._span("alert", record.camera_id, record.raised_at, attributes)

    def flush(self) -> None:
        """Give the collector ``timeout_s`` seconds to take the spans."""
        self._provider.force_flush(round(self._timeout_s * 1000))

    def close(self) -> None:
        """Disconnect; idempotent."""
        self._provider.shutdown()

    def _span(self, name: str, camera_id: str, at: float, attributes: dict[str, str | int]) -> None:
        now = time.time()
        began_at = min(at, now) if at >= FIRST_DATE_S else now
        span = self._tracer.start_span(
            name, context=_frame_context(camera_id, at), start_time=_nanoseconds(began_at), attributes=attributes
        )
        span.end(_nanoseconds(now))


def _frame_context(camera_id: str, captured_at: float) -> Context:
    return TraceContextTextMapPropagator().extract({HEADER: frame_traceparent(camera_id, captured_at)})


def _nanoseconds(at: float) -> int:
    return round(at * 1e9)
