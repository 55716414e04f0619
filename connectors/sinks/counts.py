"""Counts of people: lines, zones, cameras, ways between them, and visitors, corrected as identities are.

Needs: nothing.
Guarantee: exactly once by ``flush``; sightings that are written again change nothing.
When slow: ``write`` waits for the disk.
Secrets: facts about parts of tracks are personal data, in a file that only its owner can read.
"""

import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from connectors.counting.export import write_table
from connectors.counting.reader import CountReader
from connectors.counting.store import FILE, CountingStore
from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.zones import parse_lines, parse_zones
from pipeline.camera.tracking import longest_part_s
from pipeline.core import Record, Sighting
from pipeline.core.errors import ConfigError, ReidError, SinkBusyError
from pipeline.counts.facts import FactFinder
from pipeline.counts.heat import cells_of
from pipeline.counts.rows import Row

if TYPE_CHECKING:
    from connectors.sinks.kafka import KafkaSink

logger = logging.getLogger(__name__)

SETTLE_S = 5.0
"""Seconds of event time besides the longest part of a track after an interval until its rows are appended: parts
of lost tracks and first corrections come late. A larger value delays the rows."""

METRICS_EVERY_S = 15.0
"""Seconds between two writes of the metrics, as often as Prometheus usually looks."""


class CountSink:
    """Keeps what can be counted in ``counts.sqlite``, and writes ``counts.jsonl`` and ``counts.prom``.

    During the run, the rows of each interval are appended to ``counts.jsonl`` once it is over, as they are then. At the
    end the file is written anew with all corrections applied. ``counts.prom`` is in the text format of Prometheus, for
    the textfile collector of its node exporter.

    Args:
        output_dir: Output folder of the run.
        zones: Of the site.
        lines: Of the site.
        ground: By camera, three rows that take pixels to metres.
        every_s: Length of an interval, seconds, at least 1.
        keep_hours: Hours of event time that facts are kept, above 0.
        first_after_s: See ``TrackingStage``.
        part_s: See ``TrackingStage``.
        kafka: ``topic``, ``servers``, ``security``, ``partitions``, ``replication``: rows go to this topic too, under a
            key for each count, and again when a correction has changed them by the end. None: they do not.

    Raises:
        ConfigError: If a number is out of range, or a zone or line is none.
        ConnectorError: If a file cannot be opened.
    """

    def __init__(
        self,
        *,
        output_dir: str,
        zones: Mapping[str, object],
        lines: Mapping[str, object],
        ground: Mapping[str, object],
        every_s: float,
        keep_hours: float,
        first_after_s: float,
        part_s: float,
        kafka: Mapping[str, Any] | None = None,
    ) -> None:
        self.preflight(every_s=every_s, keep_hours=keep_hours, kafka=kafka)
        builder = AlertBuilder(name="counts", severity="info", group="sink")
        self._folder = Path(output_dir)
        self._store = CountingStore(self._folder / FILE)
        self._finder = FactFinder(
            parse_zones(zones, builder, ground), parse_lines(lines, builder, ground), self._store.last_point
        )
        self._ground = {camera_id: np.array(rows, np.float64) for camera_id, rows in ground.items()}
        self._every_s, self._keep_s = every_s, keep_hours * 3600
        self._settle_s = longest_part_s(first_after_s=first_after_s, part_s=part_s) + SETTLE_S
        self._now = float("-inf")
        self._next: float | None = None
        self._reader: CountReader | None = None
        self._wrote_metrics_at = time.monotonic()
        self._is_closed = False
        self._topic = None if kafka is None else _topic(kafka, self._folder)

    @staticmethod
    def preflight(*, every_s: float, keep_hours: float, kafka: Mapping[str, Any] | None = None, **_: object) -> None:
        """Raise ``ConfigError`` if a number is out of range, or the topic cannot be used."""
        if kafka is not None and not kafka.get("topic"):
            raise ConfigError("sink.counts.kafka.topic: expected the name of a topic, got none; give one")
        if not every_s >= 1:
            raise ConfigError(f"sink.counts.every_s: expected a number of at least 1, got {every_s}; correct it")
        if not keep_hours > 0:
            raise ConfigError(f"sink.counts.keep_hours: expected a number above 0, got {keep_hours}; correct it")

    def write(self, records: Sequence[Record]) -> None:
        """Store the facts of the sightings among the records.

        Raises:
            ConnectorError: If the disk is full.
        """
        for record in records:
            if isinstance(record, Sighting):
                facts, last = self._finder.of(record)
                self._store.put(facts)
                self._store.put_cells(cells_of(record, self._ground))
                for line, point in last.items():
                    self._store.put_last_point(line, facts[0].part, facts[0].until, point)
                self._now = max(self._now, facts[0].until)
                if self._next is None:
                    self._next = floor(facts[0].since / self._every_s) * self._every_s

    def flush(self) -> None:
        """Append the rows of intervals that are over, and write the metrics now and then."""
        while self._next is not None and self._next + self._every_s + self._settle_s <= self._now:
            self._append(self._next)
            self._next += self._every_s
        if time.monotonic() - self._wrote_metrics_at >= METRICS_EVERY_S:
            self._wrote_metrics_at = time.monotonic()
            self._write_metrics()
            self._store.forget(self._now - self._keep_s)
        self._send(())

    def close(self) -> None:
        """Write the files with all corrections applied; idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if (counted := self._counted()) is not None:
                part = self._folder / "counts.part.jsonl"
                rows = counted.rows(every_s=self._every_s)
                write_table(rows, part)
                os.replace(part, self._folder / "counts.jsonl")
                self._send(rows)  # those that were sent as they are now are recognised
                self._write_metrics()
        except (OSError, ReidError) as error:
            logger.error("counts: the files are not final: %s; passerby counts shows the final ones", error)
        finally:
            if self._reader is not None:
                self._reader.close()
            if self._topic is not None:
                self._topic.close()
            self._store.close()

    def _append(self, since: float) -> None:
        counted = self._counted()
        if counted is None:
            return
        rows = counted.rows(every_s=self._every_s, since=since, until=since + self._every_s)
        with (self._folder / "counts.jsonl").open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        self._send(rows)

    def _send(self, rows: Sequence[Row]) -> None:
        """Pass rows to the topic; while the broker is down they wait on the disk."""
        if self._topic is not None:
            with suppress(SinkBusyError):
                self._topic.write(rows)
                self._topic.flush()

    def _write_metrics(self) -> None:
        counted = self._counted()
        if counted is not None:
            part = self._folder / "counts.prom.part"
            part.write_text(counted.exposition())
            os.replace(part, self._folder / "counts.prom")

    def _counted(self) -> CountReader | None:
        """Return the reader of the counts; None where there is no ledger."""
        if self._reader is None and (self._folder / "ledger.sqlite").is_file():
            self._reader = CountReader(self._folder)
        return self._reader


def _topic(kafka: Mapping[str, Any], folder: Path) -> "KafkaSink":
    """Return what sends rows; imported here, because counting needs no Kafka."""
    from connectors.sinks.kafka import KafkaSink

    return KafkaSink(
        servers=kafka["servers"],
        topics={"counts": kafka["topic"]},
        outbox=str(folder / "count_outbox.sqlite"),
        security=kafka["security"],
        partitions=kafka["partitions"],
        replication=kafka["replication"],
        dead_letters=None,
        max_waiting=1_000_000,
        open_timeout_s=2.0,
        flush_timeout_s=2.0,
    )
