"""Live frames that were overtaken in another partition, and clocks that were set back, without a broker."""

from collections.abc import Sequence

import pytest
from kafka.consumer.fetcher import ConsumerRecord

from connectors.kafka.reading.frame_making import FrameMaking, Sent
from connectors.kafka.reading.message_form import MessageForm, SentFrame
from connectors.pictures.encoded_image import Encoding


def make_making() -> FrameMaking:
    form = MessageForm(
        "east", form="image", fields={}, camera_by="topic", live=True, is_alone=False, max_image_px=10**6, key="k"
    )
    return FrameMaking("east", form, live=True, max_ahead_s=1.0, max_bad_in_a_row=None)


def sent(partition: int, logged_s: float, at: float | None = None) -> Sent:
    message = ConsumerRecord(
        "frames", partition, -1, 0, round(logged_s * 1000), 0, None, b"\xff\xd8", [], None, -1, 2, 0
    )
    captured_at = logged_s if at is None else at
    return Sent(message, SentFrame(b"\xff\xd8", Encoding.JPEG, (1, 1), captured_at, None, False))


def late(messages: Sequence[Sent]) -> list[bool]:
    making = make_making()
    return [making.is_late(each) for each in messages]


def test_frames_in_turn_are_not_late() -> None:
    assert not any(late([sent(index % 3, 1000 + index / 10) for index in range(30)]))


def test_what_lay_in_a_partition_that_was_noticed_late_is_late() -> None:
    told = late([sent(0, 1000.0), sent(0, 1000.4), sent(1, 1000.1), sent(1, 1000.3), sent(1, 1000.5), sent(0, 1000.6)])
    assert told == [False, False, True, True, False, False]


@pytest.mark.parametrize("partitions", [1, 2, 3])
def test_after_a_clock_was_set_back_no_frame_is_late(partitions: int) -> None:
    before = [sent(index % partitions, 1000 + index / 10) for index in range(12)]
    assert not any(late([*before, *(sent(index % partitions, 995 + index / 10) for index in range(12))]))


def test_a_time_in_the_message_may_go_back_while_the_brokers_goes_on() -> None:
    assert not any(late([sent(0, 1000.0, at=50.0), sent(1, 1000.1, at=3.0), sent(0, 1000.2, at=3.1)]))
