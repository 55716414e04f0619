import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.camera.detection import letterbox
from pipeline.camera.motion_gate import OPEN_S, USUAL_S, MotionGate
from pipeline.core import Frame, FrameStamp, LetterboxedFrame

FPS = 10
ROOM = np.random.default_rng(0).integers(60, 200, (36, 64, 3)).repeat(10, 0).repeat(10, 1).astype(np.uint8)


def frame(number: int, person_at: int | None = None, noise: float = 2.0, light: int = 0) -> LetterboxedFrame:
    """Return a noisy picture of a room, with a person at so many pixels from the left."""
    image = ROOM.astype(np.float32) + light
    if person_at is not None:
        image[150:250, person_at : person_at + 35] = 20
    image += np.random.default_rng(number).normal(0, noise, image.shape)
    stamp = FrameStamp("east", number, number / FPS)
    return letterbox(Frame(stamp, np.clip(image, 0, 255).astype(np.uint8)), (416, 416))


def closed(*frames: LetterboxedFrame) -> list[bool]:
    gate = MotionGate()
    found = [gate.is_closed(each) for each in frames]
    assert gate.num_closed == sum(found)
    return found


def test_the_gate_of_an_empty_room_closes_after_a_while() -> None:
    found = closed(*(frame(number) for number in range(150)))
    assert found.index(True) == OPEN_S * FPS
    assert all(found[round(OPEN_S * FPS) :])


def test_it_opens_with_the_first_picture_of_a_person() -> None:
    found = closed(*(frame(number, 100 + 5 * (number - 150) if number >= 150 else None) for number in range(200)))
    assert found[149]
    assert not any(found[150:])


def test_it_stays_open_for_a_while_for_who_stands_still() -> None:
    standing_s = OPEN_S + 4 * USUAL_S
    found = closed(*(frame(number, 200 if number >= 20 else None) for number in range(20 + round(standing_s * FPS))))
    assert not any(found[: round((2 + OPEN_S + USUAL_S) * FPS)])
    assert found[-1]


def test_a_change_of_the_light_opens_it() -> None:
    found = closed(*(frame(number, light=40 if number >= 150 else 0) for number in range(152)))
    assert found[149:] == [True, False, False]


@given(st.lists(st.floats(0.0, 20.0), max_size=30))
def test_it_takes_frames_at_any_interval(steps: list[float]) -> None:
    gate, at = MotionGate(), 0.0
    for number, step in enumerate(steps):
        at += step
        blank = np.zeros((32, 32, 3), np.uint8)
        gate.is_closed(letterbox(Frame(FrameStamp("east", number, at), blank), (32, 32)))
    assert gate.num_closed <= len(steps)
