"""A site with more track segments than are clustered at once is re-clustered a few people at a time."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from people import TRACKS, DictGallery, embeddings_of, make_match, person_of_part, run_matcher, see, windows

from pipeline.association import reclustering
from pipeline.association.clustering import cluster
from pipeline.core import Correction, CorrectionKind, Embedding, Sighting, TrackPart

MERGED = CorrectionKind.MERGED
UNSURE = [see("east", 1, stop=1.0, quality=0.05), see("west", 1, start=10.0, stop=11.0, distance=0.58)]
BETTER = see("west", 1, part=1, start=11.1, stop=14.0, quality=1.0)
many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
"""The fixture is the same for every example."""


@pytest.fixture(autouse=True)
def large_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a site of two segments be a large one."""
    monkeypatch.setattr(reclustering, "MAX_AT_ONCE", 1)


@pytest.fixture
def num_segments(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of segments of each clustering."""
    found: list[int] = []

    def counted(segments, **options):
        found.append(len(segments))
        return cluster(segments, **options)

    monkeypatch.setattr(reclustering, "cluster", counted)
    return found


def passers_by(first_at: float, num: int) -> list[Embedding]:
    """People whom hardly anybody is like, and person 0 least of all, one a second, each in a camera of their own."""
    vectors = np.random.default_rng(round(first_at)).standard_normal((num, 16)).astype(np.float32)
    vectors[:, 0] = 0.0
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [
        see(f"gate{n}", 50, start=first_at + n, stop=first_at + n + 0.8, vector=vector, is_last=True)
        for n, vector in enumerate(vectors)
    ]


def corrections(records: list[Sighting | Correction]) -> list[tuple[CorrectionKind, set[int], float]]:
    return [(r.kind, set(r.person_ids), r.at) for r in records if isinstance(r, Correction)]


def test_who_changed_is_clustered_with_the_nearest_after_the_stated_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reclustering, "MAX_AT_ONCE", 2)
    stage = make_match(recluster_every_s=3.0, recluster_window_s=300.0)
    embeddings = [UNSURE[0], *passers_by(2.0, 8), UNSURE[1], BETTER]
    records = [record for window in windows(embeddings) for record in stage.process(window)]
    # The new number was given at 11 s; the better picture came at 14 s.
    assert [(kind, at) for kind, people, at in corrections(records) if 1 in people] == [(MERGED, 14.0)]


def test_somebody_from_minutes_ago_is_found_among_many(
    monkeypatch: pytest.MonkeyPatch, num_segments: list[int]
) -> None:
    monkeypatch.setattr(reclustering, "MAX_AT_ONCE", 12)
    stage = make_match(recluster_every_s=3.0, recluster_window_s=300.0)
    returned = [
        see("west", 1, start=200.0, stop=201.0, distance=0.58),
        see("west", 1, part=1, start=201.1, stop=204.0, quality=1.0),
    ]
    embeddings = [UNSURE[0], *passers_by(2.0, 195), *returned, *passers_by(205.0, 10)]
    records = [record for window in windows(embeddings) for record in stage.process(window)]
    assert [1 in people for kind, people, _ in corrections(records) if kind is MERGED].count(True) == 1
    assert max(num_segments) <= 12
    assert len(num_segments) > 150


def test_what_is_older_than_the_window_stays_together(monkeypatch: pytest.MonkeyPatch) -> None:
    together: list[list[float]] = []

    def noted(segments, *, settled, **options):
        settled = list(settled)
        together.extend([[segments[index].last.at for index in indices] for indices in settled])
        return cluster(segments, settled=settled, **options)

    monkeypatch.setattr(reclustering, "cluster", noted)
    stage = make_match(recluster_every_s=3.0, recluster_window_s=20.0)
    seen = [see("east", 1, stop=1.0), see("west", 2, start=10.0, stop=11.0), see("east", 3, start=40.0, stop=41.0)]
    for window in windows([*seen, *passers_by(41.5, 5)]):
        stage.process(window)
    assert [1.0, 11.0] in together  # and not what was seen at 41 s


def test_more_than_fits_into_a_window_waits_for_the_next(
    num_segments: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reclustering, "MAX_PER_WINDOW", 2)
    stage = make_match(recluster_every_s=3.0, recluster_window_s=300.0)
    at_once = [see(f"gate{n}", 50, start=0.0, stop=1.0, person=n) for n in range(8)]
    stage.process(at_once)
    seen = []
    for n in range(6):
        num_segments.clear()
        stage.process([see("east", 9 + n, start=4.0 + n / 2, stop=4.4 + n / 2, person=9)])
        seen.append(len(num_segments))
    assert max(seen) <= 2
    assert sum(seen) >= 8
    num_segments.clear()
    stage.flush()
    assert len(num_segments) >= 1  # who changed last is looked at in the end


@many
@given(st.lists(TRACKS, min_size=1, max_size=7), st.sampled_from([1.0, 5.0, 1e9]))
def test_applying_the_corrections_gives_the_people_that_the_matcher_knows(tracks, recluster_every_s: float) -> None:
    gallery = DictGallery()
    embeddings = embeddings_of(tracks)
    people = person_of_part(run_matcher(make_match(gallery, recluster_every_s=recluster_every_s), embeddings))
    assert sorted(gallery.people) == sorted(set(people.values()))
    assert {TrackPart(each.track_id, each.part) for each in embeddings} == people.keys()


@many
@given(st.lists(TRACKS, min_size=1, max_size=7), st.sets(st.integers(0, 40), min_size=1, max_size=4))
def test_a_restored_matcher_goes_on_as_if_nothing_had_happened(tracks, cuts: set[int]) -> None:
    def make_stage():
        return make_match(recluster_every_s=2.0, recluster_window_s=6.0, forget_after_s=15.0, max_identities=5)

    undisturbed, stage = make_stage(), make_stage()
    for number, window in enumerate(windows(embeddings_of(tracks))):
        if number in cuts:
            state = stage.snapshot()
            stage = make_stage()
            stage.restore(state)
        for one, two in zip(stage.process(window), undisturbed.process(window), strict=True):
            assert type(one) is type(two)
            if isinstance(one, Correction):
                assert one == two
            else:
                assert isinstance(two, Sighting)
                assert (one.person_id, one.outcome, one.distance) == (two.person_id, two.outcome, two.distance)
                np.testing.assert_array_equal(one.box_xyxy, two.box_xyxy)
    assert stage.flush() == undisturbed.flush()
