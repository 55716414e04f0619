"""A view that is frozen, black, covered, defocused or moved is noticed, and one that is all right is not."""

import os
from collections.abc import Callable, Iterable
from functools import cache
from math import inf
from pathlib import Path

import cv2
import numpy as np
import pytest

from connectors.sources.video_file import VideoFileSource
from pipeline.camera.view_watch import _SHARPNESS_WIDTH, ViewWatch, _sharpness
from pipeline.core import Frame, FrameStamp
from pipeline.core.records.view_event import ViewEvent, ViewEventKind

SHARED = Path(os.environ.get("PASSERBY_SHARED", "../shared"))
ROOT = Path(__file__).resolve().parents[3]
Change = Callable[[np.ndarray], np.ndarray]

CLIPS = [
    *(ROOT / "connectors/synthetic/demo" / f"{name}.mp4" for name in ("east", "gate", "north", "west")),
    SHARED / "data/pets09/vtest.avi",
    SHARED / "data/sports2d/demo.mp4",
    SHARED / "data/intel/one-by-one-person-detection.mp4",
    SHARED / "data/scenescape_metric/Cam_x1_0_10fps.mp4",
    SHARED / "data/pose2sim_single/cam01.mp4",
]


@cache
def frames_of(clip: Path) -> list[Frame]:
    return list(VideoFileSource("east", str(clip), stride=5, seconds=60.0).frames())


def watch(changed: Change | None, *, begins_s: float = 20.0, ends_s: float = 40.0, clip: Path = CLIPS[3]) -> ViewWatch:
    """Watch the demo's camera at two frames a second, with a change for some time."""
    watch = ViewWatch("east")
    for frame in frames_of(clip):
        at = frame.stamp.captured_at
        is_changed = changed is not None and begins_s <= at < ends_s
        watch.is_still(Frame(frame.stamp, changed(frame.image)) if is_changed and changed else frame)
    return watch


def frozen() -> Change:
    kept: list[np.ndarray] = []

    def change(image: np.ndarray) -> np.ndarray:
        kept.append(image)
        return kept[0]

    return change


def noisy(level: float) -> Change:
    rng = np.random.default_rng(0)
    return lambda image: np.clip(rng.normal(level, 2.0, image.shape), 0, 255).astype(np.uint8)


CHANGES: dict[ViewEventKind, Change] = {
    ViewEventKind.FROZEN: frozen(),
    ViewEventKind.BLACK: noisy(5.0),
    ViewEventKind.COVERED: noisy(90.0),
    ViewEventKind.DEFOCUSED: lambda image: cv2.GaussianBlur(image, (0, 0), 6.0),
    ViewEventKind.MOVED: lambda image: np.ascontiguousarray(np.roll(image, image.shape[1] // 3, 1)),
}


@pytest.mark.parametrize("kind", list(CHANGES))
def test_what_happens_to_a_view_is_an_event_from_its_beginning_to_its_end(kind: ViewEventKind) -> None:
    (event,) = watch(CHANGES[kind]).events
    assert event.kind is kind
    assert event.began_at == pytest.approx(20.0, abs=1.1)
    assert event.ended_at == pytest.approx(40.0, abs=1.6)


@pytest.mark.parametrize("kind", list(CHANGES))
def test_what_is_over_within_seconds_is_no_event(kind: ViewEventKind) -> None:
    assert not watch(CHANGES[kind], ends_s=27.0).events


def test_a_camera_that_sends_digital_black_is_black_and_not_frozen() -> None:
    (event,) = watch(np.zeros_like).events
    assert event.kind is ViewEventKind.BLACK


def test_nobody_is_looked_for_after_three_seconds_of_one_picture() -> None:
    assert watch(CHANGES[ViewEventKind.FROZEN], begins_s=20.0, ends_s=30.0).num_still == 2 * 7
    assert watch(None).num_still == 0


def test_a_camera_that_was_turned_for_good_has_a_new_view_after_a_minute() -> None:
    frames = frames_of(CLIPS[3])
    watch = ViewWatch("east")
    for number in range(200):
        image = frames[number % 100].image
        image = image if number < 20 else CHANGES[ViewEventKind.MOVED](image)
        watch.is_still(Frame(FrameStamp("east", number, float(number)), image))
    (event,) = watch.events
    assert event.kind is ViewEventKind.MOVED
    assert event.ended_at is not None
    assert 80 < event.ended_at < 85


def test_an_event_goes_on_in_another_process() -> None:
    before = watch(CHANGES[ViewEventKind.BLACK], ends_s=inf)
    assert before.now is ViewEventKind.BLACK
    after = ViewWatch("east")
    after.go_on(before.events, before.num_still)
    after.is_still(Frame(FrameStamp("east", 900, 90.0), frames_of(CLIPS[3])[0].image))
    (event,) = after.events
    assert event.ended_at == 90.0


@pytest.mark.slow
@pytest.mark.parametrize("clip", CLIPS, ids=lambda path: path.stem)
def test_real_and_rendered_footage_has_no_event(clip: Path) -> None:
    if not clip.exists():
        pytest.skip(f"needs {clip}")
    view = ViewWatch("east")
    assert not any(view.is_still(frame) for frame in VideoFileSource("east", str(clip), stride=5).frames())
    assert not view.events


def test_a_picture_of_twice_the_size_is_as_sharp() -> None:
    small = np.random.default_rng(3).integers(0, 256, (120, _SHARPNESS_WIDTH), np.uint8)
    assert _sharpness(small.repeat(2, axis=0).repeat(2, axis=1)) == _sharpness(small)


@pytest.mark.parametrize("grey", [0, 30, None])  # black, covered, or a usual view that stands still
def test_a_hole_in_the_times_is_no_time_in_which_something_was_seen(grey: int | None) -> None:
    image = frames_of(CLIPS[0])[0].image if grey is None else np.full((90, 160, 3), grey, np.uint8)

    def events_of(times: Iterable[float]) -> tuple[tuple[ViewEvent, ...], int]:
        watch = ViewWatch("east")
        for number, at in enumerate(times):
            watch.is_still(Frame(FrameStamp("east", number, at), image))
        return watch.events, watch.num_still

    short = np.arange(0, 1, 0.1)
    assert events_of([*short, *(300 + short)]) == ((), 0)
    ((event,), _) = events_of([*short, *(300 + np.arange(0, 14, 0.1))])
    assert event.began_at == 300.0
    ((event,), _) = events_of(np.arange(0, 100, 5))  # five seconds between two frames are usual there
    assert event.began_at <= 5.0
