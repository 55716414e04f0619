"""Writes the frames of one camera to a topic."""

import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from connectors.kafka.client import ask, close_producer, connect, reason
from connectors.kafka.frame_message import FrameHeader, to_headers
from connectors.pictures.encoded_image import Encoding, encode_image
from connectors.pictures.h264 import H264Encoder
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConnectorError

USUAL_MAX_BYTES = 1_048_588
"""Bytes of a message that Apache Kafka takes by default (``message.max.bytes``)."""

OVERHEAD_BYTES = 2048
"""Bytes reserved for the headers and for the batch around a frame. More makes large frames smaller than needed."""

WORSE = 0.8
LOWEST_QUALITY = 20
"""A JPEG that is too large is encoded again with WORSE times the quality, down to this quality.

A WORSE nearer to 1 keeps more quality and takes more attempts.
"""

MAX_IN_FLIGHT = 32
"""Frames that are sent and not yet confirmed, at most. More take more memory and hide more latency."""

DELIVERY_TIMEOUT_S = 120.0
"""Seconds of an outage of the broker after which publishing fails."""


class FramePublisher:
    """Publishes one camera's frames, in order, each exactly once as long as the process lives.

    Args:
        options: Options of the Kafka client.
        topic: The topic.
        camera_id: The name of the camera, the key of its messages.
        partition: The partition; None: the one that the key hashes to.
        encoding: JPEG, PNG to keep every pixel, or H.264 for a slow network.
        quality: Quality of JPEG, 1 to 100.
        max_bytes: Bytes of a message, at most; None: the limit of the topic.

    Attributes:
        num_frames: Frames that were sent.
        num_bytes: Bytes of their encoded pictures.
        num_shrunk: Frames that were sent at a lower quality because they were too large.

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
        self._in_flight: deque[Any] = deque()
        self.num_frames = 0
        self.num_bytes = 0
        self.num_shrunk = 0

    def publish(self, frame: Frame) -> None:
        """Send a frame; waits while ``MAX_IN_FLIGHT`` frames are not yet confirmed.

        Raises:
            ConnectorError: If it is too large, or the broker refuses it.
        """
        data = self._encoded(frame)
        stamp = FrameStamp(self._camera_id, frame.stamp.index, frame.stamp.captured_at)
        self._send(FrameHeader(stamp, frame.size_hw, self._encoding), data)
        self.num_frames += 1
        self.num_bytes += len(data)

    def end(self, last: FrameStamp) -> None:
        """Send the end mark of a recording.

        Args:
            last: Stamp of the last frame.
        """
        stamp = FrameStamp(self._camera_id, last.index + 1, last.captured_at)
        self._send(FrameHeader(stamp, (0, 0), None), b"")

    def flush(self) -> None:
        """Return when the broker has confirmed every frame.

        Raises:
            ConnectorError: If it refuses one.
        """
        while self._in_flight:
            self._wait()

    def close(self) -> None:
        """Disconnect; idempotent."""
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
        if len(self._in_flight) >= MAX_IN_FLIGHT:
            self._wait()
        try:
            self._in_flight.append(
                self._producer.send(
                    self._topic,
                    data,
                    key=self._camera_id.encode(),
                    headers=to_headers(header),
                    partition=self._partition,
                    timestamp_ms=round(time.time() * 1000),  # brokers delete old messages by it
                )
            )
        except KafkaError as error:
            raise self._refused(error) from error

    def _wait(self) -> None:
        try:
            self._in_flight.popleft().get(timeout=DELIVERY_TIMEOUT_S)
        except KafkaError as error:
            raise self._refused(error) from error

    def _refused(self, error: KafkaError) -> ConnectorError:
        return ConnectorError(
            f"topic {self._topic}: expected the broker to take a frame of at most {self._max_bytes} bytes, "
            f"got {reason(error)}; check the broker"
        )


def _limit(options: Mapping[str, Any], topic: str) -> int:
    """Return the topic's limit on the bytes of a message, or Kafka's default."""
    admin = connect(KafkaAdminClient, options)
    try:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        described = ask(lambda: admin.describe_configs([resource], config_filter="all"))
    except TopicAuthorizationFailedError:
        return USUAL_MAX_BYTES  # DescribeConfigs is a right that the user lacks
    finally:
        admin.close()
    setting = described.get("topic", {}).get(topic, {}).get("max.message.bytes", {})
    return int(setting.get("value") or USUAL_MAX_BYTES)
