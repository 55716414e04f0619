"""A command and what came of it."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Command = TypeVar("Command")


@dataclass(frozen=True, slots=True)
class Submitted(Generic[Command]):
    """A command and its outcome.

    Attributes:
        number: 1, 2, 3 … in the order of submission.
        command: The command.
        state: ``pending``, ``done`` or ``refused``.
        outcome: What was done, or why it was refused.
    """

    number: int
    command: Command
    state: str
    outcome: str
