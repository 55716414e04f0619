from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import (
    AT_THE_BORDER,
    TRACKS,
    DictGallery,
    appearance,
    embeddings_of,
    make_match,
    person_of_part,
    run_matcher,
    see,
    windows,
)

from pipeline.association.calibration.likelihood_ratio import PRIOR_WEIGHT
from pipeline.association.constraints import MIN_SEPARATED_S
from pipeline.association.geometry.topology import Topology, TransitBounds
from pipeline.core import (
    Correction,
    CorrectionKind,
    Embedding,
    Outcome,
    Sighting,
    TrackId,
    TrackPart,
)
from pipeline.core.errors import EmbeddingSpaceError

MATCHED, NEW, TENTATIVE = Outcome.MATCHED, Outcome.NEW, Outcome.TENTATIVE


def numbers(records: list[Sighting | Correction]) -> list[int]:
    return [record.person_id for record in records if isinstance(record, Sighting)]


def corrections(records: list[Sighting | Correction]) -> list[Correction]:
    return [record for record in records if isinstance(record, Correction)]


def test_an_empty_window_gives_no_sightings() -> None:
    stage = make_match()
    assert stage.process([]) == []
    assert stage.flush() == []


def test_new_people_get_numbers_in_order() -> None:
    records = make_match().process([see(number=n, person=n, start=n, stop=n + 1) for n in (1, 2, 3)])
    assert [(r.person_id, r.outcome, r.distance) for r in records] == [(1, NEW, None), (2, NEW, None), (3, NEW, None)]


def test_the_same_appearance_later_in_another_camera_is_matched() -> None:
    stage = make_match()
    stage.process([see("east", stop=2.0)])
    (sighting,) = stage.process([see("west", start=10.0, stop=11.0, distance=0.1)])
    assert (sighting.person_id, sighting.outcome) == (1, MATCHED)
    assert sighting.distance == pytest.approx(0.1, abs=1e-6)
    assert sighting.probability > 0.95


def test_a_possibly_known_person_gets_a_new_number_and_the_candidate_is_named() -> None:
    stage = make_match()
    stage.process([see("east", stop=2.0)])
    (sighting,) = stage.process([see("west", start=10.0, stop=11.0, distance=0.5)])
    assert (sighting.person_id, sighting.outcome, sighting.distance) == (2, TENTATIVE, None)
    assert sighting.runner_up is not None
    assert sighting.runner_up.person_id == 1
    assert sighting.runner_up.distance == pytest.approx(0.5, abs=1e-6)
    assert 0 < sighting.probability < 0.5


def test_a_match_names_the_next_best_person() -> None:
    stage = make_match()
    stage.process([see("east", 1, stop=2.0, person=0), see("east", 2, stop=2.0, person=1)])
    (sighting,) = stage.process([see("west", start=10.0, stop=11.0, person=1)])
    assert sighting.person_id == 2
    assert sighting.runner_up is not None
    assert sighting.runner_up.person_id == 1


def test_twins_in_one_picture_are_two_people() -> None:
    records = make_match().process([see(number=1, stop=1.0), see(number=2, start=0.2, stop=1.0)])
    assert numbers(records) == [1, 2]


def test_a_person_who_is_still_in_the_picture_is_not_matched_to_another_track_there() -> None:
    stage = make_match()
    stage.process([see(number=1, start=0.0, stop=2.0)])
    (sighting,) = stage.process([see(number=2, start=1.0, stop=2.1)])
    assert (sighting.person_id, sighting.gates) == (2, ("not 1: seen elsewhere at that time",))


def test_a_new_track_is_not_given_to_a_person_whom_another_track_of_the_window_shows_at_that_time() -> None:
    stage = make_match()
    stage.process([see(number=1, start=0.0, stop=1.0)])
    continuation = see(number=1, part=1, start=1.1, stop=4.0)
    assert numbers(stage.process([see(number=2, start=2.5, stop=3.9), continuation])) == [2, 1]


def test_two_tracks_that_begin_together_are_assigned_so_that_both_fit_best() -> None:
    stage = make_match()
    halfway = (appearance(0) + appearance(1)) / np.sqrt(np.float32(2))
    stage.process([see("east", 1, person=0), see("east", 2, person=1)])
    records = stage.process(
        [
            see("west", 1, start=10.0, stop=11.0, vector=halfway.astype(np.float32)),
            see("west", 2, start=10.0, stop=11.0, person=0),
        ]
    )
    assert numbers(records) == [2, 1]


def test_a_matcher_learns_from_each_track_that_goes_on_how_far_apart_clips_of_one_person_are() -> None:
    stage = make_match()
    stage.process([see(stop=1.0)])
    stage.process([see(start=1.1, stop=2.0, part=1, distance=0.45)])
    assert stage.calibration.model.same_mean == pytest.approx((PRIOR_WEIGHT * 0.35 + 0.45) / (PRIOR_WEIGHT + 1))


def test_a_track_keeps_its_number_where_the_appearance_changes_a_little() -> None:
    stage = make_match()
    stage.process([see(stop=1.0)])
    (sighting,) = stage.process([see(part=1, start=1.1, stop=4.0, distance=0.55)])
    assert (sighting.person_id, sighting.outcome, sighting.gates) == (1, MATCHED, ("the track goes on",))


def test_two_parts_of_one_track_in_one_window_are_one_person() -> None:
    records = make_match().process([see(stop=1.0), see(part=1, start=1.1, stop=1.3, is_last=True)])
    assert numbers(records) == [1, 1]


def test_a_part_after_a_contact_is_matched_by_appearance() -> None:
    stage = make_match()
    stage.process([see(number=1, person=0), see(number=2, person=1)])
    swapped = [
        see(number=1, part=1, start=1.5, stop=3.0, person=1, is_continuous=False),
        see(number=2, part=1, start=1.5, stop=3.0, person=0, is_continuous=False),
    ]
    assert numbers(stage.process(swapped)) == [2, 1]


def test_the_end_of_a_part_before_a_contact_stays_with_the_person_before_it() -> None:
    stage = make_match()
    stage.process([see(number=1, person=0), see(number=2, person=1)])
    before = see(number=1, part=1, start=1.1, stop=2.0, person=0)
    after = see(number=1, part=2, start=2.1, stop=2.4, person=3, is_continuous=False)
    assert numbers(stage.process([before, after])) == [1, 3]


def test_a_transit_faster_than_stated_is_ruled_out() -> None:
    topology = Topology({("east", "west"): TransitBounds(5.0, 60.0)})
    stage = make_match(topology=topology)
    stage.process([see("east", stop=2.0)])
    (sighting,) = stage.process([see("west", start=4.0, stop=5.0)])
    assert (sighting.person_id, sighting.gates) == (2, ("not 1: cannot walk from east to west in 2.0 s",))


def test_a_transit_slower_than_stated_is_ruled_out() -> None:
    stage = make_match(topology=Topology({("east", "west"): TransitBounds(5.0, 60.0)}))
    stage.process([see("east", stop=2.0)])
    assert numbers(stage.process([see("west", start=80.0, stop=81.0)])) == [2]


def test_a_transit_within_the_stated_bounds_is_matched() -> None:
    stage = make_match(topology=Topology({("east", "west"): TransitBounds(5.0, 60.0)}))
    stage.process([see("east", stop=2.0)])
    assert numbers(stage.process([see("west", start=10.0, stop=11.0)])) == [1]


@pytest.mark.parametrize(
    ("overlaps", "person_id"), [(None, 1), (frozenset({("east", "west")}), 1), (frozenset(), 2)], ids=str
)
def test_one_person_is_in_two_pictures_at_once_only_where_cameras_may_overlap(overlaps, person_id: int) -> None:
    stage = make_match(topology=Topology(overlaps=overlaps))
    stage.process([see("east", start=0.0, stop=5.0)])
    assert numbers(stage.process([see("west", start=2.0, stop=5.1)])) == [person_id]


def test_a_person_who_leaves_over_the_border_and_returns_later_is_new() -> None:
    stage = make_match(leave_after_s=2.0)
    stage.process([see(number=1, stop=1.0, box=AT_THE_BORDER)])
    (sighting,) = stage.process([see(number=2, start=10.0, stop=11.0)])
    assert (sighting.person_id, sighting.gates) == (2, ("not 1: left and came back: a new visit",))


@pytest.mark.parametrize(
    ("leave_after_s", "box", "back_at"),
    [(inf, AT_THE_BORDER, 10.0), (2.0, AT_THE_BORDER, 2.5), (2.0, (60.0, 10.0, 90.0, 90.0), 10.0)],
    ids=["returning people keep their number", "gone for a moment", "lost in the middle of the picture"],
)
def test_a_person_who_returns_keeps_the_number(leave_after_s: float, box: tuple[float, ...], back_at: float) -> None:
    stage = make_match(leave_after_s=leave_after_s)
    stage.process([see(number=1, stop=1.0, box=box)])
    assert numbers(stage.process([see(number=2, start=back_at, stop=back_at + 1, box=box)])) == [1]


def test_a_person_who_was_in_another_camera_meanwhile_returns_with_the_same_number() -> None:
    stage = make_match(leave_after_s=2.0)
    stage.process([see("east", 1, stop=1.0, box=AT_THE_BORDER)])
    stage.process([see("west", 1, start=10.0, stop=12.0)])
    assert numbers(stage.process([see("east", 2, start=20.0, stop=21.0)])) == [1]


def test_vectors_of_another_model_are_refused() -> None:
    stage = make_match()
    stage.process([see()])
    other = see(number=2, start=2.0, stop=3.0)
    with pytest.raises(EmbeddingSpaceError, match="expected the space test@0, got other@1"):
        stage.process([Embedding(**{name: getattr(other, name) for name in other.__slots__} | {"space": "other@1"})])


def test_people_unseen_for_long_are_forgotten() -> None:
    gallery = DictGallery()
    stage = make_match(gallery, forget_after_s=60.0)
    stage.process([see(stop=1.0)])
    assert numbers(stage.process([see("west", start=100.0, stop=101.0, person=1)])) == [2]
    assert (stage.num_identities, list(gallery.people)) == (1, [2])
    assert numbers(stage.process([see("west", 2, start=110.0, stop=111.0)])) == [3]


def test_a_track_whose_person_was_forgotten_begins_anew() -> None:
    stage = make_match(forget_after_s=60.0)
    stage.process([see(number=1, stop=1.0)])
    stage.process([see("west", 1, start=100.0, stop=101.0, person=1)])
    assert numbers(stage.process([see(number=1, part=1, start=102.0, stop=103.0)])) == [3]


def test_no_more_people_are_known_than_allowed_and_the_longest_unseen_are_forgotten() -> None:
    gallery = DictGallery()
    stage = make_match(gallery, max_identities=3)
    for n in range(10):
        stage.process([see(number=n, person=n, start=2.0 * n, stop=2.0 * n + 1)])
        assert stage.num_identities <= 3
    assert sorted(gallery.people) == [8, 9, 10]


def test_the_gallery_keeps_few_vectors_of_each_person() -> None:
    gallery = DictGallery()
    stage = make_match(gallery, max_prototypes=2)
    for n in range(5):
        stage.process([see("east", n, start=10.0 * n, stop=10.0 * n + 1, distance=0.01 * n)])
    (identity,) = gallery.people.values()
    assert identity.prototypes.shape == (2, 16)
    np.testing.assert_allclose(np.linalg.norm(identity.prototypes, axis=1), 1, rtol=1e-6)
    assert (identity.first_seen_at, identity.last_seen_at, identity.camera_ids) == (0.0, 41.0, ("east",))


# Re-clustering


def test_two_numbers_become_one_when_later_pictures_show_one_person() -> None:
    stage = make_match()
    first = [see("east", 1, stop=1.0, quality=0.05), see("west", 1, start=10.0, stop=11.0, distance=0.58)]
    better = see("west", 1, part=1, start=11.1, stop=14.0, distance=0.0, quality=1.0)
    records = run_matcher(stage, [*first, better])
    assert numbers(records) == [1, 2, 2]
    (merged,) = corrections(records)
    assert (merged.kind, merged.person_ids, merged.by, merged.at) == (CorrectionKind.MERGED, (2, 1), "review", 14.0)
    assert stage.num_identities == 1


def test_a_number_is_split_when_its_tracks_turn_out_to_have_been_in_one_picture_at_once() -> None:
    stage = make_match()
    # Whether the first track goes on while the second is there is known only when its next part is complete.
    records = run_matcher(
        stage,
        [
            see(number=1, start=0.0, stop=1.0),
            see(number=2, start=2.0, stop=3.0),
            see(number=1, part=1, start=1.1, stop=5.0, is_last=True),
        ],
    )
    assert numbers(records) == [1, 1, 1]
    (split,) = corrections(records)
    assert (split.kind, split.person_ids) == (CorrectionKind.SPLIT, (1, 2))
    assert split.parts == (TrackPart(TrackId("east", 0, 2), 0),)


def test_a_track_that_was_moved_goes_on_with_its_new_number() -> None:
    stage = make_match(recluster_every_s=1.0)
    stage.process([see(number=1, start=0.0, stop=1.0)])
    stage.process([see(number=2, start=2.0, stop=3.0)])
    stage.process([see(number=1, part=1, start=1.1, stop=5.0)])
    assert numbers(stage.process([see(number=2, part=1, start=3.1, stop=6.0)])) == [2]


def test_re_clustering_does_not_split_old_visits_of_one_person_to_several_cameras() -> None:
    topology = Topology({("east", "west"): TransitBounds(5.0, 1000.0)}, overlaps=frozenset())
    stage = make_match(topology=topology, recluster_window_s=60.0)
    visits = [("east", 0.0), ("west", 20.0), ("east", 40.0), ("west", 60.0), ("east", 300.0)]
    records = run_matcher(stage, [see(c, n, start=at, stop=at + 5) for n, (c, at) in enumerate(visits)])
    assert numbers(records) == [1] * 5
    assert corrections(records) == []


def test_re_clustering_happens_as_often_as_asked_in_event_time() -> None:
    embeddings = [see("east", 1, stop=1.0, quality=0.05), see("west", 1, start=10.0, stop=11.0, distance=0.58)]
    better = see("west", 1, part=1, start=11.1, stop=14.0, quality=1.0)
    stage = make_match(recluster_every_s=3.0)
    records = [record for window in windows([*embeddings, better]) for record in stage.process(window)]
    assert [c.at for c in corrections(records)] == [14.0]


def test_a_track_is_continued_only_while_the_appearance_agrees() -> None:
    stage = make_match()
    records = run_matcher(
        stage, [see(part=0, stop=1.0), see(part=1, start=1.1, stop=4.0, person=1), see("west", 1, 0.0, 4.0)]
    )
    assert numbers(records)[0] != numbers(records)[1]


def doubles(people, embeddings) -> list[tuple[Embedding, Embedding]]:
    """Return pairs of embeddings that give one person two tracks in one camera at the same time."""
    return [
        (one, two)
        for i, one in enumerate(embeddings)
        for two in embeddings[:i]
        if one.track_id.camera_id == two.track_id.camera_id
        and one.track_id != two.track_id
        and people[TrackPart(one.track_id, one.part)] == people[TrackPart(two.track_id, two.part)]
        and min(one.last.captured_at, two.last.captured_at) - max(one.first.captured_at, two.first.captured_at)
        > MIN_SEPARATED_S + 0.1 + 1e-9
    ]


@given(st.lists(TRACKS, min_size=1, max_size=7), st.sampled_from([1.0, 5.0, 1e9]))
def test_in_the_end_no_person_is_twice_in_one_picture(tracks, recluster_every_s: float) -> None:
    embeddings = embeddings_of(tracks)
    people = person_of_part(run_matcher(make_match(recluster_every_s=recluster_every_s), embeddings))
    assert doubles(people, embeddings) == []


@given(st.lists(TRACKS, min_size=1, max_size=7))
def test_assignment_gives_no_person_a_track_that_overlaps_an_earlier_one(tracks) -> None:
    stage = make_match()
    seen: list[tuple[int, Embedding]] = []
    for window in windows(embeddings_of(tracks)):
        continues = {e.track_id for _, e in seen}
        sightings = list(zip(numbers(stage.process(window)), window, strict=True))
        for person_id, embedding in sightings:
            if embedding.track_id in continues and embedding.is_continuous:
                continue
            known = [e for other_id, e in seen if other_id == person_id]
            assert doubles(
                dict.fromkeys([TrackPart(e.track_id, e.part) for e in [*known, embedding]], person_id),
                [*known, embedding],
            ) == doubles(dict.fromkeys([TrackPart(e.track_id, e.part) for e in known], person_id), known)
        seen += sightings


@given(st.lists(TRACKS, min_size=1, max_size=7), st.sampled_from([1.0, 5.0, 1e9]))
def test_applying_the_corrections_gives_the_people_that_the_matcher_knows(tracks, recluster_every_s: float) -> None:
    gallery = DictGallery()
    embeddings = embeddings_of(tracks)
    people = person_of_part(run_matcher(make_match(gallery, recluster_every_s=recluster_every_s), embeddings))
    assert sorted(gallery.people) == sorted(set(people.values()))
    for person_id, identity in gallery.people.items():
        of_person = [e for e in embeddings if people[TrackPart(e.track_id, e.part)] == person_id]
        assert identity.first_seen_at == min(e.first.captured_at for e in of_person)
        assert identity.last_seen_at == max(e.last.captured_at for e in of_person)
        assert identity.camera_ids == tuple(sorted({e.track_id.camera_id for e in of_person}))


@given(st.lists(TRACKS, min_size=1, max_size=7))
def test_the_same_input_gives_the_same_output_bit_for_bit(tracks) -> None:
    def as_text() -> list[str]:
        stage = make_match(recluster_every_s=2.0)
        return [
            repr(record)
            if isinstance(record, Correction)
            else repr((record.person_id, record.outcome, record.distance, record.probability, record.runner_up))
            for record in run_matcher(stage, embeddings_of(tracks))
        ]

    assert as_text() == as_text()


@given(st.lists(TRACKS, min_size=1, max_size=7))
def test_every_embedding_becomes_one_sighting_in_its_place(tracks) -> None:
    stage = make_match()
    for window in windows(embeddings_of(tracks)):
        sightings = [record for record in stage.process(window) if isinstance(record, Sighting)]
        assert [(s.track_id, s.part) for s in sightings] == [(e.track_id, e.part) for e in window]
        assert all(0 <= s.probability <= 1 for s in sightings)


def test_a_transit_that_the_site_excludes_is_ruled_out_and_its_reverse_is_not() -> None:
    topology = Topology(no_transit=frozenset({("east", "west")}))
    there, back = make_match(topology=topology), make_match(topology=topology)
    records = run_matcher(there, [see("east", 1), see("west", 2, 10.0, 11.0)])
    assert numbers(records) == [1, 2]
    assert records[1].gates == ("not 1: no transit from east to west",)
    assert numbers(run_matcher(back, [see("west", 1), see("east", 2, 10.0, 11.0)])) == [1, 1]
