"""Attributes of tracklets."""

from pathlib import Path

import numpy as np
import pytest
from video_datasets import write_duke, write_mars

from models.training.video.attributes import key_of, read_attributes
from models.training.video.datasets.duke import load_duke
from models.training.video.datasets.mars import load_mars
from pipeline.core.errors import ConfigError, DataError

MARS = [3, 5, 1, 0, 1, 0, 1, 0, 1, 8, 9, 3, 0, 1, 0, 1, 0, 1, 0, 1, 0]
DUKE = [4, 0, *[1] * 7, 0, 1, 0, 1, 0, 1, 0, 1, 7, 8]


def write_table(path: Path, rows: list[list[int]], num_values: int) -> Path:
    lines = ["person_id,camera_id,tracklets_id" + ",value" * num_values]
    path.write_text("\n".join([*lines, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


@pytest.mark.parametrize(("dataset", "values", "num_relevant"), [("mars", MARS, 41), ("duke", DUKE, 33)])
def test_every_attribute_is_one_of_its_classes(
    tmp_path: Path, dataset: str, values: list[int], num_relevant: int
) -> None:
    table = read_attributes(write_table(tmp_path / "a.csv", [[1, 2, 3, *values]], len(values)), dataset)
    assert (table.num_relevant, table.num_irrelevant) == (num_relevant, 11)
    irrelevant = table.irrelevant[1, 2, 3]
    assert np.flatnonzero(irrelevant).tolist() == [values[0], 5 + values[1]]
    relevant = table.relevant[1, 2, 3]
    kept = values[9:]
    counts = [9, 10, 4, *[2] * 9] if dataset == "mars" else [*[2] * 8, 8, 9]
    blocks = np.split(relevant, np.cumsum(counts)[:-1])
    assert [int(block.argmax()) for block in blocks] == kept
    assert all(block.sum() == 1 for block in blocks)


@pytest.mark.shared
def test_the_older_table_of_mars_has_no_pose_and_motion(shared: Path) -> None:
    table = read_attributes(shared / "data" / "mars" / "mars_attributes.csv", "mars")
    assert (table.num_relevant, table.num_irrelevant) == (41, 0)
    assert len(table.relevant) == 16_360
    assert {vector.sum() for vector in table.relevant.values()} == {12.0}


def test_tracklets_are_found_by_their_names_and_unknown_ones_have_no_targets(tmp_path: Path) -> None:
    mars = load_mars(write_mars(tmp_path / "mars"), protocol="usual").train
    duke = load_duke(write_duke(tmp_path / "duke")).train
    assert key_of(mars[2]) == (1, 2, 2)
    assert key_of(duke[-1]) == (4, 2, 2)
    table = read_attributes(write_table(tmp_path / "a.csv", [[1, 2, 2, *MARS]], 21), "mars")
    targets = table.targets(mars)
    assert {name: group.shape for name, group in targets.items()} == {
        "id_relevant": (len(mars), 41),
        "id_irrelevant": (len(mars), 11),
    }
    assert np.flatnonzero(targets["id_relevant"].any(axis=1)).tolist() == [2]


@pytest.mark.parametrize("bad", [[1, 2, 3, *MARS[:-1], 2], [1, 2, 3, *MARS[:-1]], [1, 2, "x", *MARS]], ids=str)
def test_a_row_that_is_none_is_named(tmp_path: Path, bad: list[int]) -> None:
    with pytest.raises(DataError, match=r"a\.csv, line 2: expected 24 numbers"):
        read_attributes(write_table(tmp_path / "a.csv", [bad], 21), "mars")


def test_a_table_that_is_not_there_or_of_another_set_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="attributes: expected the table"):
        read_attributes(tmp_path / "a.csv", "mars")
    path = write_table(tmp_path / "a.csv", [[1, 2, 3, *MARS]], 21)
    with pytest.raises(ConfigError, match="got lsvid with 21"):
        read_attributes(path, "lsvid")
