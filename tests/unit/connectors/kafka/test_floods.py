"""More messages than can be processed, and messages that are not frames."""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain, islice
from math import inf

import numpy as np
import psutil
import pytest
from clips import picture
from factories import make_detections, make_stamp
from kafka import KafkaProducer
from kafka_broker import Broker, Message, end_message, frame_message
from kafka_source import make_source

from connectors.pictures.encoded_image import Encoding
from connectors.pictures.h264 import H264Encoder
from pipeline.camera.tracking import TrackingStage
from pipeline.core import Detections, Frame, FrameStamp, LetterboxedFrame, TrackUpdate
from pipeline.runtime.cameras.camera_actor import CameraActor
from pipeline.runtime.deliveries import Acknowledgement
from pipeline.runtime.plan import CameraLimits
from pipeline.telemetry.camera_status import CameraStatus

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

NUM_BAD = 10_000
NUM_GOOD = 500
MAX_GROWTH_BYTES = 150e6
"""Growth of the memory during the test, at most: several times what one fetch may hold."""


def bad_messages(seed: int) -> Iterator[Message]:
    """Yield faulty messages without end: random bytes, cut pictures, false headers, deep JSON, huge sizes."""
    rng = random.Random(seed)
    frame = Frame(make_stamp(index=1), picture(1))
    key, jpeg, headers = frame_message(frame, Encoding.JPEG)
    png = frame_message(frame, Encoding.PNG)[1]
    unit = H264Encoder().encode(picture(1))

    def stated(**changes: bytes) -> list[tuple[str, bytes]]:
        at = repr(rng.uniform(0, time.time())).encode()
        return list({**dict(headers), "captured_at": at, **changes}.items())

    kinds: list[Callable[[], Message]] = [
        lambda: (key, rng.randbytes(rng.randrange(2000)), stated()),
        lambda: (key, jpeg[: rng.randrange(len(jpeg))], stated()),
        lambda: (key, png[: rng.randrange(len(png))], stated(encoding=b"png")),
        lambda: (key, unit[: rng.randrange(len(unit) // 2)], stated(encoding=b"h264")),
        lambda: (key, rng.randbytes(rng.randrange(2000)), stated(encoding=b"h264")),
        lambda: (key, jpeg, stated(width=b"20000", height=b"2500")),
        lambda: (key, jpeg, stated(width=b"99999", height=b"99999")),
        lambda: (key, jpeg, stated(schema=str(rng.randrange(2, 99)).encode())),
        lambda: (key, jpeg, [(rng.choice("abc"), rng.randbytes(50)) for _ in range(rng.randrange(60))]),
        lambda: (key, b'{"a":' * 10_000, stated()),
        lambda: (key, b"", []),
    ]
    while True:
        yield rng.choice(kinds)()


@pytest.mark.timeout(600)
def test_ten_thousand_faulty_messages_cost_no_good_frame_and_no_memory(broker: Broker) -> None:
    topic = broker.make_topic()
    bad = bad_messages(seed=1)
    began = time.time() - 1000
    good = [Frame(FrameStamp("east", i, began + i / 10), picture(i)) for i in range(NUM_GOOD)]
    for begin in range(0, NUM_GOOD, 25):  # a few at a time: memory that is free again would hide what reading takes
        mixed = [[frame_message(frame), *islice(bad, NUM_BAD // NUM_GOOD)] for frame in good[begin : begin + 25]]
        broker.write(topic, list(chain.from_iterable(mixed)))
    broker.write(topic, [end_message()])
    process = psutil.Process()
    source = make_source(broker, topic, message="passerby")
    received: list[int] = []
    before = peak = process.memory_info().rss
    for received_frame in source.frames():
        received.append(received_frame.stamp.index)
        peak = max(peak, process.memory_info().rss)
    assert received == list(range(NUM_GOOD))
    assert source.num_bad == NUM_BAD
    letters = broker.read(f"{topic}.dead", NUM_BAD, timeout_s=300)
    assert len({dict(letter.headers)["fault_offset"] for letter in letters}) == NUM_BAD
    faults = Counter(dict(letter.headers)["fault"].decode() for letter in letters)
    assert set(faults) >= {"schema", "header", "size", "image"}
    assert source.report().left_out == faults
    assert peak - before < MAX_GROWTH_BYTES


class NoTracker:
    def update(self, detections: Detections) -> TrackUpdate:
        return TrackUpdate(np.full(len(detections.boxes_xyxy), -1, np.int64), ())


LIMITS = CameraLimits(
    max_inflight_frames=2,
    max_waiting_tracklets=4,
    read_ahead_frames=4,
    replay_speed=inf,
    max_reopens=3,
    reopens_within_s=60.0,
    min_backoff_s=0.01,
    max_backoff_s=0.02,
)
DETECT_S = 0.05
"""Seconds to process a frame: twenty frames a second."""


@pytest.mark.timeout(300)
def test_four_times_too_many_frames_are_dropped_and_counted_and_take_no_memory(broker: Broker) -> None:
    topic = broker.make_topic()
    num_sent, fps = 400, 4 / DETECT_S
    newest = num_sent - 2  # the last message is not a frame
    source = make_source(broker, topic, live=True, message="passerby", read_timeout_s=3.0)
    taken: list[int] = []

    async def detect(frame: LetterboxedFrame) -> Detections:
        await asyncio.sleep(DETECT_S * LIMITS.max_inflight_frames)
        taken.append(frame.stamp.index)
        return make_detections(boxes=(), stamp=frame.stamp)

    async def deliver(*_: object) -> Acknowledgement:
        return Acknowledgement("one", True, inf, -inf)

    actor = CameraActor(
        make_source=lambda: source,
        make_track=lambda: TrackingStage(
            NoTracker(),
            crop_size_hw=(16, 8),
            clip_len=4,
            first_after_s=1.0,
            part_s=3.0,
            contact_coverage=0.3,
            min_peak_score=0.0,
            static_min_score=0.0,
            max_open_tracks=10,
        ),
        input_hw=(32, 32),
        detect=detect,
        pose=None,  # type: ignore[arg-type]
        embed=None,  # type: ignore[arg-type]
        deliver=deliver,
        limits=LIMITS,
    )

    def publish() -> None:
        with closing(KafkaProducer(bootstrap_servers=broker.servers)) as producer:
            bad = bad_messages(seed=2)
            for index in range(num_sent):
                stamp = FrameStamp("east", index, time.time())
                message = frame_message(Frame(stamp, picture(index, hw=(480, 640))), Encoding.JPEG)
                key, value, headers = next(bad) if index % 50 == 49 else message
                producer.send(topic, value, key, headers)
                time.sleep(1 / fps)
            producer.flush()

    async def main() -> CameraStatus:
        running = asyncio.create_task(actor.run())
        await asyncio.sleep(1.0)
        thread = threading.Thread(target=publish)
        thread.start()
        while thread.is_alive():
            await asyncio.sleep(0.1)
        while taken[-1] < newest or (await actor.status()).frames_read < num_sent:
            await asyncio.sleep(0.1)
        await actor.stop()
        return await running

    before = psutil.Process().memory_info().rss
    status = asyncio.run(main())
    assert psutil.Process().memory_info().rss - before < MAX_GROWTH_BYTES
    assert status.frames_processed + status.frames_dropped + status.bad_records == status.frames_read == num_sent
    assert status.frames_dropped > num_sent / 4  # where the sender is slowed down too, fewer are too many
