"""What is known of rendered people, for ASA-Net."""

from pathlib import Path

import numpy as np
import pytest
from worlds import ATTRIBUTES, make_world

from models.training.video.sources import WorldTracklets
from models.training.video.world_attributes import NUM_IRRELEVANT, NUM_RELEVANT, irrelevant_of, relevant_of
from models.training.worlds import World
from pipeline.core.errors import DataError

BLOCKS = [9, 10, 4, *[2] * 9]


def test_what_belongs_to_a_person_is_in_the_order_of_mars(tmp_path: Path) -> None:
    world = World(make_world(tmp_path))
    read = world.read("person_id", "person_outfit", "attributes")
    encoded = relevant_of(world)[int(read["person_id"][3]), int(read["person_outfit"][3])]
    assert encoded.shape == (NUM_RELEVANT,) == (sum(BLOCKS),) == (41,)
    blocks = np.split(encoded, np.cumsum(BLOCKS)[:-1])
    assert all(block.sum() == 1 for block in blocks)
    known = dict(zip(ATTRIBUTES, read["attributes"][3], strict=True))
    assert [int(block.argmax()) for block in blocks[:4]] == [
        known[name] for name in ("top_colour", "bottom_colour", "age", "long_sleeves")
    ]
    assert int(blocks[-2].argmax()) == known["female"]


@pytest.mark.parametrize(
    ("facing_deg", "speed", "motion", "pose"),
    [
        ([0, 10, -10], [1, 1, 1], 0, 0),
        ([45] * 3, [0, 0, 0], 1, 1),
        ([-90] * 3, [3, 3, 3], 2, 2),
        ([135] * 3, [0, 1, 3], 4, 3),
        ([180, -175, 170], [1, 1, 0], 0, 4),
        ([0, 90, 180], [1, 1, 1], 0, 5),
        ([360 + 10], [1], 0, 0),
    ],
)
def test_motion_and_pose_are_what_they_mostly_are(
    facing_deg: list[float], speed: list[float], motion: int, pose: int
) -> None:
    encoded = irrelevant_of(np.deg2rad(facing_deg).astype(np.float32), np.array(speed, np.float32))
    assert encoded.shape == (NUM_IRRELEVANT,)
    assert np.flatnonzero(encoded).tolist() == [motion, 5 + pose]


def test_every_tracklet_of_a_world_has_its_attributes_and_wears_one_outfit(tmp_path: Path) -> None:
    make_world(tmp_path, frames_per_camera=8)
    source = WorldTracklets([World(tmp_path / "worlds" / "0000.npz")], crop_hw=(32, 16), min_visible=0.0, max_bytes=0)
    groups = source.attributes()
    relevant, irrelevant = groups["id_relevant"], groups["id_irrelevant"]
    assert relevant.shape == (len(source.people), 41)
    assert irrelevant.shape == (len(source.people), 11)


def test_a_world_that_does_not_say_is_named(tmp_path: Path) -> None:
    path = make_world(tmp_path)
    with np.load(path) as arrays:
        kept = dict(arrays)
    np.savez(path, **kept | {"attribute_names": np.array(["sex"] * len(ATTRIBUTES))})
    with pytest.raises(DataError, match=r"0000\.npz: expected the attributes age, backpack"):
        relevant_of(World(path))
    np.savez(path, **kept | {"attributes": kept["attributes"] + 20})
    with pytest.raises(DataError, match="top_colour in"):
        relevant_of(World(path))
