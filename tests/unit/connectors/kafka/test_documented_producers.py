"""The producers in docs/kafka.md send what the pipeline reads."""

import re

import numpy as np
import pytest
from clips import HW, picture
from kafka_broker import Broker
from kafka_source import make_source, stamps
from plugins import ROOT

from connectors.pictures.encoded_image import Encoding, encode_image

pytestmark = pytest.mark.kafka

PRODUCERS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/kafka.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("number", range(5))
def test_a_documented_producer_sends_frames(broker: Broker, number: int) -> None:
    topic = broker.make_topic(partitions=3)
    pictures = [encode_image(np.asarray(picture(index)), Encoding.JPEG, quality=90) for index in range(10)]
    known = {"servers": broker.servers, "topic": topic, "pictures": pictures, "size_hw": HW}
    exec(PRODUCERS[number], known)
    known["producer"].close()  # type: ignore[attr-defined]
    assert len(stamps(make_source(broker, topic, end="latest"))) == 10


def test_no_producer_is_left_out() -> None:
    assert len(PRODUCERS) == 5
