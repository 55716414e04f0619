"""Precision and recall of alert rules: the alerts of a run against those of the same rules over the ground truth."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.core import Alert

TOLERANCE_S = 2.0
"""Seconds by which two alerts about the same situation may miss each other: boxes jitter at the edge of a place, and
a track begins once its person was found. A larger value forgives more."""


@dataclass(frozen=True, slots=True)
class RuleScore:
    """How a rule did.

    Attributes:
        rule: Its name.
        num_true: Alerts of the ground truth.
        num_raised: Alerts of the run.
        num_right: Alerts of the run that have one of the truth, one to one.
    """

    rule: str
    num_true: int
    num_raised: int
    num_right: int

    @property
    def precision(self) -> float | None:
        """Share of the raised alerts that are right; None if there are none."""
        return self.num_right / self.num_raised if self.num_raised else None

    @property
    def recall(self) -> float | None:
        """Share of the true alerts that were raised; None if there are none."""
        return self.num_right / self.num_true if self.num_true else None


def score_alerts(true: Iterable[Alert], raised: Iterable[Alert]) -> list[RuleScore]:
    """Return the score of each rule that raised an alert or should have, by name.

    An alert is right if the truth has one of the same rule and place at that time. Which number the person has does
    not matter here: the score of identities says how right the numbers are.
    """
    true, raised = list(true), list(raised)
    scores = []
    for rule in sorted({alert.rule for alert in (*true, *raised)}):
        expected = [alert for alert in true if alert.rule == rule]
        got = [alert for alert in raised if alert.rule == rule]
        scores.append(RuleScore(rule, len(expected), len(got), _num_pairs(expected, got)))
    return scores


def _num_pairs(expected: Sequence[Alert], got: Sequence[Alert]) -> int:
    """Return how many alerts can be paired one to one, those nearest in time first."""
    pairs = sorted(
        (abs(one.started_at - other.started_at), i, j)
        for i, one in enumerate(expected)
        for j, other in enumerate(got)
        if one.place == other.place and _meet(one, other)
    )
    taken_i: set[int] = set()
    taken_j: set[int] = set()
    for _, i, j in pairs:
        if i not in taken_i and j not in taken_j:
            taken_i.add(i)
            taken_j.add(j)
    return len(taken_i)


def _meet(one: Alert, other: Alert) -> bool:
    ends = [max(alert.raised_at, alert.ended_at or alert.raised_at) for alert in (one, other)]
    return one.started_at <= ends[1] + TOLERANCE_S and other.started_at <= ends[0] + TOLERANCE_S
