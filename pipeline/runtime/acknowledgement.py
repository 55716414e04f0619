"""What a camera gets for what it hands over."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a camera learns when it hands over.

    Attributes:
        life: Of the match actor; another one if it came back from its ledger since.
        is_taken: False: it was handed over to an earlier life, and nothing was taken.
        judged_until: Unix seconds of event time until which everything is judged and in the ledger.
        safe_until: Unix seconds of event time until which everything is also published and safe.
    """

    life: str
    is_taken: bool
    judged_until: float
    safe_until: float
