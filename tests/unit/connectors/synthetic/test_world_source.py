"""A camera of a rendered world as a source."""

import pickle
import threading
import time
from functools import partial

import numpy as np
import pytest

from connectors.synthetic.source import WorldSource
from pipeline.core.errors import ConfigError

pytestmark = pytest.mark.slow


def make(uri: str, seconds: float = 0.6) -> WorldSource:
    return WorldSource("yard", uri, seconds=seconds, device="cpu")


def test_frames_of_one_camera_carry_the_camera_id_of_the_pipeline() -> None:
    frames = list(make("world://plaza/east?seed=7&people=5").frames())
    assert [frame.stamp.index for frame in frames] == list(range(6))
    assert {frame.stamp.camera_id for frame in frames} == {"yard"}
    assert (np.diff([frame.stamp.captured_at for frame in frames]) > 0).all()


def test_the_same_address_gives_the_same_frames() -> None:
    source = make("world://plaza/west?seed=7&people=5", seconds=0.3)
    first, again = list(source.frames()), list(make("world://plaza/west?seed=7&people=5", seconds=0.3).frames())
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, again, strict=True))


def test_the_constructor_call_crosses_processes() -> None:
    factory = pickle.loads(pickle.dumps(partial(make, "world://plaza/east?people=3")))
    assert next(factory().frames()).stamp.index == 0


def test_the_address_sets_the_length_and_the_frame_rate() -> None:
    assert len(list(make("world://plaza/east?people=2&seconds=0.5&fps=4").frames())) == 2


def test_a_live_world_runs_in_real_time_with_the_current_time() -> None:
    source = make("world://plaza/east?people=2&live=1")
    assert source.live
    frames, began = source.frames(), time.time()
    stamps = [next(frames).stamp for _ in range(5)]
    assert stamps[-1].captured_at - stamps[0].captured_at == pytest.approx(0.4, abs=1e-3)
    assert abs(stamps[0].captured_at - began) < 20
    source.close()
    assert next(frames, None) is None


def test_close_ends_a_reader_in_another_thread() -> None:
    source = make("world://plaza/east?people=2&live=1")
    reader = threading.Thread(target=lambda: list(source.frames()))
    reader.start()
    time.sleep(0.2)
    source.close()
    reader.join(timeout=30)
    assert not reader.is_alive()


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("world://plaza/east?colour=red", "colour"),
        ("world://plaza/east?people=many", "many"),
        ("world://plaza/east?seconds=-1", "-1"),
        ("world://plaza/east?fps=0", "fps"),
    ],
)
def test_an_invalid_address_is_an_error_that_names_the_setting(uri: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        make(uri)


@pytest.mark.parametrize(
    ("uri", "named"),
    [("world://moon/east", "moon"), ("world://plaza/attic", "attic"), ("world://plaza/east?people=999", "999")],
)
def test_check_finds_an_unknown_place_before_the_run(uri: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        make(uri).check()
