"""What a sink has not delivered."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SinkReport:
    """What a sink has not delivered, and why.

    Attributes:
        num_waiting: Records that wait, in memory or on the disk.
        num_given_up: Records that it gave up for good: too many waited, or the receiver never takes them.
        refusal: Why the receiver takes nothing now; None while it does.
        why_given_up: Why the receiver never takes what was given up; empty if too many waited.
    """

    num_waiting: int = 0
    num_given_up: int = 0
    refusal: str | None = None
    why_given_up: str = ""
