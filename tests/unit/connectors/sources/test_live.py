"""A live source yields the newest frame, and drops and counts the others."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from clips import picture

from connectors.sources.live import DAMAGED, LiveSource, NoPicture, Picture
from pipeline.core import FrameStamp
from pipeline.core.errors import SourceLostError

NUM_LATE = 9
WAIT_S = 10.0


class Opener:
    """Sends one picture, then ``NUM_LATE`` at once when ``go`` is set, then none until the source is closed."""

    address = "camera in a test"
    advice = "the test"
    is_unverified = False

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.go, self.has_sent, self.is_over = threading.Event(), threading.Event(), threading.Event()
        self.converted: list[int] = []

    def check(self) -> None:
        return

    def pictures(self, *, open_timeout_s: float, read_timeout_s: float) -> Iterator[Picture]:
        yield self._picture(0)
        self.go.wait(WAIT_S)
        for index in range(1, NUM_LATE + 1):
            yield self._picture(index)
        self.has_sent.set()
        self.is_over.wait(WAIT_S)

    def _picture(self, index: int) -> Picture:
        def image() -> np.ndarray:
            self.converted.append(index)
            return picture(index)

        return Picture(image)


@pytest.fixture
def opener() -> Iterator[Opener]:
    opener = Opener("test")
    yield opener
    opener.go.set()
    opener.is_over.set()


def make_source(make: Callable[[str], Opener]) -> LiveSource:
    return LiveSource("east", "test", opener=make, open_timeout_s=WAIT_S, read_timeout_s=WAIT_S)


def test_a_slow_reader_gets_the_newest_frame_and_the_others_are_counted(opener: Opener) -> None:
    source = make_source(lambda _: opener)
    frames = source.frames()
    first = next(frames)
    opener.go.set()
    assert opener.has_sent.wait(WAIT_S)
    second = next(frames)
    source.close()
    assert (first.stamp.index, second.stamp.index) == (0, NUM_LATE)
    assert source.num_dropped == NUM_LATE - 1
    np.testing.assert_array_equal(second.image, picture(NUM_LATE))


def test_dropped_frames_are_not_converted(opener: Opener) -> None:
    source = make_source(lambda _: opener)
    frames = source.frames()
    next(frames)
    opener.go.set()
    assert opener.has_sent.wait(WAIT_S)
    next(frames)
    source.close()
    assert opener.converted == [0, NUM_LATE]


def test_a_source_in_another_process_continues_with_later_stamps(opener: Opener) -> None:
    source = make_source(lambda _: opener)
    ahead = FrameStamp("east", 70, time.time() + 3600.0)
    source.resume(ahead)
    opener.go.set()
    stamps = [frame.stamp for frame in itertools.islice(source.frames(), 1)]
    source.close()
    assert stamps[0].index > ahead.index
    assert stamps[0].captured_at > ahead.captured_at


def test_indices_continue_when_the_camera_is_opened_again(opener: Opener) -> None:
    source = make_source(lambda _: opener)
    opener.go.set()
    opener.is_over.set()
    seen: list[int] = []
    for _ in range(2):
        with pytest.raises(SourceLostError, match="camera in a test: expected pictures, got the end of the stream"):
            seen.extend(frame.stamp.index for frame in source.frames())
    assert seen == sorted(set(seen))
    assert len(seen) + source.num_dropped == seen[-1] + 1 == 2 * (NUM_LATE + 1)


class DamagedOpener(Opener):
    """Sends damaged pictures between two good ones."""

    num_bad = 3

    def pictures(self, *, open_timeout_s: float, read_timeout_s: float) -> Iterator[Picture | NoPicture]:
        yield self._picture(0)
        self.go.wait(WAIT_S)
        for _ in range(self.num_bad):
            yield DAMAGED
        yield self._picture(1)
        self.is_over.wait(WAIT_S)


def test_damaged_pictures_are_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    opener = DamagedOpener("test")
    source = make_source(lambda _: opener)
    frames = source.frames()
    next(frames)
    began = time.time()
    opener.go.set()
    np.testing.assert_array_equal(next(frames).image, picture(1))
    opener.is_over.set()
    source.close()
    assert (source.num_bad, source.num_dropped) == (3, 0)
    assert all(began <= at <= time.time() for at in source.report().bad_at)
    assert caplog.text.count("camera east: left out a bad frame") == 1


def test_a_camera_that_sends_only_damage_is_lost_and_opened_again() -> None:
    opener = DamagedOpener("test")
    opener.num_bad = 6
    opener.go.set()
    source = LiveSource(
        "east", "test", opener=lambda _: opener, open_timeout_s=WAIT_S, read_timeout_s=WAIT_S, max_bad_in_a_row=5
    )
    with pytest.raises(SourceLostError, match="too many damaged pictures in a row"):
        list(source.frames())
    assert source.num_bad == 6
