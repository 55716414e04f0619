from pathlib import Path

import pytest

from pipeline.core.errors import ConfigError
from pipeline.evaluation.site_truth import read_run_tables, read_site_truth, score_run

WHOLE = "1,1,10,10,20,40\n1,2,110,10,20,40\n2,3,10,10,20,40\n"
CROPS = {"left": [0, 0, 100, 100], "right": [100, 0, 200, 100]}


@pytest.fixture
def whole(tmp_path: Path) -> str:
    path = tmp_path / "truth.txt"
    path.write_text(WHOLE)
    return str(path)


def read(file: str, **changed: object) -> dict[str, list[int]]:
    arguments = {"camera_ids": [*CROPS], "crops": CROPS, "returns": {}, "keep_ids_of_returns": True, **changed}
    tables = read_site_truth("mot", file, **arguments)  # type: ignore[arg-type]
    return {camera_id: table.ids.tolist() for camera_id, table in tables.items()}


def test_each_camera_shows_its_crop_of_one_file(whole: str) -> None:
    assert read(whole) == {"left": [1, 3], "right": [2]}


def test_a_camera_without_a_crop_shows_the_whole_image(whole: str) -> None:
    assert read(whole, crops={"left": None}) == {"left": [1, 2, 3]}


def test_a_return_has_the_first_identity_where_the_run_keeps_it(whole: str) -> None:
    assert read(whole, returns={"3": 1})["left"] == [1, 1]
    assert read(whole, returns={"3": 1}, keep_ids_of_returns=False)["left"] == [1, 3]


def test_each_camera_may_have_a_file_of_its_own(tmp_path: Path) -> None:
    for camera_id, person in (("left", 5), ("right", 6)):
        (tmp_path / f"{camera_id}.txt").write_text(f"1,{person},10,10,20,40\n")
    assert read(str(tmp_path / "{camera_id}.txt"), crops={}) == {"left": [5], "right": [6]}


def test_flags_of_a_mot_truth_are_read(tmp_path: Path) -> None:
    (tmp_path / "truth.txt").write_text("1,1,10,10,20,40,1\n1,2,60,10,20,40,0\n")
    tables = read_site_truth(
        "mot",
        str(tmp_path / "truth.txt"),
        camera_ids=["east"],
        crops={"east": None},
        returns={},
        keep_ids_of_returns=False,
    )
    assert tables["east"].counts.tolist() == [True, False]


def test_an_unknown_format_is_refused_with_the_known_ones(whole: str) -> None:
    with pytest.raises(ConfigError, match=r"site\.truth\.format: expected one of \['mot', 'pets_xml'\], got xls"):
        read_site_truth("xls", whole, camera_ids=[], crops={}, returns={}, keep_ids_of_returns=True)


@pytest.mark.parametrize("name", ["absent.txt", "{camera_id}.txt"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"site\.truth\.file: expected a file, got .*(absent|left)\.txt"):
        read(str(tmp_path / name))


def test_a_run_with_the_boxes_and_identities_of_the_truth_scores_one(whole: str, tmp_path: Path) -> None:
    truth = read_site_truth("mot", whole, camera_ids=[*CROPS], crops=CROPS, returns={"3": 1}, keep_ids_of_returns=True)
    (tmp_path / "mot").mkdir()
    (tmp_path / "mot/left.txt").write_text("1,7,10,10,20,40,0.9,-1,-1,-1\n2,7,10,10,20,40,0.9,-1,-1,-1\n")
    (tmp_path / "mot/right.txt").write_text("1,8,10,10,20,40,0.9,-1,-1,-1\n")
    assert {camera_id: len(table) for camera_id, table in read_run_tables(truth, tmp_path).items()} == {
        "left": 2,
        "right": 1,
    }
    assert score_run(truth, tmp_path).idf1 == 1.0
    (tmp_path / "mot/left.txt").write_text("1,7,10,10,20,40,0.9,-1,-1,-1\n2,9,10,10,20,40,0.9,-1,-1,-1\n")
    assert score_run(truth, tmp_path).idf1 == pytest.approx(2 / 3)
