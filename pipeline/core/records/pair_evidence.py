"""What a run has seen of people who went between two cameras."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PairEvidence:
    """Two cameras, either way. People and transits are the newest ones of a run, as many as the matcher keeps.

    Attributes:
        camera_ids: The two, sorted.
        num_people: People whom both have seen within two minutes.
        num_at_once: Those of them whom both saw at one time.
        num_transits: Transits that re-clustering can no longer undo.
        shortest_s: The shortest of these, seconds; 0 without any.
        quantiles_s: Their quantiles of 5, 50 and 95 %, seconds; empty without any.
        spread: Standard deviation of the logarithm of their times, by the median absolute deviation.
    """

    camera_ids: tuple[str, str]
    num_people: int = 0
    num_at_once: int = 0
    num_transits: int = 0
    shortest_s: float = 0.0
    quantiles_s: tuple[float, ...] = ()
    spread: float = 0.0
