"""Which MQTT topics an alert is in, and what is in them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from connectors.alerting.details import AlertDetails
from pipeline.core import Alert, AlertState
from pipeline.core.records.alert import incident_id
from pipeline.ledger.codec import to_dict


@dataclass(frozen=True, slots=True)
class TopicMessage:
    """One message.

    Attributes:
        topic: Where it goes.
        payload: Its content; empty: what is retained there is removed.
        is_retained: Whether the broker keeps it.
    """

    topic: str
    payload: bytes
    is_retained: bool = True


class IncidentTopics:
    """Publishes an alert under one topic until it is forgotten.

    Args:
        root: Root of the topics.
        max_retained: Alerts that are over and stay retained, at most.
    """

    def __init__(self, root: str, *, max_retained: int) -> None:
        self._root = root
        self._max_retained = max_retained
        self._over: dict[str, None] = {}
        self._retracted: dict[str, None] = {}

    def resume(self, known: Iterable[Alert]) -> None:
        """Learn which alerts are on the broker from before a restart, in the order of raising."""
        self._over = {incident_id(alert.key): None for alert in known if alert.ended_at is not None}

    def messages(self, alert: Alert, details: AlertDetails) -> list[TopicMessage]:
        """Return the messages about a change of an alert, in order."""
        incident = incident_id(alert.key)
        topic = f"{self._root}/alerts/{incident}"
        event = TopicMessage(f"{self._root}/events", payload(alert_body(alert, details)), is_retained=False)
        if alert.state is AlertState.RETRACTED:
            self._over.pop(incident, None)
            self._retracted[incident] = None
            while len(self._retracted) > self._max_retained:
                del self._retracted[next(iter(self._retracted))]
            return [*self._removed(incident), event]
        found = [TopicMessage(topic, payload(alert_body(alert, details)))]
        is_back = incident in self._retracted  # an undo brings it back, not always as raised
        self._retracted.pop(incident, None)
        if details.picture is not None and (is_back or alert.state is AlertState.RAISED):
            found = [
                TopicMessage(f"{topic}/person", details.picture.crop),
                TopicMessage(f"{topic}/scene", details.picture.scene),
                *found,
            ]
        self._over.pop(incident, None)
        if alert.ended_at is not None:
            self._over[incident] = None
        while len(self._over) > self._max_retained:
            oldest = next(iter(self._over))
            del self._over[oldest]
            found += self._removed(oldest)
        return [*found, event]

    def _removed(self, incident: str) -> list[TopicMessage]:
        topic = f"{self._root}/alerts/{incident}"
        return [TopicMessage(each, b"") for each in (topic, f"{topic}/person", f"{topic}/scene")]


def alert_body(alert: Alert, details: AlertDetails) -> dict[str, object]:
    """Return the JSON of an alert, as in ``alert.schema.json``, with its details under one more key."""
    return {**to_dict(alert), "details": details.body()}


def payload(value: object) -> bytes:
    """Return a value as JSON."""
    return json.dumps(value, allow_nan=False).encode("ascii")
