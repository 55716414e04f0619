"""What a run came to, as the match actor counts it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MatchReport:
    """What a run came to.

    Attributes:
        num_identities: People known.
        num_sightings: Published.
        num_corrections: Published.
        num_alerts: Published, without amendments and retractions.
        num_late: Embeddings that came after their turn.
        num_sink_retries: Batches that a sink did not take at once.
        latencies_s: Seconds from when each sighting's last frame was due to its publication; the newest ones.
        digest: sha256 of the result.
        busy_s: Seconds of work, by what it was.
        behind: Sinks that did not take everything in time.
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
