"""Weights on benchmarks, and re-ranking."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from video_datasets import write_duke, write_ilids, write_mars, write_prid
from video_networks import make_network, save_network

from models.reid.networks.ctl import Ctl
from models.reid.networks.lstrl import Lstrl
from models.reid.networks.rapa import Rapa
from models.summary import read_embedder
from models.training.video.datasets.benchmark import TrackletFiles
from models.training.video.datasets.choice import load_benchmarks
from models.training.video.datasets.mars import load_mars
from models.training.video.evaluate import main
from models.training.video.reranking import rerank
from models.training.video.scoring import NetworkInput, embed_tracklets
from models.training.video.sources import FileTracklets
from pipeline.core.errors import ConfigError, WeightsError

pytestmark = pytest.mark.slow

CLIPS = {"clip_len": "2", "crop_size_hw": "[64,32]"}
CHANGES = ["network.width_mult=0.125", "clip_len=4", "crop_size_hw=[64,32]"]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "narrow.safetensors"
    save_network(path, make_network(Lstrl))
    return path


def rows_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict]:
    main([*arguments, *CHANGES, "device=cpu"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_mars_is_scored_under_both_protocols_and_says_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path
) -> None:
    root = write_mars(tmp_path / "mars")
    rows = rows_of(capsys, "model=lstrl", f"weights={weights}", "dataset=mars", f"root={root}")
    assert [row["protocol"] for row in rows] == [
        "MARS, usual: gallery without the queries",
        "MARS, mixing: gallery with the queries",
    ]
    for row in rows:
        # People are colours, which even a network that was never trained tells apart, more or less.
        assert 0 < row["rank1"] <= row["rank5"] <= 100
        assert (row["queries"], row["queries_without_answer"]) == (9, 1)


def test_all_clips_of_a_tracklet_count_however_many_there_are(tmp_path: Path) -> None:
    settings = NetworkInput.of(read_embedder("lstrl", CLIPS | {"clip_scheme": "dense", "max_clips": "1000"}))
    network = make_network(Lstrl, clip_len=2)
    paths = load_mars(write_mars(tmp_path / "mars"), protocol="usual").train[0].paths
    long = TrackletFiles(paths * 20, 0, 0, "long")
    source = FileTracklets([long], crop_hw=(64, 32))
    (vector,) = embed_tracklets(network, source, settings, torch.device("cpu"))
    images, keypoints = source.clip(0, np.arange(len(long.paths)))
    pixels = torch.from_numpy(images.copy()).unflatten(0, (-1, 2))
    assert len(pixels) > 32
    with torch.no_grad():
        each = network(settings.clips(pixels, torch.from_numpy(keypoints).unflatten(0, (-1, 2)))).vector
    torch.testing.assert_close(vector, torch.nn.functional.normalize(each.mean(0), dim=0), atol=1e-5, rtol=1e-4)


def test_re_ranking_is_a_row_of_its_own(capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path) -> None:
    root = write_duke(tmp_path / "duke")
    rows = rows_of(capsys, "model=lstrl", f"weights={weights}", "dataset=duke", f"root={root}", "rerank=true")
    assert [row["rerank"] for row in rows] == [False, True]


def test_vectors_can_be_compared_otherwise_than_the_paper_does(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path
) -> None:
    root = write_duke(tmp_path / "duke")
    given = ["model=lstrl", f"weights={weights}", "dataset=duke", f"root={root}"]
    assert rows_of(capsys, *given)[0]["metric"] == "cosine"
    assert rows_of(capsys, *given, "metric=euclidean")[0]["metric"] == "euclidean"
    with pytest.raises(ConfigError, match="metric: expected cosine or euclidean"):
        main([*given, *CHANGES, "metric=l1"])


def test_ten_splits_have_a_mean_and_a_deviation(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path
) -> None:
    root = write_ilids(tmp_path / "ilids")
    (row,) = rows_of(capsys, "model=lstrl", f"weights={weights}", "dataset=ilids", f"root={root}")
    assert row["protocol"] == "iLIDS-VID: mean of 10 splits"
    assert {"rank1", "rank1_std", "rank20"} <= set(row)


@pytest.mark.parametrize(("model", "kind"), [("ctl", Ctl), ("rapa", Rapa)])
def test_networks_that_need_pose_are_scored_with_what_a_pose_network_finds(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, model: str, kind: Any
) -> None:
    root = write_mars(tmp_path / "mars")
    path = tmp_path / "w.safetensors"
    save_network(path, make_network(kind))
    given = [f"model={model}", f"weights={path}", "dataset=mars", f"root={root}", "pose=passerby"]
    rows = rows_of(capsys, *given)
    assert [row["queries"] for row in rows] == [9, 9]
    assert all(row["rank20"] > 0 for row in rows)


def test_prid_and_ilids_are_split_as_a_paper_says(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    root = write_prid(tmp_path / "prid")
    (root / "splits_prid2011.json").write_text(json.dumps([{"train": ["person_0001"], "test": ["person_0002"]}] * 10))
    assert [len(split.query) for split in load_benchmarks("prid", root, None)] == [1] * 10
    assert [len(split.query) for split in load_benchmarks("prid", root, "first_200")] == [3] * 10
    assert [len(split.query) for split in load_benchmarks("prid", root, "many_frames")] == [0] * 10
    root = write_ilids(tmp_path / "ilids")
    tested = [
        {one.person_id for one in load_benchmarks("ilids", root, word)[0].query} for word in (None, "first_half_trains")
    ]
    assert tested[0].isdisjoint(tested[1])
    with pytest.raises(ConfigError, match="protocol: expected many_frames or first_200 or none for prid, got 'all'"):
        load_benchmarks("prid", root, "all")


def test_a_network_that_needs_pose_says_that_data_sets_have_none(tmp_path: Path) -> None:
    root = write_duke(tmp_path / "duke")
    path = tmp_path / "w.safetensors"
    save_network(path, make_network(Ctl))
    with pytest.raises(ConfigError, match="Ctl needs heatmaps"):
        main(["model=ctl", f"weights={path}", "dataset=duke", f"root={root}", *CHANGES])


def test_rapa_without_pose_takes_thirds_if_configured_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    root = write_duke(tmp_path / "duke")
    path = tmp_path / "w.safetensors"
    save_network(path, make_network(Rapa, pe=False))
    arguments = ["model=rapa", f"weights={path}", "dataset=duke", f"root={root}", "network.pe=false"]
    assert rows_of(capsys, *arguments)[0]["rank1"] > 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["dataset=cuhk03", "protocol=x"], "protocol: expected none for cuhk03"),
        (["dataset=cuhk03"], "dataset: expected mars"),
        (["dataset=mars"], "expected .*info"),
        (["dataset=mars", "protocol=both"], "protocol: expected usual or mixing"),
        (["dataset=mars", "network.depth=3"], "depth"),
        ([], "command line"),
    ],
)
def test_a_mistake_on_the_command_line_is_named(arguments: list[str], named: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=named):
        main(["model=lstrl", "weights=x", f"root={tmp_path}", *arguments])


def test_weights_that_are_absent_are_named(tmp_path: Path) -> None:
    root = write_duke(tmp_path / "duke")
    with pytest.raises(WeightsError, match=r"nowhere\.safetensors"):
        main(["model=lstrl", "weights=nowhere.safetensors", "dataset=duke", f"root={root}", *CHANGES])


def test_re_ranking_brings_back_who_is_near_by_way_of_others() -> None:
    # Two curves of points side by side: along a curve neighbours are near, its ends are not.
    along = np.linspace(0, 3, 13)
    curves = [np.stack([along, np.full(13, height)], axis=1) for height in (0.0, 1.2)]
    points = torch.tensor(np.concatenate(curves), dtype=torch.float32)
    labels = np.repeat([0, 1], 13)
    query, gallery = points[[0, 13]], points
    distances = [
        torch.cdist(one, other).numpy() for one, other in ((query, gallery), (query, query), (gallery, gallery))
    ]
    mixed = rerank(*distances, k1=5, k2=3)
    assert mixed.shape == (2, 26)

    def mean_rank(found: np.ndarray) -> float:
        return float(np.mean([np.flatnonzero(labels[np.argsort(found[q], kind="stable")] == q).mean() for q in (0, 1)]))

    assert mean_rank(mixed) < mean_rank(distances[0])


def test_re_ranking_that_weighs_only_what_came_in_keeps_its_order() -> None:
    points = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
    between = torch.cdist(points, points).numpy()
    mixed = rerank(between[:4, 4:], between[:4, :4], between[4:, 4:], k1=4, k2=1, original_weight=1.0)
    np.testing.assert_array_equal(mixed.argsort(1), between[:4, 4:].argsort(1))
