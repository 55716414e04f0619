"""Alerts to an MQTT broker, with entities for Home Assistant.

Needs: paho-mqtt (extra ``mqtt``).
Guarantee: at-least-once by ``flush``; every message is retained, so that sending it again changes nothing.
When slow: the pipeline does not wait. Alerts wait in a bounded queue before this sink; then the oldest are dropped and
counted.
Secrets: user and password are in the URL, which comes from an environment variable.
"""

import logging
import socket
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from connectors.alerting.details import AlertDetailReader
from connectors.alerting.home_assistant import Entities
from connectors.alerting.incident_topics import IncidentTopics, TopicMessage
from connectors.alerting.mqtt_address import MqttAddress, parse_address
from connectors.alerting.severities import severities_from
from connectors.sinks.retry_pause import RetryPause
from pipeline.core import Alert, Record
from pipeline.core.errors import ConfigError, SinkBusyError

logger = logging.getLogger(__name__)

KEEP_ALIVE_S = 30
"""Seconds after which the broker takes a silent client for dead, and says ``offline`` for it. Smaller: more traffic."""

FIRST_RETRY_S = 1.0
MAX_RETRY_S = 30.0
"""Seconds before the next attempt after a failure; they double with every failure in a row up to the second."""

MAX_UNCONFIRMED = 300
"""Messages that wait for the broker's confirmation, at most. More hide more latency, and take more memory: pictures
are among them."""


MAX_BROKEN = 3
"""Connections in a row that the broker closes without confirming a message, before the largest one is left out: it is
above the broker's limit. More delay the alerts behind it; fewer take a bad network for that."""

SMALL_BYTES = 4096
"""Bytes of a message that every broker takes."""


class MqttSink:
    """Publishes each alert as retained JSON and a retained picture, updated in place until it is forgotten.

    ``<topic>/alerts/<id>`` has the alert and its details, ``<topic>/alerts/<id>/person`` and ``…/scene`` its JPEGs;
    ``<id>`` is made of the alert's key. A retracted alert is removed from the broker, pictures included, as is that of
    an erased person. Of the alerts that are over, the newest ``max_retained`` stay. ``<topic>/events`` has each change
    once, not retained. ``<topic>/status`` is ``online`` or, said by the broker, ``offline``.

    With ``discovery``, Home Assistant shows for each zone, line and camera whether an alert lasts there, and the newest
    picture, and an event for each change.

    Args:
        url: ``mqtt://user:password@host:1883``, or ``mqtts://``.
        ca_file: PEM file of the authorities to trust, for ``mqtts``; None: those of the system.
        topic: Root of the topics.
        discovery: Root of Home Assistant's discovery topics; None: no entities.
        places: Names of zones, lines and cameras.
        output_dir: Output folder of the run, for details and pictures.
        page: Address of the operator's page, for links; None: no links.
        time_zone: Of the local time in the details.
        picture_wait_s: Seconds to wait for a picture that is on its way.
        timeout_s: Seconds within which the broker must confirm.
        max_retained: Alerts that are over and stay on the broker, at most.
        min_severity: ``info``, ``warning`` or ``critical``; less severe alerts are not sent.

    Raises:
        ConfigError: If an argument cannot be used.
    """

    kinds = (Alert,)
    may_drop = True

    def __init__(
        self,
        *,
        url: str,
        ca_file: str | None,
        topic: str,
        discovery: str | None,
        places: Mapping[str, Sequence[str]],
        output_dir: str,
        page: str | None,
        time_zone: str,
        picture_wait_s: float,
        timeout_s: float,
        max_retained: int,
        min_severity: str,
    ) -> None:
        self._address = parse_address(url)
        self._root = checked_topic(topic, "topic")
        self._severities = severities_from(min_severity, "sink.mqtt")
        self._details = AlertDetailReader(output_dir=output_dir, page=page, time_zone=time_zone, key="sink.mqtt")
        self._incidents = IncidentTopics(self._root, max_retained=max_retained)
        self._entities = None
        if discovery is not None:
            self._entities = Entities(self._root, checked_topic(discovery, "discovery"), places)
        self._picture_wait_s, self._timeout_s = picture_wait_s, timeout_s
        self._pause = RetryPause(first_s=FIRST_RETRY_S, max_s=MAX_RETRY_S)
        self._logged: str | None = None
        self._why = "no answer yet"
        self._is_announced = False
        self._unconfirmed: deque[tuple[mqtt.MQTTMessageInfo, TopicMessage]] = deque()
        self._ca_file = ca_file
        self._client = self._make_client()
        self._is_started = False
        self._num_broken = 0
        self._too_large = float("inf")
        self._again: list[TopicMessage] = []

    @staticmethod
    def preflight(
        *,
        url: str,
        topic: str,
        discovery: str | None,
        output_dir: str,
        page: str | None,
        time_zone: str,
        min_severity: str,
        ca_file: str | None = None,
        **_: object,
    ) -> None:
        """Raise ``ConfigError`` if the constructor would; sends nothing."""
        _client(parse_address(url), ca_file, "status")
        checked_topic(topic, "topic")
        if discovery is not None:
            checked_topic(discovery, "discovery")
        severities_from(min_severity, "sink.mqtt")
        AlertDetailReader(output_dir=output_dir, page=page, time_zone=time_zone, key="sink.mqtt")

    def write(self, records: Sequence[Record]) -> None:
        """Publish the alerts among the records.

        Raises:
            SinkBusyError: If there is no connection, or too much is unconfirmed. None of the alerts was taken.
        """
        alerts = [record for record in records if isinstance(record, Alert) and record.severity in self._severities]
        if not alerts:
            return
        self._connect()
        self._settle(max_left=MAX_UNCONFIRMED)
        if not self._is_announced:
            self._announce()
        messages: list[TopicMessage] = []
        for alert in alerts:
            details = self._details.of(alert, wait_s=self._picture_wait_s)
            messages += self._incidents.messages(alert, details)
            if self._entities is not None:
                messages += self._entities.messages(alert, details)
        self._publish(messages)

    def flush(self) -> None:
        """Return once the broker has confirmed everything. Raises ``SinkBusyError`` if it has not, or is not there."""
        self._connect()
        self._settle(max_left=0)

    def close(self) -> None:
        """Say ``offline`` and disconnect; idempotent."""
        if self._is_started:
            if self._client.is_connected():
                said = self._client.publish(f"{self._root}/status", "offline", qos=1, retain=True)
                with suppress(RuntimeError):  # the connection has just broken; the broker says it then
                    said.wait_for_publish(1.0)
            self._client.disconnect()
            self._client.loop_stop()
            self._is_started = False
        self._details.close()

    def _make_client(self) -> mqtt.Client:
        client = _client(self._address, self._ca_file, f"{self._root}/status")
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        return client

    def _leave_out_largest(self) -> None:
        """Begin anew without the largest message, which the broker does not take: the client would send it for ever."""
        self._num_broken = 0
        waiting = [message for _, message in self._unconfirmed]
        size = max((len(message.payload) for message in waiting), default=0)
        if size <= SMALL_BYTES:
            return
        self._too_large = size
        logger.error(
            "sink.mqtt: %s closes the connection on messages of %d bytes; pictures of that size are left out from now "
            "on: raise its limit of a packet, or lower alert_pictures.max_side_px",
            *(self._address.shown, size),
        )
        self._client.disconnect()
        self._client.loop_stop()
        self._client, self._is_started = self._make_client(), False
        self._unconfirmed.clear()
        self._again += waiting

    def _connect(self) -> None:
        """Connect if it is time to; return once there is a connection."""
        if self._num_broken >= MAX_BROKEN:
            self._leave_out_largest()
        if self._client.is_connected():
            return
        pause_s = self._pause.left_s
        if pause_s > 0:
            raise SinkBusyError(f"sink.mqtt: {self._address.shown} is not available yet", retry_after_s=pause_s)
        try:
            if not self._is_started:
                self._client.connect(self._address.host, self._address.port, KEEP_ALIVE_S)
                self._client.loop_start()
                self._is_started = True
            give_up_at = time.monotonic() + self._timeout_s
            while not self._client.is_connected():
                if time.monotonic() >= give_up_at:
                    raise TimeoutError(self._why)
                time.sleep(0.005)
        except (OSError, ValueError) as error:
            raise self._busy(str(error) or type(error).__name__) from error
        self._pause.accepted()
        if self._logged is not None:
            logger.warning("sink.mqtt: %s takes alerts again", self._address.shown)
            self._logged = None
        if self._again:
            self._publish(self._again)
            self._again = []

    def _announce(self) -> None:
        """Continue where an earlier process stopped, and make the entities known."""
        known = self._details.known()
        self._incidents.resume(known)
        if self._entities is not None:
            self._entities.resume(known)
            self._publish(self._entities.announcements())
        self._is_announced = True

    def _publish(self, messages: Sequence[TopicMessage]) -> None:
        """Publish messages in order; the client sends them again after a broken connection."""
        try:
            for message in messages:
                if len(message.payload) >= self._too_large:
                    continue
                sent = self._client.publish(message.topic, message.payload, qos=1, retain=message.is_retained)
                if sent.rc != mqtt.MQTT_ERR_SUCCESS:  # the connection has just broken
                    raise self._busy(mqtt.error_string(sent.rc))
                self._unconfirmed.append((sent, message))
        except ValueError as error:
            raise self._busy(str(error)) from error

    def _settle(self, *, max_left: int) -> None:
        """Return once at most so many messages are unconfirmed.

        Raises:
            SinkBusyError: If that takes too long.
        """
        give_up_at = time.monotonic() + self._timeout_s
        while self._unconfirmed:
            with suppress(RuntimeError):  # it is not connected
                self._unconfirmed[0][0].wait_for_publish(
                    max(0.0, give_up_at - time.monotonic()) if len(self._unconfirmed) > max_left else 0.0
                )
            if self._unconfirmed[0][0].is_published():
                self._unconfirmed.popleft()
                self._num_broken = 0
            elif len(self._unconfirmed) <= max_left:
                return
            elif time.monotonic() >= give_up_at or not self._client.is_connected():
                raise self._busy("no confirmation in time")

    def _busy(self, reason: str) -> SinkBusyError:
        pause_s = self._pause.refused()
        if reason != self._logged:
            self._logged = reason
            logger.error("sink.mqtt: expected %s to take alerts, got %s; they wait", self._address.shown, reason)
        return SinkBusyError(
            f"sink.mqtt: expected {self._address.shown} to take alerts, got {reason}; trying again in {pause_s:g} s",
            retry_after_s=pause_s,
        )

    # These two run in the client's thread.

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._why = str(reason)
        if not reason.is_failure:
            client.publish(f"{self._root}/status", "online", qos=1, retain=True)

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._why = str(reason)
        self._num_broken += bool(reason.is_failure)


def checked_topic(topic: str, key: str) -> str:
    """Return a root of topics. Raises ``ConfigError`` if it cannot be one."""
    if not topic or topic.startswith("/") or topic.endswith("/") or any(sign in topic for sign in "+#\0 "):
        raise ConfigError(f"sink.mqtt.{key}: expected a topic like passerby, got {topic!r}; correct it")
    return topic


def _client(address: MqttAddress, ca_file: str | None, status_topic: str) -> mqtt.Client:
    """Return a client that is not connected yet.

    Raises:
        ConfigError: If the file of authorities cannot be used.
    """
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(MAX_UNCONFIRMED)
    client.on_socket_open = _send_at_once
    client.reconnect_delay_set(1, round(MAX_RETRY_S))
    client.will_set(status_topic, "offline", qos=1, retain=True)
    if address.user is not None:
        client.username_pw_set(address.user, address.password)
    if address.is_tls:
        try:
            client.tls_set(ca_file)
        except OSError as error:
            raise ConfigError(f"sink.mqtt.ca_file: expected a PEM file, got {ca_file} ({error}); correct it") from error
    return client


def _send_at_once(_client: mqtt.Client, _data: Any, connection: Any) -> None:
    """Switch off Nagle's algorithm: it holds each small message back until the one before is confirmed, 40 ms."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
