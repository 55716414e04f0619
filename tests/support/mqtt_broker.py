"""An MQTT broker on loopback: mosquitto where it is installed, else the one of iotcore."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from rtsp_server import free_port


@contextmanager
def mqtt_broker(
    folder: Path, port: int | None = None, users: dict[str, str] | None = None, max_packet_bytes: int = 10_000_000
) -> Iterator[int]:
    """Run a broker until the block ends; yields its port. Users need mosquitto."""
    port = port or free_port()
    mosquitto = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    if mosquitto:
        lines = [
            f"listener {port} 127.0.0.1",
            f"max_packet_size {max_packet_bytes}",
            f"allow_anonymous {'false' if users else 'true'}",
        ]
        if users:
            lines.append(f"password_file {folder / 'users'}")
            (folder / "users").write_text("".join(f"{name}:{password}\n" for name, password in users.items()))
            subprocess.run([shutil.which("mosquitto_passwd") or "mosquitto_passwd", "-U", folder / "users"], check=True)
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        command = [mosquitto, "-c", str(folder / "mosquitto.conf")]
    else:
        options = f"listen='127.0.0.1', port={port}, max_payload_size={max_packet_bytes}"
        program = f"from iotcore.iotcore import IotCoreBroker; IotCoreBroker({options}).run_forever()"
        command = [sys.executable, "-c", program]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_ready(port)
        yield port
    finally:
        process.kill()
        process.wait()


class Subscriber:
    """Keeps what it receives, retained and not."""

    def __init__(self, port: int, topic: str = "#") -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        self._topic = topic
        self._is_subscribed = False
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _client, _data, message: self.messages.append(
            (message.topic, message.payload, message.retain)
        )
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self._client.on_subscribe = self._subscribed
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self.wait_for(lambda: self._is_subscribed)

    def _subscribed(self, *_: object) -> None:
        self._is_subscribed = True

    def wait_for(self, condition, timeout_s: float = 5.0) -> None:
        """Return once a condition holds; fail after a while."""
        give_up_at = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < give_up_at, [topic for topic, *_ in self.messages]
            time.sleep(0.005)

    def state(self) -> dict[str, bytes]:
        """The newest message of each topic; those that are empty are left out."""
        newest = {topic: payload for topic, payload, _ in self.messages}
        return {topic: payload for topic, payload in newest.items() if payload}

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def retained(port: int, topic: str = "#", settle_s: float = 0.3) -> dict[str, bytes]:
    """What a subscriber that comes now is told: by topic."""
    subscriber = Subscriber(port, topic)
    time.sleep(settle_s)
    subscriber.close()
    return {topic: payload for topic, payload, is_retained in subscriber.messages if is_retained}


def _wait_until_ready(port: int) -> None:
    give_up_at = time.monotonic() + 10
    while True:
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        try:
            client.connect("127.0.0.1", port)
        except OSError:
            assert time.monotonic() < give_up_at, "the broker did not start"
            time.sleep(0.02)
        else:
            client.disconnect()
            return
