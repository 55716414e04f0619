"""A site whose cameras colour embeddings: what is learned of them, and which decisions it turns."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from people import DIM, make_match, run_matcher, see, windows

from pipeline.association.adaptation.adaptation import MAX_WHITENED, MIN_NEW_PARTS, Adaptation
from pipeline.association.adaptation.camera_statistics import CameraStatistics
from pipeline.association.geometry.topology import Topology
from pipeline.association.matcher import Matcher
from pipeline.core import CommandKind, Correction, CorrectionCommand, CorrectionKind, Embedding, Outcome, Sighting
from pipeline.core.serialisation import serialise

PASSERS_BY = 40
"""People who come by in each camera, two at a time."""
TINT = {"east": 0, "west": 1}
"""Direction into which a camera moves all embeddings."""


def look(person: int, camera_id: str, *, tint: float = 1.0, dim: int = DIM, blur: int = 0) -> NDArray[np.float32]:
    """Return how a camera sees a person: themselves, the colour of the camera, and a little of the moment."""
    vector = np.zeros(dim)
    vector[2:] = np.random.default_rng(person).standard_normal(dim - 2)
    vector /= np.linalg.norm(vector)
    vector[TINT[camera_id]] += tint
    vector += 0.02 * np.random.default_rng([person, blur]).standard_normal(dim)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def passers_by(cameras: tuple[str, ...] = ("east", "west"), **options: float) -> Iterator[Embedding]:
    """Yield people who come once, in two parts each, two at a time in each camera."""
    for pair in range(PASSERS_BY // 2):
        start = 10.0 * pair
        for place, camera_id in enumerate(cameras):
            for side in range(2):
                person, number = 1000 * (place + 1) + 2 * pair + side, 2 * pair + side + 1
                for part in range(2):
                    begin = start + 3 * part
                    vector = look(person, camera_id, blur=part, **options)  # type: ignore
                    box = (10.0 + 40 * side, 10.0, 40.0 + 40 * side, 70.0)
                    yield see(
                        camera_id, number, begin, begin + 2.9, vector=vector, part=part, box=box, is_last=part == 1
                    )


def matcher(**options: object) -> Matcher:
    """Return a matcher for two cameras that do not overlap."""
    return make_match(topology=Topology(overlaps=frozenset()), **{"adaptation": Adaptation()} | options)  # type: ignore


def visit(stage: Matcher) -> Sighting:
    """Show the matcher many people, then one in the east, then the same one in the west; return the last sighting."""
    person, late = 7, 10.0 * PASSERS_BY
    known = see("east", 900, late, late + 2.9, vector=look(person, "east"), is_last=True)
    again = see("west", 901, late + 30, late + 33, vector=look(person, "west", blur=1), is_last=True)
    records = run_matcher(stage, [*passers_by(), known, again])
    return next(r for r in records if isinstance(r, Sighting) and r.track_id == again.track_id)


def test_a_person_is_known_again_by_another_camera_only_if_cameras_are_learned() -> None:
    assert visit(matcher(adaptation=None)).outcome is not Outcome.MATCHED
    found = visit(matcher())
    assert found.outcome is Outcome.MATCHED
    assert found.distance is not None
    assert found.distance < 0.35


def test_embeddings_are_read_as_they_are_until_enough_was_seen() -> None:
    made, few = Adaptation(), list(passers_by())[: MIN_NEW_PARTS - 1]
    made.learn(few)
    assert not made.renew()
    vector = few[0].vector.astype(np.float64)
    assert made.projection.project(vector, 1.0, "east") is vector
    assert made.projection.distance(vector, vector) == pytest.approx(0, abs=1e-6)


def test_where_a_projection_separates_no_better_embeddings_are_read_as_they_are() -> None:
    stage = matcher()
    run_matcher(stage, passers_by())
    assert stage.projection_version > 0
    # A camera in which people vary as much within a track as between tracks.
    noise = np.random.default_rng(0).standard_normal
    noisy = matcher()
    for embedding in passers_by():
        vector = noise(DIM)
        vector /= np.linalg.norm(vector)
        camera_id, track = embedding.track_id.camera_id, embedding.track_id.number
        shown = see(
            camera_id, track, embedding.path.captured_at[0], vector=vector.astype(np.float32), part=embedding.part
        )
        noisy.process([shown])
    assert noisy.projection_version == 0


def test_snapshots_hold_what_was_learned_bit_for_bit() -> None:
    embeddings = list(passers_by())
    whole, cut = matcher(), matcher()
    expected, got = [], []
    for index, window in enumerate(windows(embeddings)):
        expected.append(whole.process(window))
        if index % 23 == 0:
            state = cut.snapshot()
            cut = matcher()
            cut.restore(state)
        got.append(cut.process(window))
    assert cut.projection_version > 0
    assert serialise([as_values(records) for records in got]) == serialise([as_values(each) for each in expected])
    assert cut.snapshot() == whole.snapshot()


def as_values(records: list[Sighting | Correction]) -> list[tuple[int, float | None]]:
    return [(r.person_id, r.distance) if isinstance(r, Sighting) else (r.person_ids[0], r.at) for r in records]


def test_a_snapshot_without_adaptation_restores_into_a_matcher_with_it() -> None:
    old, new = make_match(), make_match(adaptation=Adaptation())
    old.process([next(passers_by())])
    new.restore(old.snapshot())
    assert (new.num_identities, new.projection_version) == (1, 0)


def test_what_is_remembered_of_an_open_track_goes_with_an_erased_person() -> None:
    adaptation = Adaptation()
    stage = make_match(adaptation=adaptation)
    embedding = next(passers_by())
    (sighting,) = stage.process([embedding])
    assert isinstance(sighting, Sighting)
    trace = embedding.vector.astype(np.float64).tobytes()
    assert trace in adaptation.snapshot()
    erase = CorrectionCommand(CommandKind.ERASE, (sighting.person_id,), by="o", at=1.0)
    stage.apply(erase, Correction(CorrectionKind.ERASED, (sighting.person_id,), by="o", at=1.0))
    assert trace[-64:] not in adaptation.snapshot()


def test_long_vectors_are_centred_and_not_whitened() -> None:
    made = Adaptation()
    for embedding in passers_by(dim=MAX_WHITENED + 1):
        made.learn([embedding])
        made.renew()
    assert not len(made.trial.whitening)
    assert set(made.trial.means) == {"east", "west"}
    centred = made.trial.project(look(5, "east", dim=MAX_WHITENED + 1).astype(np.float64), 1.0, "east")
    assert abs(centred[TINT["east"]]) < 0.4 * look(5, "east", dim=MAX_WHITENED + 1)[TINT["east"]]


def test_an_embedder_that_says_the_same_of_each_picture_of_a_person_gives_no_nan() -> None:
    stage = matcher()
    same = [replace(each, vector=look(each.track_id.number, each.track_id.camera_id)) for each in passers_by()]
    found = [record for record in run_matcher(stage, same) if isinstance(record, Sighting)]
    assert len(found) == len(same)
    assert all(np.isfinite(each.probability) for each in found)
    statistics = CameraStatistics(scatter=np.zeros((3, 3)))
    statistics.add_step(np.ones(3), np.ones(3))
    np.testing.assert_array_equal(statistics.covariance(), np.eye(3))
