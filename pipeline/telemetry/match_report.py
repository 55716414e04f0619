"""The result of a run, as the match actor counts it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.core.records.clock_offset import ClockOffset
from pipeline.core.records.pair_evidence import PairEvidence


@dataclass(frozen=True, slots=True)
class MatchReport:
    """The result of a run.

    Attributes:
        num_identities: People whom a camera has seen, after all corrections, as far as the ledger remembers.
        num_sightings: Published sightings.
        num_corrections: Published corrections.
        num_alerts: Raised alerts, without amendments and retractions.
        num_late: Embeddings that arrived after their window had been processed.
        num_passed_over: Embeddings that were there already, from before a restart; they are processed once.
        num_sink_retries: Calls that a busy sink refused.
        latencies_s: Seconds from when each sighting's last frame was due to its publication; of the newest ones.
        digest: sha256 of all published events.
        busy_s: Seconds of work: match, alert, publish.
        behind: Sinks that did not accept everything in time.
        clock_offsets: How far the clocks of cameras are apart, as far as people who were seen in several show it.
        pairs: What people who went between two cameras show.
        dropped: Records that a remote sink did not get, by sink.
        why_dropped: Why its receiver does not take them, by sink; none where it was too slow or down.
        unclosed: Why sinks could not be closed, by sink; what they write at the end may be missing.
    """

    num_identities: int
    num_sightings: int
    num_corrections: int
    num_alerts: int
    num_late: int
    num_sink_retries: int
    latencies_s: Sequence[float]
    digest: str
    busy_s: Mapping[str, float] = field(default_factory=dict)
    behind: Sequence[str] = ()
    num_passed_over: int = 0
    clock_offsets: tuple[ClockOffset, ...] = ()
    pairs: tuple[PairEvidence, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    unclosed: Mapping[str, str] = field(default_factory=dict)
    why_dropped: Mapping[str, str] = field(default_factory=dict)
