"""Builds Kafka sources from their YAML, and frames to send to them."""

from clips import picture
from factories import make_stamp
from kafka_broker import Broker
from omegaconf import OmegaConf
from plugins import ROOT

from connectors.sources.kafka import KafkaSource
from pipeline.config.plugins import build_source
from pipeline.core import Frame

NODE = OmegaConf.to_container(OmegaConf.load(ROOT / "configs/source/kafka.yaml"))


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
