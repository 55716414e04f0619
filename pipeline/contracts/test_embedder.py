"""What every embedder must do."""

import pickle
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.contracts.records import make_path, make_tracklet
from pipeline.core import Embedder, PoseNeed, TrackId, Tracklet
from pipeline.core.errors import ShapeError

Factory = Callable[[], Embedder]


@pytest.fixture(scope="module")
def embedder(factory: Factory) -> Embedder:
    return factory()


def _tracklet(embedder: Embedder, number: int = 1, num_crops: int | None = None) -> Tracklet:
    num_crops = num_crops or embedder.clip_len
    tracklet = make_tracklet(
        TrackId("east", 0, number),
        part=number,
        path=make_path(first=number, length=num_crops + 3, velocity=(2, 1)),
        num_crops=num_crops,
        crop_hw=embedder.crop_size_hw,
        seed=number,
        is_last=number % 2 == 0,
    )
    generator = np.random.default_rng(number)
    tracklet = replace(
        tracklet,
        qualities=generator.uniform(0.1, 1, num_crops).astype(np.float32),
        is_continuous=number % 2 == 1,
    )
    if embedder.needs is not PoseNeed.NOTHING:
        keypoints = generator.uniform(0, 1, (num_crops, 17, 3)).astype(np.float32)
        tracklet = replace(tracklet, keypoints=keypoints)
    if embedder.needs is PoseNeed.HEATMAPS:
        height, width = embedder.crop_size_hw
        heatmaps = generator.uniform(0, 1, (num_crops, 17, height // 4, width // 4)).astype(np.float32)
        tracklet = replace(tracklet, heatmaps=heatmaps)
    return tracklet


def test_there_is_one_embedding_a_tracklet_in_order(embedder: Embedder) -> None:
    tracklets = [_tracklet(embedder, number) for number in (3, 1, 2)]
    embeddings = embedder.embed(tracklets)
    assert [(e.track_id, e.part, e.completed_at, e.is_last, e.is_continuous) for e in embeddings] == [
        (t.track_id, t.part, t.completed_at, t.is_last, t.is_continuous) for t in tracklets
    ]


def test_first_last_and_box_are_those_of_the_path(embedder: Embedder) -> None:
    tracklet = _tracklet(embedder, 5)
    (embedding,) = embedder.embed([tracklet])
    path = tracklet.path
    assert (embedding.first.index, embedding.last.index) == (path.indices[0], path.indices[-1])
    assert (embedding.first.captured_at, embedding.last.captured_at) == (
        path.captured_at[0],
        path.captured_at[-1],
    )
    assert embedding.path is path
    np.testing.assert_array_equal(embedding.box_xyxy, path.boxes_xyxy[-1])


def test_vectors_are_of_norm_one_and_of_the_embedders_space(embedder: Embedder) -> None:
    embeddings = embedder.embed([_tracklet(embedder, number) for number in (1, 2)])
    for embedding in embeddings:
        assert np.linalg.norm(embedding.vector.astype(np.float64)) == pytest.approx(1, abs=1e-6)
        assert embedding.space == embedder.space
    assert len({len(embedding.vector) for embedding in embeddings}) == 1


def test_quality_is_the_mean_of_the_crops(embedder: Embedder) -> None:
    tracklet = _tracklet(embedder)
    (embedding,) = embedder.embed([tracklet])
    assert embedding.quality == pytest.approx(tracklet.qualities.mean(), abs=1e-6)


def test_one_by_one_equals_batched_bit_for_bit(embedder: Embedder) -> None:
    lengths = {1: embedder.clip_len, 2: 1, 3: max(1, embedder.clip_len - 1), 4: embedder.clip_len}
    tracklets = [_tracklet(embedder, number, length) for number, length in lengths.items()]
    together = embedder.embed(tracklets)
    alone = [embedder.embed([tracklet])[0] for tracklet in reversed(tracklets)][::-1]
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_array_equal(a.vector, b.vector)


def test_the_same_tracklet_gives_the_same_vector_again(embedder: Embedder, factory: Factory) -> None:
    tracklet = _tracklet(embedder)
    vectors = [e.embed([tracklet])[0].vector for e in (embedder, embedder, factory())]
    np.testing.assert_array_equal(vectors[0], vectors[1])
    np.testing.assert_array_equal(vectors[0], vectors[2])


def test_nothing_gives_nothing(embedder: Embedder) -> None:
    assert embedder.embed([]) == []


def test_inputs_stay_as_they_are(embedder: Embedder) -> None:
    tracklet = _tracklet(embedder)
    crops, qualities = tracklet.crops.copy(), tracklet.qualities.copy()
    embedder.embed([tracklet])
    np.testing.assert_array_equal(tracklet.crops, crops)
    np.testing.assert_array_equal(tracklet.qualities, qualities)


def test_a_single_crop_is_enough(embedder: Embedder) -> None:
    (embedding,) = embedder.embed([_tracklet(embedder, num_crops=1)])
    assert np.isfinite(embedding.vector).all()


def test_crops_of_another_size_are_refused(embedder: Embedder) -> None:
    height, width = embedder.crop_size_hw
    with pytest.raises(ShapeError):
        embedder.embed([make_tracklet(num_crops=embedder.clip_len, crop_hw=(height // 2, width))])


def test_its_factory_survives_pickling(factory: Factory) -> None:
    copy = pickle.loads(pickle.dumps(factory))
    # Factories within factories are equal to none but themselves.
    assert repr(copy) == repr(factory)
