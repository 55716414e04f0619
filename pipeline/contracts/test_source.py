"""What every source must do; ``--camera`` names what it opens. A live one is read for a few frames."""

import pickle
import threading
from collections.abc import Callable
from itertools import islice

import numpy as np
import pytest

from pipeline.core import Frame, Source

Factory = Callable[[], Source]
NUM_FRAMES = 20


def read(source: Source, number: int = NUM_FRAMES) -> list[Frame]:
    return list(islice(source.frames(), number))


@pytest.fixture
def recording(factory: Factory) -> Factory:
    """The constructor call, if it opens a recording."""
    if factory().live:
        pytest.skip("for recordings only")
    return factory


def test_check_passes(factory: Factory) -> None:
    source = factory()
    source.check()
    source.close()


def test_the_constructor_call_crosses_processes(factory: Factory) -> None:
    source = pickle.loads(pickle.dumps(factory))()
    assert read(source, 1)
    source.close()


def test_the_camera_is_in_every_stamp(factory: Factory) -> None:
    source = factory()
    assert {frame.stamp.camera_id for frame in read(source)} == {source.camera_id}
    source.close()


def test_index_and_time_ascend_strictly(factory: Factory) -> None:
    source = factory()
    stamps = [frame.stamp for frame in read(source)]
    source.close()
    assert (np.diff([stamp.index for stamp in stamps]) > 0).all()
    assert (np.diff([stamp.captured_at for stamp in stamps]) > 0).all()


def test_images_are_rgb_read_only_and_contiguous(factory: Factory) -> None:
    source = factory()
    for frame in read(source):
        assert (frame.image.dtype, frame.image.ndim, frame.image.shape[2]) == (np.dtype(np.uint8), 3, 3)
        assert frame.image.flags.c_contiguous
        assert not frame.image.flags.writeable
    source.close()


def test_a_frame_keeps_its_picture_when_later_ones_are_read(factory: Factory) -> None:
    source = factory()
    frames = source.frames()
    first = next(frames)
    before = first.image.copy()
    assert list(islice(frames, NUM_FRAMES))
    np.testing.assert_array_equal(first.image, before)
    source.close()


def test_a_recording_gives_the_same_frames_each_time(recording: Factory) -> None:
    once, again = read(recording()), read(recording())
    assert [frame.stamp for frame in again] == [frame.stamp for frame in once]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(again, once, strict=True))


def test_another_process_goes_on_where_one_ended(recording: Factory) -> None:
    whole, source = read(recording()), recording()
    middle = len(whole) // 2
    source.resume(whole[middle].stamp)
    rest = read(source, len(whole) - middle - 1)
    assert [frame.stamp for frame in rest] == [frame.stamp for frame in whole[middle + 1 :]]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(rest, whole[middle + 1 :], strict=True))


def test_ack_is_taken_at_any_time(factory: Factory) -> None:
    source = factory()
    frames = read(source)
    for frame in frames:
        source.ack(frame.stamp)
    source.close()
    source.ack(frames[-1].stamp)


def test_close_is_idempotent_and_for_good(factory: Factory) -> None:
    source = factory()
    source.close()
    source.close()
    assert list(source.frames()) == []


def test_close_from_another_thread_ends_the_frames(factory: Factory) -> None:
    source = factory()
    frames = source.frames()
    next(frames)
    thread = threading.Thread(target=source.close)
    thread.start()
    thread.join()
    assert len(list(islice(frames, NUM_FRAMES))) < NUM_FRAMES


def test_it_counts_what_it_left_out(factory: Factory) -> None:
    source = factory()
    read(source)
    assert source.num_dropped >= 0
    assert source.num_bad >= 0
    source.close()
