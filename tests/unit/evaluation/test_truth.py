from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import ConfigError, DataError
from pipeline.evaluation.track_table import TrackTable
from pipeline.evaluation.tracking import score_tracks
from pipeline.evaluation.truth import cut_out, read_mot, read_mot_truth, read_pets

PETS = """<?xml version="1.0"?><dataset>
<frame number="4"><objectlist>
  <object id="9"><box h="80" w="40" xc="100" yc="60"/></object>
</objectlist></frame>
<frame number="5"><objectlist/></frame></dataset>"""


def test_a_mot_file_is_read_with_frames_from_zero(tmp_path: Path) -> None:
    path = tmp_path / "east.txt"
    path.write_text("1,7,10.5,20,30,40,0.9,-1,-1,-1\n\n12,8,0,0,5,6\n")
    table = read_mot(path)
    assert table.frames.tolist() == [0, 11]
    assert table.ids.tolist() == [7, 8]
    assert table.boxes_xyxy.tolist() == [[10.5, 20, 40.5, 60], [0, 0, 5, 6]]


def test_an_empty_mot_file_is_a_camera_without_people(tmp_path: Path) -> None:
    path = tmp_path / "east.txt"
    path.write_text("")
    assert len(read_mot(path)) == 0


@pytest.mark.parametrize("line", ["one,2,3,4,5,6", "1,2,3,4,5", "0,2,3,4,5,6", "1,2.5,3,4,5,6", "nan,1,2,3,4,5"])
def test_a_bad_line_of_mot_text_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "east.txt"
    path.write_text(f"1,1,1,1,1,1\n{line}\n")
    with pytest.raises(DataError, match=r"east\.txt, line 2: expected frame,id"):
        read_mot(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.txt: expected a readable file"):
        read_mot(tmp_path / "absent.txt")


def test_binary_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "east.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="expected UTF-8 text"):
        read_mot(tmp_path / "east.txt")


def test_pets_xml_is_read(tmp_path: Path) -> None:
    path = tmp_path / "truth.xml"
    path.write_text(PETS)
    table = read_pets(path)
    assert table.frames.tolist() == [4]
    assert table.ids.tolist() == [9]
    assert table.boxes_xyxy.tolist() == [[80, 20, 120, 100]]


@pytest.mark.parametrize(
    "text",
    ["no xml", PETS.replace('xc="100"', ""), PETS.replace("80", "tall"), PETS.replace("<box", "<bx")],
    ids=["no xml", "attribute missing", "no number", "no box"],
)
def test_other_xml_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "truth.xml"
    path.write_text(text)
    with pytest.raises(DataError, match=r"truth\.xml: expected"):
        read_pets(path)


def test_a_crop_keeps_visible_boxes_in_its_own_coordinates() -> None:
    boxes = np.array([[90, 10, 110, 50], [96, 10, 116, 50], [150, 10, 170, 50], [0, 0, 9, 9]], np.float32)
    table = TrackTable(np.arange(4), np.arange(4), boxes)
    cut = cut_out(table, (100, 0, 200, 40), min_visible=0.5)
    assert cut.ids.tolist() == [1, 2]
    assert cut.boxes_xyxy.tolist() == [[0, 10, 16, 40], [50, 10, 70, 40]]


@pytest.mark.shared
def test_sixteen_people_walk_through_both_halves_of_the_pets_recording(shared: Path) -> None:
    table = read_pets(shared / "data/pets09/PETS2009-S2L1.xml")
    halves = {"left": cut_out(table, (0, 0, 384, 576)), "right": cut_out(table, (384, 0, 768, 576))}
    assert (len(table), len(np.unique(table.ids)), int(table.frames.max())) == (4650, 19, 794)
    assert len(np.intersect1d(halves["left"].ids, halves["right"].ids)) == 16
    score = score_tracks(halves, halves)
    assert (score.idf1, score.num_true_ids) == (1.0, 19)


def test_a_flagged_person_need_not_be_found(tmp_path: Path) -> None:
    (tmp_path / "truth.txt").write_text("1,1,0,0,10,20,1,1,1\n1,2,50,0,10,20,0,1,0.2\n")
    truth = {"east": read_mot_truth(tmp_path / "truth.txt")}
    assert truth["east"].counts.tolist() == [True, False]
    (tmp_path / "one.txt").write_text("1,7,0,0,10,20,0.9,-1,-1,-1\n")
    (tmp_path / "both.txt").write_text("1,7,0,0,10,20,0.9,-1,-1,-1\n1,8,50,0,10,20,0.9,-1,-1,-1\n")
    for name in ("one", "both"):
        score = score_tracks(truth, {"east": read_mot(tmp_path / f"{name}.txt")})
        assert (score.idf1, score.num_true_ids, score.num_ids) == (1.0, 1, 1)
