"""What an undo brings back: the alerts as they were before the correction."""

from collections.abc import Iterable

from pipeline.core import Alert
from pipeline.ledger.events import Event


def alerts_before(alerts: Iterable[Event], event: int) -> list[Alert]:
    """Return the alerts that a correction changed and nothing has changed since, or whose change was undone.

    They are in their form of before.

    Args:
        alerts: All events of alerts, in order.
        event: Number of the correction's event. The alerts that followed from it are the events right after it.
    """
    before: dict[str, Alert] = {}
    after: dict[str, Alert] = {}
    newest: dict[str, Alert] = {}
    following = event + 1
    for found in alerts:
        if found.is_erased:
            continue
        alert = newest[found.alert().key] = found.alert()
        if found.number < event:
            before[alert.key] = alert
        elif found.number == following:
            following += 1
            after[alert.key] = alert
    return [before[key] for key, alert in after.items() if key in before and newest[key] == alert]
