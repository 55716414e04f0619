from pathlib import Path

import numpy as np
import pytest
from worlds import FRAME_HW, make_world

from models.training.pictures import Pictures
from models.training.worlds import World, split_worlds
from pipeline.core.errors import ConfigError, DataError


def test_arrays_come_by_name(tmp_path: Path) -> None:
    read = World(make_world(tmp_path)).read("full_xyxy", "visibility", "keypoints")
    assert read["keypoints"].shape == (len(read["full_xyxy"]), 17, 3)
    assert len(read["visibility"]) == len(read["full_xyxy"])


def test_pictures_are_the_same_kept_or_decoded_anew(tmp_path: Path) -> None:
    worlds = [World(make_world(tmp_path, number)) for number in range(2)]
    kept, anew = (Pictures(worlds, "frame", max_bytes=size) for size in (10**9, 0))
    assert len(kept) == 16
    for row in range(len(kept)):
        assert kept[row].shape == (*FRAME_HW, 3)
        np.testing.assert_array_equal(kept[row], anew[row])


def test_a_file_cut_short_is_named(tmp_path: Path) -> None:
    path = make_world(tmp_path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match=r"0000\.npz: expected arrays full_xyxy, got .*render this world again"):
        World(path).read("full_xyxy")


@pytest.mark.parametrize("damage", ["no numbers", "zeros"])
def test_a_file_that_is_damaged_inside_is_named(tmp_path: Path, damage: str) -> None:
    path = make_world(tmp_path)
    data = bytearray(path.read_bytes())
    if damage == "zeros":
        start = data.find(b"frame_jpeg") + 200
        data[start : start + 200] = bytes(200)
    else:
        data[:] = b"not a world"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"0000\.npz"):
        Pictures([World(path)], "frame", max_bytes=10**9)


def test_an_array_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"0000\.npz: .*keypoints"):
        World(make_world(tmp_path, leave_out=("keypoints",))).read("full_xyxy", "keypoints")


def test_arrays_of_different_lengths_are_refused(tmp_path: Path) -> None:
    path = make_world(tmp_path)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {"visibility": arrays["visibility"][:-1]})
    with pytest.raises(DataError, match=r"0000\.npz: .*visibility: expected float32"):
        World(path).read("full_xyxy", "visibility")


def test_the_last_worlds_are_held_out(tmp_path: Path) -> None:
    paths = [make_world(tmp_path, number, frames_per_camera=1) for number in range(4)]
    worlds, held_out = split_worlds(tmp_path, held_out=0.25)
    assert [world.path for world in worlds + held_out] == paths
    assert len(held_out) == 1


@pytest.mark.parametrize(("num_worlds", "held_out"), [(0, 0.0), (1, 0.1), (3, 1.0)])
def test_too_few_worlds_are_refused(tmp_path: Path, num_worlds: int, held_out: float) -> None:
    for number in range(num_worlds):
        make_world(tmp_path, number, frames_per_camera=1)
    with pytest.raises(ConfigError, match="expected more worlds"):
        split_worlds(tmp_path, held_out=held_out)
