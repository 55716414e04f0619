"""The status of the match actor."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from pipeline.core.records.clock_offset import ClockOffset
from pipeline.core.records.pair_evidence import PairEvidence
from pipeline.core.records.sink_report import SinkReport

NUM_FRESH = 1000
"""Newest sightings over which the status reports freshness. More react later to a change."""


@dataclass(frozen=True, slots=True)
class MatchStatus:
    """Counts of a match actor since the start of the run, and the state now.

    Attributes:
        num_identities: Known people.
        num_sightings: Published sightings.
        num_corrections: Published corrections.
        num_alerts: Raised alerts, without amendments and retractions.
        num_late: Embeddings that arrived after their window had been processed.
        num_passed_over: Embeddings that were there already, from before a restart; they are processed once.
        num_sink_retries: Calls that a busy sink refused.
        num_waiting: Embeddings that wait for slower cameras.
        num_unusable: Embeddings that were left out because they were invalid.
        freshness_p95_s: Seconds from when the last frame of a sighting was due to its publication, 95th percentile of
            the last thousand; None before the first.
        calibration_labels: Pairs of tracks that were certainly two people.
        calibration_drift: Drift of the mean distance between different people since training, in standard deviations.
        calibration_model: Mean and standard deviation of appearance distances, of the same person and of different
            people: four numbers; empty before they are known.
        projection_version: Version of what the matcher learned of the cameras, as it reads embeddings; 0: as they are.
        clock_offsets: How far the clocks of cameras are apart, as far as people who were seen in several show it.
        pairs: What people who went between two cameras show.
        sinks: What remote sinks have not delivered, by name.
        epoch: A new one each time the match actor came back from its ledger.
        is_silent: Its process does not answer; the other values are those of its last answer.
    """

    num_identities: int = 0
    num_sightings: int = 0
    num_corrections: int = 0
    num_alerts: int = 0
    num_late: int = 0
    num_passed_over: int = 0
    num_sink_retries: int = 0
    num_waiting: int = 0
    num_unusable: int = 0
    freshness_p95_s: float | None = None
    calibration_labels: int = 0
    calibration_drift: float = 0.0
    calibration_model: tuple[float, ...] = ()
    projection_version: int = 0
    clock_offsets: tuple[ClockOffset, ...] = ()
    pairs: tuple[PairEvidence, ...] = ()
    sinks: Mapping[str, SinkReport] = field(default_factory=dict)
    epoch: str = ""
    is_silent: bool = False


def freshness_p95_s(latencies_s: deque[float]) -> float | None:
    """Return the 95th percentile of the newest latencies, seconds; None before the first."""
    newest = sorted(islice(reversed(latencies_s), NUM_FRESH))
    return newest[int(0.95 * (len(newest) - 1))] if newest else None
