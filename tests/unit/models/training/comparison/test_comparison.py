"""Embedders side by side."""

import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from video_datasets import write_mars
from video_networks import make_clips
from worlds import make_world

from models.reid.averaging import assemble
from models.summary import read_embedder
from models.training.compare import main
from models.training.comparison.attention import attention_maps, draw_rows
from models.training.comparison.plot import Point, plot
from models.training.comparison.scores import compare, find, mean_precision
from models.training.comparison.table import Row, write_table
from models.training.comparison.tracklets import HalfTracklets, KnownTracklets, with_pose
from models.training.scoring.pets import HalfCrops
from models.training.video.scoring import NetworkInput
from pipeline.core import Embedding, PoseNeed, Tracklet
from pipeline.core.errors import ConfigError
from pipeline.evaluation.retrieval import LabelledVectors

pytestmark = pytest.mark.slow

NARROW = {"network.width_mult": "0.125", "clip_len": "4", "crop_size_hw": "[64,32]"}


def labelled(noise: float, seed: int = 0) -> LabelledVectors:
    """Ten people in two cameras, each with a direction of their own, and noise."""
    rng = np.random.default_rng(seed)
    people = np.repeat(np.arange(10), 2)
    vectors = np.eye(10)[people] + noise * rng.normal(size=(20, 10))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return LabelledVectors(vectors.astype(np.float32), people, np.tile([0, 1], 10))


def test_vectors_that_separate_all_people_find_all_of_them() -> None:
    known = labelled(0.01)
    found = find(known, known)
    assert found.plain.mean_ap == found.reranked.mean_ap == 1
    assert found.people.tolist() == known.person_ids.tolist()


def test_who_is_looked_for_in_vain_is_no_query() -> None:
    known = labelled(0.01)
    one_camera = LabelledVectors(known.vectors[::2], known.person_ids[::2], known.cameras[::2])
    both = LabelledVectors(
        np.concatenate([known.vectors[:2], one_camera.vectors[1:]]),
        np.concatenate([known.person_ids[:2], one_camera.person_ids[1:]]),
        np.concatenate([known.cameras[:2], one_camera.cameras[1:]]),
    )
    found = find(both, both)
    assert found.plain.num_queries == len(found.people) == 2


def test_a_difference_has_an_interval_that_is_about_it_and_nothing_for_equals() -> None:
    good, bad = (find(labelled(noise), labelled(noise)) for noise in (0.01, 2.0))
    difference, low, high = compare(good, bad)
    assert 0 < low <= difference <= high
    assert compare(good, good) == (0, 0, 0)
    assert compare(bad, good)[0] == pytest.approx(-difference)


def test_a_score_has_an_interval_over_people_that_is_wider_for_fewer_of_them() -> None:
    noisy = find(labelled(0.6), labelled(0.6))
    mean_ap, low, high = mean_precision(noisy)
    assert mean_ap == pytest.approx(noisy.plain.mean_ap)
    assert low < mean_ap < high
    assert mean_precision(find(labelled(0.01), labelled(0.01))) == (1, 1, 1)


def test_the_table_says_who_is_better_and_what_may_be_chance() -> None:
    good, bad = (find(labelled(noise), labelled(noise)) for noise in (0.01, 2.0))
    rows = {"baseline_light": Row({"d": bad}, None), "lstrl_light": Row({"d": good}, None)}
    rows["stca_light"] = Row({"d": bad}, None)
    table = write_table(rows, ["d"])
    lines = {line.split("`")[1]: line for line in table.splitlines() if line.startswith("| `")}
    assert "**d**, 20 queries of 10 people" in table
    assert "LSTRL, Table 1" in table
    of_data = table.split("**What the papers say**")[0]
    assert "better" in of_data.split("`lstrl_light`")[1].splitlines()[0]
    assert "may be chance" in of_data.split("`stca_light`")[1].splitlines()[0]
    assert {"baseline", "lstrl", "stca"} <= lines.keys()


def test_the_plot_is_a_drawing_with_a_point_for_each_and_more_is_higher() -> None:
    points = [Point("a <b>", 10, 50, is_other=False), Point("c", 100, 80.5, is_other=True)]
    root = ElementTree.fromstring(plot(points, x_label="ms", y_label="mAP"))
    space = "{http://www.w3.org/2000/svg}"
    low, high = root.findall(f"{space}circle")
    assert float(low.attrib["cx"]) < float(high.attrib["cx"])
    assert float(low.attrib["cy"]) > float(high.attrib["cy"])
    assert "a <b>" in [text.text for text in root.iter(f"{space}text")]


def test_people_of_the_halves_are_cut_a_few_crops_at_a_time() -> None:
    crops = np.arange(11, dtype=np.uint8)[:, None, None, None] * np.ones((1, 128, 64, 3), np.uint8)
    people, halves = np.array([1] * 5 + [1] * 3 + [2] * 3), np.array([0] * 5 + [1] * 6)
    boxes = np.zeros((11, 4), np.float32)
    source = HalfTracklets(HalfCrops(crops, boxes, people, halves, (10, 10)), crop_hw=(64, 32), num_crops=4)
    assert source.lengths.tolist() == [4, 1, 3, 3]
    assert source.people.tolist() == [1, 1, 1, 2]
    assert source.cameras.tolist() == [0, 0, 1, 1]
    known = KnownTracklets(source, num_crops=2)
    assert [known[row].crops[:, 0, 0, 0].tolist() for row in range(len(known))] == [[0, 3], [4], [5, 7], [8, 10]]
    assert known.lengths.tolist() == [2, 1, 2, 2]
    assert known[0].keypoints is None


class MeanColour:
    """An embedder that remembers how many tracklets it was given at once."""

    space, crop_size_hw, needs = "mean@0", (64, 32), PoseNeed.NOTHING

    def __init__(self) -> None:
        self.batches: list[int] = []

    def embed(self, tracklets: Sequence[Tracklet]) -> list[Embedding]:
        self.batches.append(len(tracklets))
        return [assemble(one, np.ones(3, np.float32), self.space) for one in tracklets]


class LargeTracklets:
    """A hundred tracklets whose crops would have 157 MB together."""

    people = cameras = np.zeros(100, np.int64)
    lengths = np.full(100, 4, np.int64)

    def clip(self, row: int, indices: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        return np.zeros((len(indices), 512, 256, 3), np.uint8), np.zeros((len(indices), 17, 3), np.float32)


def test_crops_of_a_data_set_are_never_all_in_memory() -> None:
    known, embedder = KnownTracklets(LargeTracklets(), num_crops=4), MeanColour()
    tracemalloc.start()
    vectors = known.embed(embedder)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(vectors) == sum(embedder.batches) == 100
    assert peak < 80e6


def test_a_pose_is_sought_only_where_it_is_needed_and_not_known() -> None:
    embedder = MeanColour()
    tracklet = KnownTracklets(LargeTracklets(), num_crops=1)[0]
    assert with_pose(tracklet, embedder, None) is tracklet
    embedder.needs = PoseNeed.HEATMAPS
    with pytest.raises(ConfigError, match="pose: expected one, as mean@0 needs heatmaps"):
        with_pose(tracklet, embedder, None)


@pytest.mark.parametrize(
    ("model", "num_maps"), [("lstrl", 5), ("stca", 2), ("asanet", 2), ("rapa", 3), ("ctl", 3), ("baseline", 0)]
)
def test_networks_are_shown_where_they_look(model: str, num_maps: int) -> None:
    settings = NetworkInput.of(read_embedder(model, NARROW))
    torch.manual_seed(0)
    network = settings.make(0).eval()
    looks = attention_maps(network, make_clips(1, needs=network.needs))
    assert len(looks) == num_maps
    images = np.zeros((4, 64, 32, 3), np.uint8)
    rows = draw_rows(images, looks, title=model)
    assert len(rows) == 1 + num_maps
    assert len({row.shape for row in rows}) == 1


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    for number in range(2):
        make_world(folder, number, frames_per_camera=8)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    for model in ("baseline_light", "rapa_light"):
        torch.manual_seed(0)
        network = NetworkInput.of(read_embedder(model, NARROW)).make(0)
        save_file(network.state_dict(), folder / f"{model}.safetensors")
    return folder


def test_everything_is_compared_and_written(data: Path, weights: Path, tmp_path: Path) -> None:
    given = [f"data={data}", "held_out=0.5", f"out={tmp_path}", f"weights={weights}/{{name}}.safetensors"]
    given += [f"embedder.{key}={value}" for key, value in NARROW.items()]
    main([*given, "embedder=baseline_light,rapa_light", "pictures=rapa_light", f"mars={write_mars(tmp_path / 'mars')}"])
    table = (tmp_path / "table.md").read_text()
    for part in (
        "rendered people, held out",
        "MARS, mixing",
        "What they cost",
        "What the papers say",
        "| `rapa_light` | ",
    ):
        assert part in table
    ElementTree.parse(tmp_path / "plot.svg")
    for name in ("retrievals.jpg", "attention.jpg"):
        assert cv2.imread(str(tmp_path / name)) is not None


def test_a_network_that_needs_a_pose_asks_for_one(weights: Path, tmp_path: Path) -> None:
    root = write_mars(tmp_path / "mars")
    given = [f"mars={root}", f"out={tmp_path}", f"weights={weights}/{{name}}.safetensors", "costs=false"]
    with pytest.raises(ConfigError, match=r"pose: expected one, as rapa_light@.* needs keypoints"):
        main([*given, "embedder=rapa_light", "pose=", *(f"embedder.{key}={value}" for key, value in NARROW.items())])


def test_nothing_to_compare_on_is_an_error(weights: Path) -> None:
    with pytest.raises(ConfigError, match="data, pets, mars"):
        main(["embedder=baseline_light", f"weights={weights}/{{name}}.safetensors"])
