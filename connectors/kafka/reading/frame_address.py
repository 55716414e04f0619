"""The address of a camera in Kafka: ``kafka://host:9092,host:9092/topic?camera=NAME&partition=N``."""

from dataclasses import dataclass

from connectors.kafka.client import split_uri
from connectors.kafka.reading.topic_reading import timestamp_ms
from pipeline.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class FrameAddress:
    """Where a camera's frames are.

    Attributes:
        servers: ``host:9092``, several separated by commas.
        topic: The topic.
        sender: The name that the sender uses for the camera.
        partition: The camera's own partition; None: any.
    """

    servers: str
    topic: str
    sender: str
    partition: int | None

    def __str__(self) -> str:
        """Return the address without its options."""
        return f"kafka://{self.servers}/{self.topic}"


def parse_address(uri: str, camera_id: str, key: str) -> FrameAddress:
    """Return what a URI says.

    Raises:
        ConfigError: If it has another form. The message begins with ``key``.
    """
    servers, topic, query = split_uri(uri, key)
    sender = query.pop("camera", camera_id)
    partition = _partition(query.pop("partition", None), key)
    if query:
        raise ConfigError(
            f"{key}: expected nothing but camera and partition after the ?, got {', '.join(sorted(query))}"
        )
    return FrameAddress(servers, topic, sender, partition)


def _partition(text: str | None, key: str) -> int | None:
    if text is None or (text.isascii() and text.isdigit()):
        return None if text is None else int(text)
    raise ConfigError(f"{key}: expected a number for partition, got {text!r}; correct the address")


def checked_start(start: int | str, key: str) -> int | str:
    """Return where a recording begins.

    Raises:
        ConfigError: If it is no place in a topic.
    """
    if start in ("earliest", "latest") or (isinstance(start, int) and start >= 0):
        return start
    try:
        timestamp_ms(str(start))
    except ValueError as error:
        raise ConfigError(
            f"{key}.start: expected earliest, latest, an offset or a time like 2026-03-01T08:00:00Z, got {start!r}"
        ) from error
    return str(start)
