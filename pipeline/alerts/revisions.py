"""The numbers of the states of alerts: 1, 2, 3 … for each alert, so that receivers know which state is newer."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from pipeline.core import Alert, AlertState

NUM_REMEMBERED = 20_000
"""Alerts whose newest number is known, those that changed last; a state of another one is numbered from 1 again.

More take more memory and larger snapshots, about 100 bytes each. A correction changes an alert again that has long been
over; an alert that it brings back has its number from the ledger.
"""


class Revisions:
    """Numbers alerts as they are told.

    Args:
        newest: By key of an alert: its newest number, and the person it was about then.

    Attributes:
        newest: The same as it is now.
    """

    def __init__(self, newest: Mapping[str, tuple[int, int]] | None = None) -> None:
        self.newest = dict(newest or {})

    def numbered(self, alert: Alert) -> Alert:
        """Return the next state of an alert with its number; at least the number that it has."""
        # An alert that is not known and not raised was raised by a version that did not number.
        before, _ = self.newest.pop(alert.key, (int(alert.state is not AlertState.RAISED), 0))
        revision = max(before + 1, alert.revision)
        self.newest[alert.key] = revision, alert.person_id
        if len(self.newest) > NUM_REMEMBERED:
            del self.newest[next(iter(self.newest))]
        return replace(alert, revision=revision)

    def reach(self, written: Mapping[str, int]) -> None:
        """Number later than what was written, by key, by somebody else: of a run that had ended."""
        for key in written.keys() & self.newest.keys():
            number, person_id = self.newest[key]
            self.newest[key] = max(number, written[key]), person_id

    def forget(self, person_ids: Collection[int]) -> None:
        """Forget the alerts about people who were erased."""
        self.newest = {key: known for key, known in self.newest.items() if known[1] not in person_ids}
