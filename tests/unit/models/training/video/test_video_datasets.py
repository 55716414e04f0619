"""Loaders of tracklets, on miniature copies and on the official index of MARS."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import loadmat
from video_datasets import write_duke, write_ilids, write_lsvid, write_mars, write_picture, write_prid

from models.training.video.datasets.benchmark import Benchmark, TrackletFiles, labels_of
from models.training.video.datasets.duke import load_duke
from models.training.video.datasets.lsvid import load_lsvid
from models.training.video.datasets.mars import load_mars
from models.training.video.datasets.pairs import load_ilids, load_prid
from pipeline.core.errors import ConfigError, DataError
from pipeline.evaluation.retrieval import LabelledVectors, RetrievalScore, score_distances

LOADERS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], Benchmark]]] = {
    "mars": (write_mars, lambda root: load_mars(root, protocol="usual")),
    "ilids": (write_ilids, lambda root: load_ilids(root, split=0)),
    "prid": (write_prid, lambda root: load_prid(root, split=0, min_frames=2)),
    "duke": (write_duke, load_duke),
    "lsvid": (write_lsvid, lambda root: load_lsvid(root, protocol="mixing")),
}


def colours(tracklets: tuple[TrackletFiles, ...]) -> LabelledVectors:
    """The mean colour of each tracklet: it tells people apart."""
    means = [np.mean([cv2.imread(str(path)) for path in tracklet.paths], axis=(0, 1, 2)) for tracklet in tracklets]
    people, cameras = labels_of(tracklets)
    return LabelledVectors(np.array(means, np.float32).reshape(-1, 3), people, cameras)


def score(benchmark: Benchmark) -> RetrievalScore:
    query, gallery = colours(benchmark.query), colours(benchmark.gallery)
    distances = np.linalg.norm(query.vectors[:, None] - gallery.vectors[None], axis=2)
    return score_distances(distances, query, gallery)


@pytest.mark.parametrize("name", LOADERS)
def test_people_who_are_colours_are_found_by_their_colour(name: str, tmp_path: Path) -> None:
    write, load = LOADERS[name]
    found = score(load(write(tmp_path)))
    assert found.cmc[0] == 1
    assert found.mean_ap == 1


@pytest.mark.parametrize("name", LOADERS)
def test_people_to_learn_from_are_numbered_without_gaps_and_are_not_looked_for(name: str, tmp_path: Path) -> None:
    write, load = LOADERS[name]
    benchmark = load(write(tmp_path))
    people = {tracklet.person_id for tracklet in benchmark.train}
    assert people == set(range(len(people)))
    learnt = {path for tracklet in benchmark.train for path in tracklet.paths}
    assert not learnt & {path for tracklet in benchmark.query + benchmark.gallery for path in tracklet.paths}
    assert all(path.exists() for path in learnt)


@pytest.mark.parametrize("name", LOADERS)
def test_a_data_set_that_is_not_there_is_reported_how_it_should_be(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected .*, got nothing there; it is laid out as\n"):
        LOADERS[name][1](tmp_path)


def test_mars_has_the_tracklets_that_its_index_names(tmp_path: Path) -> None:
    benchmark = load_mars(write_mars(tmp_path), protocol="usual")
    assert Counter((t.person_id, t.camera) for t in benchmark.train) == {(p, c): 2 for p in range(4) for c in (0, 1)}
    assert len(benchmark.query) == 10
    assert Counter(t.person_id for t in benchmark.gallery) == {0: 3, 2: 3, 4: 3, 6: 3, 8: 1}
    frames = [int(path.stem.split("F")[1]) for path in benchmark.query[0].paths]
    assert frames == list(range(1, len(frames) + 1))


@pytest.mark.parametrize(("protocol", "in_gallery", "num_valid"), [("usual", 13, 9), ("mixing", 23, 9)])
def test_mars_counts_queries_that_have_a_match(tmp_path: Path, protocol: str, in_gallery: int, num_valid: int) -> None:
    benchmark = load_mars(write_mars(tmp_path), protocol=protocol)
    assert len(benchmark.gallery) == in_gallery
    assert score(benchmark).num_queries == num_valid
    assert protocol in benchmark.protocol


def official_index(root: Path, shared: Path) -> Path:
    """Names for the lines that the official index of MARS has; the pictures themselves are not needed."""
    (root / "info").mkdir()
    for name in ("tracks_train_info", "tracks_test_info", "query_IDX"):
        (root / "info" / f"{name}.mat").write_bytes((shared / "data" / "mars" / f"{name}.mat").read_bytes())
    for split in ("train", "test"):
        rows = loadmat(root / "info" / f"tracks_{split}_info.mat")[f"track_{split}_info"].tolist()
        names = []
        for first, last, person, camera in rows:
            assert first == len(names) + 1
            begin = "00-1" if person == -1 else f"{person:04d}"
            names += [f"{begin}C{camera}T0001F{frame:03d}.jpg" for frame in range(1, last - first + 2)]
        (root / "info" / f"{split}_name.txt").write_text("\n".join(names))
    return root


@pytest.mark.slow
@pytest.mark.shared
def test_the_official_index_of_mars_has_the_counts_that_are_published(tmp_path: Path, shared: Path) -> None:
    root = official_index(tmp_path, shared)
    benchmark = load_mars(root, protocol="usual")
    lengths = np.array([len(tracklet.paths) for tracklet in benchmark.train])
    assert (len(lengths), len({tracklet.person_id for tracklet in benchmark.train}), lengths.sum()) == (
        8_298,
        625,
        509_914,
    )
    assert (lengths.min(), lengths.max(), (lengths < 8).sum()) == (5, 900, 86)
    assert lengths.mean() == pytest.approx(61.5, abs=0.05)
    assert len(benchmark.query) == 1_980
    assert len({tracklet.person_id for tracklet in benchmark.query}) == 626
    assert len({(tracklet.person_id, tracklet.camera) for tracklet in benchmark.query}) == 1_980
    lengths = np.array([len(tracklet.paths) for tracklet in benchmark.query])
    assert (lengths.min(), lengths.max()) == (2, 880)
    assert len(benchmark.gallery) == 9_330
    assert sum(tracklet.person_id == 0 for tracklet in benchmark.gallery) == 3_248
    mixing = load_mars(root, protocol="mixing")
    assert len(mixing.gallery) == 11_310


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize(("protocol", "num_valid"), [("usual", 1_840), ("mixing", 1_980)])
def test_as_many_queries_of_mars_have_a_match_as_is_known(
    tmp_path: Path, shared: Path, protocol: str, num_valid: int
) -> None:
    benchmark = load_mars(official_index(tmp_path, shared), protocol=protocol)
    (people, cameras), (gallery_people, gallery_cameras) = labels_of(benchmark.query), labels_of(benchmark.gallery)
    query = LabelledVectors(np.zeros((len(people), 1), np.float32), people, cameras)
    gallery = LabelledVectors(np.zeros((len(gallery_people), 1), np.float32), gallery_people, gallery_cameras)
    distances = np.zeros((len(people), len(gallery_people)), np.float32)
    assert score_distances(distances, query, gallery).num_queries == num_valid


def test_a_damaged_index_of_mars_is_named(tmp_path: Path) -> None:
    root = write_mars(tmp_path)
    (root / "info" / "train_name.txt").write_text("0001C1T0001F001.jpg\n")
    with pytest.raises(DataError, match=r"train_name\.txt: expected the lines that the index names"):
        load_mars(root, protocol="usual")
    (root / "info" / "tracks_train_info.mat").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"tracks_train_info\.mat: expected a MATLAB file"):
        load_mars(root, protocol="usual")


def test_splits_of_ilids_count_folders_and_not_their_numbers(tmp_path: Path) -> None:
    root = write_ilids(tmp_path)
    splits = loadmat(root / "train-test people splits" / "train_test_splits_ilidsvid.mat")["ls_set"]
    folders = [1, 2, 9, 14, 15, 319]
    for split in range(10):
        benchmark = load_ilids(root, split=split)
        expected = sorted(folders[number - 1] for number in splits[split, :3])
        assert [tracklet.person_id for tracklet in benchmark.query] == expected
        assert [tracklet.camera for tracklet in benchmark.query] == [0] * 3
        assert [tracklet.camera for tracklet in benchmark.gallery] == [1] * 3
        swapped = load_ilids(root, split=split, first_half="train")
        assert {t.person_id for t in swapped.query}.isdisjoint(expected)


def test_prid_takes_its_split_file_where_there_is_one(tmp_path: Path) -> None:
    root = write_prid(tmp_path)
    names = {"train": ["person_0001", "person_0021"], "test": ["person_0005", "person_0002"]}
    (root / "splits_prid2011.json").write_text(json.dumps([names]))
    benchmark = load_prid(root, split=0)
    assert [tracklet.person_id for tracklet in benchmark.query] == [2, 5]
    with pytest.raises(ConfigError, match="split: expected 0 to 0, got 1"):
        load_prid(root, split=1)


def test_prid_without_a_split_file_has_ten_of_the_people_with_enough_frames(tmp_path: Path) -> None:
    root = write_prid(tmp_path)
    halves = [{t.person_id for t in load_prid(root, split=split, min_frames=3).query} for split in range(10)]
    assert all(len(half) == 3 for half in halves)
    assert len({frozenset(half) for half in halves}) > 1
    assert not load_prid(root, split=0, min_frames=4).query


def test_duke_orders_frames_by_number_and_knows_both_kinds_of_names(tmp_path: Path) -> None:
    benchmark = load_duke(write_duke(tmp_path))
    for tracklet in benchmark.train:
        assert [path.name.split("F")[1][:4] for path in tracklet.paths] == ["0002", "0003", "0005", "0010"]
    assert {tracklet.camera for tracklet in benchmark.train} == {0, 1}


def test_duke_has_a_query_in_the_gallery_once(tmp_path: Path) -> None:
    benchmark = load_duke(write_duke(tmp_path))
    names = [(tracklet.person_id, tracklet.name) for tracklet in benchmark.gallery]
    assert len(names) == len(set(names)) == 6
    write_picture(tmp_path / "train" / "0001" / "0001" / "holiday.jpg", 1)
    with pytest.raises(DataError, match=r"holiday\.jpg: expected a name like"):
        load_duke(tmp_path)


@pytest.mark.parametrize(("protocol", "in_gallery"), [("usual", 4), ("mixing", 6)])
def test_lsvid_takes_cameras_from_names_and_queries_from_its_list(
    tmp_path: Path, protocol: str, in_gallery: int
) -> None:
    benchmark = load_lsvid(write_lsvid(tmp_path), protocol=protocol)
    assert [(tracklet.person_id, tracklet.camera) for tracklet in benchmark.query] == [(11, 0), (12, 0)]
    assert len(benchmark.gallery) == in_gallery
    assert {tracklet.camera for tracklet in benchmark.train} == {0, 1, 14}
    assert [path.stem[-2:] for path in benchmark.query[0].paths] == ["_9", "10", "11"]


def test_an_empty_tracklet_is_named(tmp_path: Path) -> None:
    root = write_ilids(tmp_path)
    for path in (root / "i-LIDS-VID" / "sequences" / "cam2" / "person009").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"person009.*: expected pictures, got none"):
        load_ilids(root, split=0)
