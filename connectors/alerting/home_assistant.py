"""Entities of Home Assistant, by its MQTT discovery (https://www.home-assistant.io/integrations/mqtt).

For each place a binary sensor, on while an alert lasts there, and an image of the newest; and one event for all alerts.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from connectors.alerting.details import AlertDetails
from connectors.alerting.incident_topics import TopicMessage, alert_body, payload
from pipeline.core import Alert, AlertState

EVENTS = ("raised", "ended", "amended", "retracted", "acknowledged")
"""Types of the event entity."""


class Entities:
    """Announces entities, and says how they stand.

    Args:
        root: Root of the topics.
        discovery: Root of the discovery topics, ``homeassistant`` by default there.
        places: Names by kind: ``zone``, ``line``, ``camera``.
    """

    def __init__(self, root: str, discovery: str, places: Mapping[str, Sequence[str]]) -> None:
        self._root, self._discovery = root, discovery
        self._kinds = {name: kind for kind, names in places.items() for name in names}
        self._lasting: dict[str, dict[str, None]] = {}

    def resume(self, known: Iterable[Alert]) -> None:
        """Learn which alerts last, from before a restart."""
        for alert in known:
            if alert.ended_at is None and alert.state is not AlertState.RETRACTED:
                self._lasting.setdefault(alert.place or alert.camera_id, {})[alert.key] = None

    def announcements(self) -> list[TopicMessage]:
        """Return the messages that make Home Assistant know all entities, and where nothing lasts."""
        found = []
        for name, kind in self._kinds.items():
            found += [*self._entity("binary_sensor", name, kind), *self._entity("image", name, kind)]
            if not self._lasting.get(name):
                found.append(TopicMessage(f"{self._place(name)}/state", b"OFF"))
        event = {
            **self._about("alerts", "Alerts"),
            "event_types": EVENTS,
            "state_topic": f"{self._root}/home_assistant/event",
        }
        return [*found, TopicMessage(f"{self._discovery}/event/{self._node()}/alerts/config", payload(event))]

    def messages(self, alert: Alert, details: AlertDetails) -> list[TopicMessage]:
        """Return the messages that a change of an alert leads to, in order."""
        place = alert.place or alert.camera_id
        found = []
        if place not in self._kinds:  # of a rule that names its own places
            self._kinds[place] = "place"
            found += [*self._entity("binary_sensor", place, "place"), *self._entity("image", place, "place")]
        lasting = self._lasting.setdefault(place, {})
        is_over = alert.ended_at is not None or alert.state is AlertState.RETRACTED
        is_new = alert.state is AlertState.RAISED
        topic = self._place(place)
        if is_over:
            lasting.pop(alert.key, None)
        else:
            lasting[alert.key] = None
        if is_new and details.picture is not None:
            found.append(TopicMessage(f"{topic}/image", details.picture.scene))
        if alert.state is AlertState.RETRACTED:
            found += [TopicMessage(f"{topic}/image", b""), TopicMessage(f"{topic}/alert", b"{}")]
        else:
            found.append(TopicMessage(f"{topic}/alert", payload(alert_body(alert, details))))
        if is_new and is_over:  # what takes no time is on for a moment
            found.append(TopicMessage(f"{topic}/state", b"ON"))
        found.append(TopicMessage(f"{topic}/state", b"ON" if lasting else b"OFF"))
        kind = "ended" if alert.state is AlertState.AMENDED and is_over else alert.state.value
        event = {"event_type": kind, "rule": alert.rule, "place": place, "message": alert.message, "link": details.link}
        return [*found, TopicMessage(f"{self._root}/home_assistant/event", payload(event), is_retained=False)]

    def _entity(self, component: str, name: str, kind: str) -> list[TopicMessage]:
        topic, key = self._place(name), slug(name)
        config = self._about(f"{key}_{component}", f"{kind} {name}")
        if component == "image":
            config |= {"image_topic": f"{topic}/image", "content_type": "image/jpeg"}
        else:
            config |= {"state_topic": f"{topic}/state", "json_attributes_topic": f"{topic}/alert"}
            config |= {"device_class": "safety"}
        return [TopicMessage(f"{self._discovery}/{component}/{self._node()}/{key}/config", payload(config))]

    def _about(self, key: str, name: str) -> dict[str, object]:
        return {
            "name": name,
            "unique_id": f"{self._node()}_{key}",
            "availability_topic": f"{self._root}/status",
            "device": {"identifiers": [self._node()], "name": "Passerby", "manufacturer": "Passerby"},
        }

    def _node(self) -> str:
        return slug(self._root)

    def _place(self, name: str) -> str:
        return f"{self._root}/places/{slug(name)}"


def slug(name: str) -> str:
    """Return a name as topics and entities may have it; names that differ stay different.

    Example:
        >>> slug("door"), slug("left half"), slug("left_half")
        ('door', 'left_20half', 'left_5fhalf')
    """
    return re.sub(r"[^A-Za-z0-9-]", lambda sign: "".join(f"_{byte:02x}" for byte in sign[0].encode()), name)
