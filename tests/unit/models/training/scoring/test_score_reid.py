"""Embedders beside each other on any footage with a truth, with intervals over people."""

from pathlib import Path

import numpy as np
import pytest
from tiny_networks import write_reid_onnx
from worlds import make_world

from models.training.scoring.score_reid import main
from models.training.scoring.single_crops import Searches, search_across_cameras
from models.training.scoring.site_crops import read_site_crops
from pipeline.config.composition import load_config
from pipeline.core.errors import ConfigError
from pipeline.evaluation.truth import read_mot_truth


def searches(precisions: dict[int, list[float]]) -> Searches:
    people = [person for person, found in precisions.items() for _ in found]
    return Searches(np.array(people, np.int64), np.concatenate(list(precisions.values())), 0)


def test_the_interval_is_as_wide_as_people_differ_and_not_as_crops_do() -> None:
    low, high = searches({1: [0.0] * 50, 2: [1.0] * 50, 3: [0.0] * 50, 4: [1.0] * 50}).interval()
    assert low < 0.1
    assert high > 0.9
    # Within a person everything differs, between people nothing: other people would give the same mean.
    assert searches({person: [0.0, 1.0] * 25 for person in range(4)}).interval() == (0.5, 0.5)


def test_more_people_make_the_interval_narrower() -> None:
    few, many = (searches({person: [person % 2] for person in range(count)}).interval() for count in (10, 1000))
    assert many[1] - many[0] < 0.2 * (few[1] - few[0])


def test_a_lead_is_sure_where_each_person_is_found_a_little_better() -> None:
    hard, easy = [0.1, 0.2], [0.8, 0.9]
    one = searches(dict(enumerate([hard, easy] * 5)))
    other = searches({number: [each + 0.05 for each in found] for number, found in enumerate([hard, easy] * 5)})
    assert other.interval()[0] < one.mean_ap
    assert other.lead_over(one).interval() == pytest.approx((0.05, 0.05))
    assert one.lead_over(one).interval() == (0, 0)


def test_nobody_who_can_be_found_has_no_score() -> None:
    found = search_across_cameras(np.eye(2, dtype=np.float32), np.array([1, 2]), np.array([0, 1]))
    assert (found.mean_ap, found.rank1, found.interval()) == (0.0, 0.0, (0.0, 0.0))


def test_each_query_keeps_whom_it_looked_for() -> None:
    vectors = np.array([[1, 0], [1, 0], [0.8, 0.6], [0, 1]], np.float32)
    found = search_across_cameras(vectors, np.array([5, 5, 7, 7]), np.array([0, 1, 0, 1]))
    assert found.person_ids.tolist() == [5, 5, 7, 7]
    # Person 7 in camera 0 looks more like person 5; in camera 1 nobody is nearer.
    assert found.average_precisions.tolist() == [1, 1, 0.5, 1]
    assert found.num_first == 3


@pytest.mark.slow
def test_crops_of_a_site_show_people_of_its_truth_in_all_cameras() -> None:
    config = load_config(["site=demo"])
    crops = read_site_crops(config, max_crops=40)
    assert 20 < len(crops) <= 40
    assert {crop.camera for crop in crops} == {0, 1, 2, 3}
    assert config.site.truth is not None
    for crop in crops:
        camera_id = list(config.site.cameras)[crop.camera]
        table = read_mot_truth(Path(config.site.truth.file.replace("{camera_id}", camera_id)))
        own = table.boxes_xyxy[table.ids == crop.person_id]
        assert np.abs(own - crop.box_xyxy).max(axis=1).min() <= 1
        left, top, right, bottom = crop.box_xyxy.astype(int)
        assert crop.image.shape == (bottom - top, right - left, 3)


def test_a_site_without_truth_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"site\.truth: expected ground truth"):
        read_site_crops(load_config(["site=empty"]), max_crops=10)


def test_worlds_are_scored_beside_the_histogram(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    make_world(tmp_path, num_people=3)
    network = write_reid_onnx(tmp_path / "tiny.onnx", hw=(64, 32))
    named = ["embedder=image_onnx", f"embedder.weights={network}", "embedder.crop_size_hw=[64,32]"]
    main(["pets=false", f"data={tmp_path}", "held_out=0", *named])
    printed = capsys.readouterr().out.splitlines()
    assert any("1 rendered worlds" in line for line in printed)
    rows = {line.split("  ")[0]: line.split()[-8:] for line in printed}
    mean_ap, low, high, worst, best = (float(figure) for figure in rows["colour histogram"][:5])
    assert 0 <= low <= mean_ap <= high <= 1
    assert -1 <= worst <= best <= 1
    assert rows["image_onnx"][3:5] == ["0.000", "0.000"]
    assert rows["image_onnx"][-1] == "3"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["embedder=passerby", "pets=false"], "pets, site, data: expected at least one"),
        (["pets=false", "data=/nowhere"], "expected embedder=…"),
        (["embedder=passerby", "pets=perhaps"], "command line: expected values for pets"),
        (["embedder=passerby", "max_crops=0"], "max_crops: expected at least 1, got 0"),
    ],
)
def test_what_cannot_be_scored_is_said(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        main(arguments)
