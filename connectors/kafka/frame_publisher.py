"""Writes the frames of one camera to a topic."""

import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from connectors.kafka.client import close_producer, connect, reason
from connectors.kafka.frame_message import FrameHeader, to_headers
from connectors.pictures.encoded_image import Encoding, encode_image
from connectors.pictures.h264 import H264Encoder
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConnectorError

USUAL_MAX_BYTES = 1_048_588
"""What Apache Kafka takes unless it is told otherwise (``message.max.bytes``)."""

OVERHEAD_BYTES = 2048
"""Of headers and of the batch around a frame."""

WORSE = 0.8
LOWEST_QUALITY = 20
"""A frame that is too large is tried with the quality times WORSE, again and again, down to this."""

MAX_IN_FLIGHT = 32
DELIVERY_TIMEOUT_S = 120.0
"""Frames that are under way at once, and how long a broker may be away before one is given up."""


class FramePublisher:
    """A producer of one camera's frames, in order, each exactly once as long as it lives.

    Args:
        options: Of the client.
        topic: Where to.
        camera_id: Under which name.
        partition: Which; None: the one that the name is hashed to.
        encoding: JPEG, PNG where every pixel counts, or H.264 where the network is narrow.
        quality: Of JPEG, 1 to 100.
        max_bytes: Of a message; None: as the topic says.

    Attributes:
        num_frames: Written.
        num_bytes: Of their pictures.
        num_shrunk: Frames that were encoded again because they were too large.

    Raises:
        ConnectorError: If the broker cannot be reached.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        topic: str,
        *,
        camera_id: str,
        partition: int | None,
        encoding: Encoding,
        quality: int,
        max_bytes: int | None,
    ) -> None:
        self._topic = topic
        self._camera_id = camera_id
        self._partition = partition
        self._encoding = encoding
        self._quality = quality
        self._h264 = H264Encoder()
        try:
            self._max_bytes = _limit(options, topic) if max_bytes is None else max_bytes
            self._producer = connect(
                KafkaProducer,
                {
                    **options,
                    "max_request_size": self._max_bytes + OVERHEAD_BYTES,
                    "delivery_timeout_ms": round(DELIVERY_TIMEOUT_S * 1000),
                },
            )
        except KafkaError as error:
            raise ConnectorError(f"topic {topic}: expected a broker, got {reason(error)}; check the address") from error
        self._under_way: deque[Any] = deque()
        self.num_frames = 0
        self.num_bytes = 0
        self.num_shrunk = 0

    def publish(self, frame: Frame) -> None:
        """Write a frame; waits while too many are under way.

        Raises:
            ConnectorError: If it is too large, or the broker does not take it.
        """
        data = self._encoded(frame)
        stamp = FrameStamp(self._camera_id, frame.stamp.index, frame.stamp.captured_at)
        self._send(FrameHeader(stamp, frame.size_hw, self._encoding), data)
        self.num_frames += 1
        self.num_bytes += len(data)

    def end(self, last: FrameStamp) -> None:
        """Write that the recording is over.

        Args:
            last: Of the last frame.
        """
        stamp = FrameStamp(self._camera_id, last.index + 1, last.captured_at)
        self._send(FrameHeader(stamp, (0, 0), None), b"")

    def flush(self) -> None:
        """Return when the broker has everything.

        Raises:
            ConnectorError: If it does not take something.
        """
        while self._under_way:
            self._wait()

    def close(self) -> None:
        """Let the broker go; idempotent."""
        close_producer(self._producer, timeout_s=1.0)

    def _encoded(self, frame: Frame) -> bytes:
        room = self._max_bytes - OVERHEAD_BYTES
        quality = self._quality
        if self._encoding is Encoding.H264:
            data = self._h264.encode(frame.image)
        else:
            data = encode_image(frame.image, self._encoding, quality=quality)
        while len(data) > room and self._encoding is Encoding.JPEG and quality > LOWEST_QUALITY:
            quality = max(LOWEST_QUALITY, round(quality * WORSE))
            data = encode_image(frame.image, self._encoding, quality=quality)
        self.num_shrunk += quality < self._quality
        if len(data) > room:
            raise ConnectorError(
                f"frame {frame.stamp.index}: expected at most {self._max_bytes} bytes a message, got {len(data)} "
                f"({self._encoding}); raise max.message.bytes of topic {self._topic}, or send smaller frames"
            )
        return data

    def _send(self, header: FrameHeader, data: bytes) -> None:
        if len(self._under_way) >= MAX_IN_FLIGHT:
            self._wait()
        try:
            self._under_way.append(
                self._producer.send(
                    self._topic,
                    data,
                    key=self._camera_id.encode(),
                    headers=to_headers(header),
                    partition=self._partition,
                    timestamp_ms=round(time.time() * 1000),  # the broker deletes by it what is old
                )
            )
        except KafkaError as error:
            raise self._refused(error) from error

    def _wait(self) -> None:
        try:
            self._under_way.popleft().get(timeout=DELIVERY_TIMEOUT_S)
        except KafkaError as error:
            raise self._refused(error) from error

    def _refused(self, error: KafkaError) -> ConnectorError:
        return ConnectorError(
            f"topic {self._topic}: expected the broker to take a frame of at most {self._max_bytes} bytes, "
            f"got {reason(error)}; check the broker"
        )


def _limit(options: Mapping[str, Any], topic: str) -> int:
    """Return how many bytes a message may have, as the topic says, if it does."""
    admin = connect(KafkaAdminClient, options)
    try:
        described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
    finally:
        admin.close()
    setting = described.get("topic", {}).get(topic, {}).get("max.message.bytes", {})
    return int(setting.get("value") or USUAL_MAX_BYTES)
