"""Clocks that are apart are found from the people whom several cameras saw."""

from collections.abc import Iterator

import numpy as np
import pytest

from pipeline.association.geometry.clock_offsets import ClockOffsets
from pipeline.association.geometry.ground_plane import Ground
from pipeline.association.geometry.topology import Topology, TransitBounds
from pipeline.core import Correction, CorrectionKind, FrameStamp, Outcome, Sighting, TrackId, TrackPath
from pipeline.core.records.clock_offset import ClockOffset

HOMOGRAPHY = np.diag([0.01, 0.01, 1.0])
"""A hundred pixels are a metre."""
GROUND = Ground({"east": HOMOGRAPHY, "west": HOMOGRAPHY, "gate": HOMOGRAPHY})


def walk(
    camera_id: str, number: int, person_id: int, begins_at: float, *, ahead_s: float = 0.0, y_m: float = 3.0
) -> Sighting:
    """Return a walk of 6 s and about 8 m along the ground, by the camera's clock."""
    times = np.arange(0.0, 6.0, 0.1)
    rng = np.random.default_rng(number)
    x_px = 100 * (1 + (1.2 + 0.3 * np.sin(times + number)) * times) + rng.normal(0, 5, len(times))
    boxes = np.stack([x_px - 20, np.full_like(x_px, 100 * y_m - 170), x_px + 20, np.full_like(x_px, 100 * y_m)], axis=1)
    at = begins_at + times + ahead_s
    path = TrackPath(np.arange(len(at)), at, boxes.astype(np.float32), np.ones(len(at), np.float32), (1080, 1920))
    return Sighting(
        person_id=person_id,
        track_id=TrackId(camera_id, "s", number),
        part=0,
        first=FrameStamp(camera_id, 0, float(at[0])),
        last=FrameStamp(camera_id, len(at) - 1, float(at[-1])),
        box_xyxy=boxes[-1].astype(np.float32),
        outcome=Outcome.NEW,
        distance=None,
        probability=1.0,
        runner_up=None,
        gates=(),
        path=path,
        is_last=True,
    )


def both_ways(ahead_s: float, *, walk_s: float, num: int = 8) -> Iterator[Sighting]:
    """Yield people who go from east to west, and others who go from west to east."""
    rng = np.random.default_rng(0)
    for number in range(num):
        takes_s = walk_s + rng.normal(0, 1.0)
        for begins_at, one, two in ((400.0 * number, "east", "west"), (400.0 * number + 200, "west", "east")):
            person_id = 2 * number + (one == "west") + 1
            yield walk(one, person_id, person_id, begins_at, ahead_s=ahead_s * (one == "west"))
            yield walk(two, person_id, person_id, begins_at + 6 + takes_s, ahead_s=ahead_s * (two == "west"))


def ahead_of(found: tuple[ClockOffset, ...]) -> dict[str, float]:
    return {offset.camera_id: offset.ahead_s for offset in found}


@pytest.mark.parametrize("ahead_s", [0.0, 2.0, -3.5])
def test_cameras_that_see_one_ground_show_it_without_a_single_right_link(ahead_s: float) -> None:
    offsets = ClockOffsets(Topology(), GROUND)
    for number in range(10):
        offsets.take([walk("east", number, 100 + number, 20.0 * number)])
        offsets.take([walk("west", number, 200 + number, 20.0 * number, ahead_s=ahead_s)])
    found = {offset.camera_id: offset for offset in offsets.estimates(is_last=True)}
    assert found["west"].ahead_s - found["east"].ahead_s == pytest.approx(ahead_s, abs=0.15)
    assert any(offset.is_wrong for offset in found.values()) == (ahead_s != 0)


def test_people_at_other_places_show_nothing() -> None:
    offsets = ClockOffsets(Topology(), GROUND)
    for number in range(10):
        offsets.take([walk("east", number, 100 + number, 20.0 * number)])
        offsets.take([walk("west", number, 200 + number, 20.0 * number, y_m=9.0)])
    assert offsets.estimates(is_last=True) == ()


@pytest.mark.parametrize("ahead_s", [0.0, 4.0])
def test_transits_in_both_directions_show_it(ahead_s: float) -> None:
    offsets = ClockOffsets(Topology(), Ground())
    offsets.take(both_ways(ahead_s, walk_s=15.0))
    found = ahead_of(offsets.estimates(is_last=True))
    assert found["west"] - found["east"] == pytest.approx(ahead_s, abs=0.8)
    wrong = [offset for offset in offsets.estimates() if offset.is_wrong]
    assert [offset.camera_id for offset in wrong] == (["west"] if ahead_s else [])


def test_transits_of_two_directions_that_take_longer_alike_show_no_wrong_clock() -> None:
    offsets = ClockOffsets(Topology(), Ground())
    offsets.take(both_ways(0.0, walk_s=60.0))
    assert not any(offset.is_wrong for offset in offsets.estimates(is_last=True))


def test_one_direction_is_enough_where_the_usual_time_is_stated() -> None:
    topology = Topology({("east", "west"): TransitBounds(1.0, 90.0, 15.0)})
    offsets = ClockOffsets(topology, Ground())
    offsets.take(each for each in both_ways(4.0, walk_s=15.0) if each.person_id % 2)
    found = ahead_of(offsets.estimates(is_last=True))
    assert found["west"] - found["east"] == pytest.approx(4.0, abs=0.8)


def test_of_three_cameras_the_one_that_is_apart_is_named() -> None:
    offsets = ClockOffsets(Topology(), GROUND)
    for number in range(10):
        for camera_id, ahead_s in (("east", 0.0), ("west", 0.0), ("gate", -1.5)):
            offsets.take([walk(camera_id, number, number, 20.0 * number, ahead_s=ahead_s)])
    (wrong,) = [offset for offset in offsets.estimates(is_last=True) if offset.is_wrong]
    assert wrong.camera_id == "gate"
    assert "site.cameras.gate.offset_s=1.5" in wrong.advice(0.0)


def test_merged_people_count_as_one_and_erased_people_are_forgotten() -> None:
    offsets = ClockOffsets(Topology(), Ground())
    for sighting in both_ways(4.0, walk_s=15.0):
        number = sighting.person_id + 100 * (sighting.track_id.camera_id == "west")
        offsets.take([walk(sighting.track_id.camera_id, sighting.person_id, number, sighting.first.captured_at)])
    assert offsets.estimates(is_last=True) == ()
    merged = [Correction(CorrectionKind.MERGED, (each, each + 100), "test", 0.0) for each in range(1, 17)]
    offsets.take(merged)
    assert len(offsets.estimates(is_last=True)) == 2
    offsets.take([Correction(CorrectionKind.ERASED, tuple(range(1, 17)), "test", 0.0)])
    assert offsets.estimates(is_last=True) == ()
