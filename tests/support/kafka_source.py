"""Builds Kafka sources from their YAML, and frames to send to them."""

from contextlib import closing

from clips import picture
from factories import make_stamp
from kafka_broker import Broker
from omegaconf import OmegaConf
from plugins import ROOT

from connectors.kafka.frame_publisher import FramePublisher
from connectors.pictures.encoded_image import Encoding
from connectors.sources.kafka import KafkaSource
from pipeline.config.plugins import build_source
from pipeline.core import Frame

NODE = OmegaConf.to_container(
    OmegaConf.merge({"resume": False}, OmegaConf.load(ROOT / "configs/source/kafka.yaml")), resolve=True
)


def make_source(broker: Broker, topic: str, query: str = "", camera_id: str = "east", **options: object) -> KafkaSource:
    """Build a source from its YAML. The default is a recording, from its beginning.

    On a busy machine a broker may not answer within the usual five seconds, which is not what the tests are about.
    """
    block = {
        "uri": f"kafka://{broker.servers}/{topic}{query}",
        "live": False,
        "dead_letters": f"{topic}.dead",
        "open_timeout_s": 60.0,
    }
    made = build_source(camera_id, {**block, **options}, NODE)()  # type: ignore[arg-type]
    assert isinstance(made, KafkaSource)
    return made


def frames(count: int, camera_id: str = "east", first: int = 0) -> list[Frame]:
    return [Frame(make_stamp(camera_id, index), picture(index)) for index in range(first, first + count)]


def stamps(source: KafkaSource) -> list[tuple[int, float]]:
    return [(frame.stamp.index, frame.stamp.captured_at) for frame in source.frames()]


def publish(broker: Broker, topic: str, frames: list[Frame], encoding: Encoding = Encoding.JPEG) -> None:
    publisher = FramePublisher(
        {"bootstrap_servers": broker.servers},
        topic,
        camera_id="east",
        partition=None,
        encoding=encoding,
        quality=90,
        max_bytes=None,
    )
    with closing(publisher):
        for frame in frames:
            publisher.publish(frame)
        publisher.end(frames[-1].stamp)
        publisher.flush()


def open_source(servers: str, topic: str, security: dict[str, object], **options: object) -> KafkaSource:
    block = {"uri": f"kafka://{servers}/{topic}", "live": False, "dead_letters": None, "security": security, **options}
    made = build_source("east", block, NODE)()  # type: ignore[arg-type]
    assert isinstance(made, KafkaSource)
    return made
