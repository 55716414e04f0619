"""What a camera gets for what it hands over."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What a camera learns when it hands over.

    Attributes:
        epoch: Of the match actor; another one if it came back from its ledger since.
        is_accepted: False: it was handed over to an earlier life, and nothing was taken.
        judged_until: Unix seconds of event time until which everything is judged and in the ledger.
        safe_until: Unix seconds of event time until which everything is also published and safe.
    """

    epoch: str
    is_accepted: bool
    judged_until: float
    safe_until: float
