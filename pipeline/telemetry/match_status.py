"""How far the match actor has come."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MatchStatus:
    """How far the match actor has come; see ``MatchReport``.

    Attributes:
        num_identities: People known.
        num_sightings: Published.
        num_corrections: Published.
        num_alerts: Published.
        num_late: Embeddings that came after their turn.
        num_sink_retries: Batches that a sink did not take at once.
        num_waiting: Embeddings that wait for slower cameras.
        num_unusable: Embeddings that were left out because something was wrong with them.
        freshness_p95_s: Of the last thousand sightings: seconds from when the last frame was due to publication; None
            before the first.
        calibration_labels: Pairs of tracks that were certainly two people.
        calibration_drift: How far looks of different people are from those of training, in standard deviations.
        calibration_model: What distances of looks are taken to be like: mean and standard deviation of one person, and
            of two people; empty before it is known.
        epoch: Another one each time that it came back from its ledger.
    """

    num_identities: int = 0
    num_sightings: int = 0
    num_corrections: int = 0
    num_alerts: int = 0
    num_late: int = 0
    num_sink_retries: int = 0
    num_waiting: int = 0
    num_unusable: int = 0
    freshness_p95_s: float | None = None
    calibration_labels: int = 0
    calibration_drift: float = 0.0
    calibration_model: tuple[float, ...] = ()
    epoch: str = ""
