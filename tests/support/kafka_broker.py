"""A real Kafka broker on loopback, and messages to write to it."""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import confluent_kafka
import numpy as np
import pytest
from apache_kafka import ApacheKafka, kafka_home
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from rtsp_server import free_port
from small_brokers import SMALL_BROKERS, Need, SmallBroker
from tcp_proxy import TcpProxy

from connectors.kafka.frame_message import FrameHeader, to_headers
from connectors.pictures.encoded_image import Encoding, encode_image
from pipeline.core import Frame, FrameStamp

STARTS_WITHIN_S = 30.0

QUIET = logging.Logger("librdkafka", logging.CRITICAL)
"""Takes what librdkafka says of brokers that tests stop."""

Message = tuple[bytes | None, bytes, list[tuple[str, bytes]]]
"""Key, value, headers."""


class ReadMessage(NamedTuple):
    """What a test reads of a message."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]

    @classmethod
    def of(cls, message: confluent_kafka.Message) -> "ReadMessage":
        """Return what librdkafka has read."""
        key, value, headers = message.key(), message.value() or b"", message.headers() or []
        return cls(message.partition(), message.offset(), key, value, headers)


def kinds() -> list[str]:
    """Return the kinds of brokers that are here: that of all tests, then the second one of tests of connectors."""
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return ["external"]
    return ["kafka" if kafka_home() else "tansu", *(["noida"] if SMALL_BROKERS["noida"].is_installed else [])]


class Broker:
    """A broker of the tests, or the one that KAFKA_BOOTSTRAP_SERVERS names.

    It is Apache Kafka where that and Java are there (``apache_kafka.kafka_home``), else Tansu. Small brokers have no
    listeners for TLS and SASL.

    Args:
        advertised: The address that clients are told to use; None: the broker's own.
        kind: One of ``kinds``; None: the first of them.
        is_guarded: True: Apache Kafka listens for TLS and SASL as well, and has ACLs.
    """

    def __init__(self, advertised: str | None = None, *, kind: str | None = None, is_guarded: bool = False) -> None:
        self.kind = kind or kinds()[0]
        self.servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or f"127.0.0.1:{free_port()}"
        self.apache: ApacheKafka | None = None
        self._advertised = advertised
        self._small = SMALL_BROKERS.get(self.kind)
        self._process: subprocess.Popen[bytes] | None = None
        self._open = contextlib.ExitStack()
        home = kafka_home()
        if self.kind == "kafka" and home is not None:
            port = int(self.servers.split(":")[1])
            self.apache = ApacheKafka(home, plain_port=port, advertised=advertised, is_guarded=is_guarded)

    @property
    def is_ours(self) -> bool:
        """Whether the tests started it, and so may stop it."""
        return self.kind != "external"

    def need(self, need: Need) -> None:
        """Skip the test if the broker lacks something; the reason says what it does instead."""
        if self._small is not None and need in self._small.lacks:
            pytest.skip(f"{self._small.name} {self._small.lacks[need]}")

    def __enter__(self) -> "Broker":
        if self.apache is not None:
            self.apache.start()
        elif self._small is not None:
            self._start(self._small)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.apache is not None:
            self.apache.stop()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._open.close()

    def _start(self, small: SmallBroker) -> None:
        folder = self._open.enter_context(tempfile.TemporaryDirectory(prefix="broker-"))
        command = small.command(self.servers, self._advertised or self.servers, Path(folder))
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        host, port = self.servers.split(":")
        deadline = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < deadline:
            assert self._process.poll() is None, f"the broker ended with {self._process.returncode}"
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
                return
            time.sleep(0.02)
        raise AssertionError("the broker does not listen")

    @contextlib.contextmanager
    def behind_a_proxy(self) -> Iterator[TcpProxy]:
        """Put a proxy before the broker; its address is the broker's, for those who come through it."""
        assert self.apache is not None, "only Apache Kafka has a listener for it"
        (node,) = self.apache.nodes
        with TcpProxy(node.proxy) as proxy:
            proxy.target = f"127.0.0.1:{node.proxied}"
            yield proxy

    def freeze(self) -> None:
        """Keep connections open and answer nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Answer again."""
        self._signal(signal.SIGCONT)

    def _signal(self, kind: signal.Signals) -> None:
        if self.apache is not None:
            self.apache.signal(1, kind)
        else:
            assert self._process is not None, "only a broker of the tests can be stopped"
            self._process.send_signal(kind)

    def make_topic(
        self, partitions: int = 1, name: str | None = None, copies: int = 1, settings: dict[str, str] | None = None
    ) -> str:
        """Create a topic, with a unique name unless one is given; return the name."""
        name = name or f"test.{uuid.uuid4().hex[:12]}"
        with contextlib.closing(KafkaAdminClient(bootstrap_servers=self.servers)) as admin:
            admin.create_topics(
                [
                    NewTopic(
                        name=name,
                        num_partitions=partitions,
                        replication_factor=copies,
                        topic_configs=settings or {},
                    )
                ]
            )
        return name

    def setting(self, topic: str, name: str) -> str:
        """Return a setting of a topic."""
        with contextlib.closing(KafkaAdminClient(bootstrap_servers=self.servers)) as admin:
            described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
        return str(described["topic"][topic].get(name, {}).get("value"))

    def write(self, topic: str, messages: Sequence[Message], partition: int | None = None) -> None:
        """Write messages with librdkafka, which begins ten times as fast as kafka-python; partitions are as Java's."""
        settings = {"bootstrap.servers": self.servers, "partitioner": "murmur2_random", "message.max.bytes": 10_000_000}
        producer = confluent_kafka.Producer(settings, logger=QUIET)
        where = {} if partition is None else {"partition": partition}
        failed: list[object] = []
        for key, value, headers in messages:
            producer.produce(
                topic, value, key, headers=headers, on_delivery=lambda error, _: failed.append(error), **where
            )
            producer.poll(0)
        assert producer.flush(30) == 0, "the broker does not take the messages"
        assert not any(failed), failed

    def read(self, topic: str, count: int | None = None, timeout_s: float = 20) -> list[ReadMessage]:
        """Return the messages of a topic when there are ``count``; None: those that it holds now.

        They are in order of partition and offset: partitions arrive in another order each time.
        """
        settings = {"bootstrap.servers": self.servers, "group.id": "test", "enable.auto.commit": False}
        consumer = confluent_kafka.Consumer(settings, logger=QUIET)
        with contextlib.closing(consumer):
            deadline = time.monotonic() + timeout_s
            while not (there := consumer.list_topics(topic, 10).topics[topic].partitions):
                if count is None or time.monotonic() > deadline:
                    return []
                time.sleep(0.1)
            partitions = [confluent_kafka.TopicPartition(topic, number, 0) for number in there]
            bounds: dict[int, tuple[int, int]] = {}
            while len(bounds) < len(partitions):
                with contextlib.suppress(confluent_kafka.KafkaException):  # just made: no leader yet
                    bounds = {each.partition: consumer.get_watermark_offsets(each, 10) for each in partitions}
                assert time.monotonic() < deadline, f"no leader answers for {topic}"
            for each in partitions:
                each.offset = bounds[each.partition][0]
            consumer.assign(partitions)
            found: list[ReadMessage] = []
            heard_at = time.monotonic()
            while (count is None or len(found) < count) and time.monotonic() < deadline:
                arrived = [ReadMessage.of(each) for each in consumer.consume(500, 0.05) if each.error() is None]
                found += arrived
                heard_at = time.monotonic() if arrived else heard_at
                if count is None and not arrived and time.monotonic() - heard_at > self._quiet_s(consumer, bounds):
                    break
        return sorted(found, key=lambda message: (message.partition, message.offset))

    def _quiet_s(self, consumer: confluent_kafka.Consumer, bounds: Mapping[int, tuple[int, int]]) -> float:
        """Return the seconds without a message after which a topic is read to its end."""
        if self._small is not None and Need.END_OFFSETS in self._small.lacks:
            return 1.0
        at = {each.partition: each.offset for each in consumer.position(consumer.assignment())}
        is_read = all(first == end or at[number] >= end for number, (first, end) in bounds.items())
        return 0.0 if is_read else inf


def frame_message(frame: Frame, encoding: Encoding = Encoding.PNG, **changes: bytes | None) -> Message:
    """Return a frame as a message; ``changes`` replace headers, None leaves one out."""
    headers = dict(to_headers(FrameHeader(frame.stamp, frame.size_hw, encoding)))
    changed = [(name, value) for name, value in {**headers, **changes}.items() if value is not None]
    return frame.stamp.camera_id.encode(), encode_image(np.asarray(frame.image), encoding, quality=90), changed


def end_message(camera_id: str = "east") -> Message:
    return camera_id.encode(), b"", to_headers(FrameHeader(FrameStamp(camera_id, 0, 0.0), (0, 0), None))


def wait_for(is_so: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.02)
