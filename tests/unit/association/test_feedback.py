"""Corrections by a human, and that no later re-clustering undoes them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import AT_THE_BORDER, TRACKS, DictGallery, embeddings_of, make_match, person_of_part, see, windows

from pipeline.association.matcher import Matcher
from pipeline.core import CommandKind, Correction, CorrectionCommand, CorrectionKind, Sighting, TrackId, TrackPart

KINDS = {
    CommandKind.MERGE: CorrectionKind.MERGED,
    CommandKind.SPLIT: CorrectionKind.SPLIT,
    CommandKind.REJECT: CorrectionKind.SPLIT,
    CommandKind.CONFIRM: CorrectionKind.CONFIRMED,
    CommandKind.NAME: CorrectionKind.NAMED,
    CommandKind.ENROL: CorrectionKind.NAMED,
    CommandKind.UNLIST: CorrectionKind.NAMED,
    CommandKind.ERASE: CorrectionKind.ERASED,
    CommandKind.UNDO: CorrectionKind.UNDONE,
}


def command(
    stage: Matcher, kind: CommandKind, *person_ids: int, parts: tuple[TrackPart, ...] = (), name: str = ""
) -> Correction:
    """Apply a correction command; return its result."""
    ids = (*person_ids, stage.next_person_id) if KINDS[kind] is CorrectionKind.SPLIT else person_ids
    correction = Correction(KINDS[kind], ids, "ann", 0.0, parts, name=name)
    stage.apply(CorrectionCommand(kind, person_ids, "ann", 0.0, parts, name), correction)
    return correction


def parts(camera_id: str, number: int, *numbers: int) -> tuple[TrackPart, ...]:
    return tuple(TrackPart(TrackId(camera_id, 0, number), part) for part in numbers)


def number(stage: Matcher, *args, **kwargs) -> int:
    (sighting,) = [r for r in stage.process([see(*args, **kwargs)]) if isinstance(r, Sighting)]
    return sighting.person_id


def test_two_people_who_are_merged_stay_one_whatever_their_appearance() -> None:
    stage = make_match(recluster_every_s=1.0)
    assert number(stage, "east", 1, 0.0, 1.0, person=0) == 1
    assert number(stage, "west", 1, 5.0, 6.0, person=1) == 2
    command(stage, CommandKind.MERGE, 1, 2)
    number(stage, "west", 2, 30.0, 31.0, person=4)
    assert stage.flush() == []
    assert stage.num_identities == 2


def test_two_visits_that_are_merged_are_one_person_who_goes_on() -> None:
    stage = make_match(leave_after_s=2.0)
    assert number(stage, "east", 1, 0.0, 1.0, box=AT_THE_BORDER) == 1
    assert number(stage, "east", 2, 50.0, 51.0) == 2
    command(stage, CommandKind.MERGE, 1, 2)
    assert number(stage, "west", 1, 55.0, 56.0) == 1


def test_parts_that_are_split_off_are_never_joined_again() -> None:
    stage = make_match(recluster_every_s=1.0)
    assert [number(stage, "east", n, 5.0 * n, 5.0 * n + 1) for n in range(3)] == [1, 1, 1]
    split = command(stage, CommandKind.SPLIT, 1, parts=parts("east", 1, 0))
    assert split.person_ids == (1, 2)
    number(stage, "west", 1, 30.0, 31.0)
    assert stage.flush() == []
    assert stage.num_identities == 2


def test_a_split_cuts_a_track_segment_at_the_named_parts() -> None:
    gallery = DictGallery()
    stage = make_match(gallery)
    for part in range(4):
        number(stage, "east", 1, 3.0 * part, 3.0 * part + 2.9, part=part)
    command(stage, CommandKind.SPLIT, 1, parts=parts("east", 1, 2, 3))
    seen = {person_id: (who.first_seen_at, who.last_seen_at) for person_id, who in gallery.people.items()}
    assert seen == {1: (0.0, 5.9), 2: (6.0, 11.9)}
    assert number(stage, "east", 1, 12.0, 13.0, part=4) == 2  # the track goes on as the person of its newest part


def test_the_number_of_a_split_is_not_given_to_another_person() -> None:
    stage = make_match()
    number(stage, "east", 1, 0.0, 1.0)
    number(stage, "east", 2, 2.0, 3.0)
    command(stage, CommandKind.SPLIT, 1, parts=parts("east", 2, 0))
    assert number(stage, "east", 9, 5.0, 6.0, person=4) == 3


def test_rejected_parts_may_be_another_person_but_not_that_one() -> None:
    stage = make_match(recluster_every_s=1.0)
    assert number(stage, "east", 1, 0.0, 1.0, person=0) == 1
    assert number(stage, "west", 1, 5.0, 6.0, person=0) == 1
    command(stage, CommandKind.REJECT, 1, parts=parts("west", 1, 0))
    assert number(stage, "north", 1, 20.0, 21.0, person=0) in (1, 2)
    assert all(set(correction.person_ids) != {1, 2} for correction in stage.flush())


def test_a_merge_lifts_an_earlier_rejection() -> None:
    stage = make_match(recluster_every_s=1.0)
    number(stage, "east", 1, 0.0, 1.0)
    number(stage, "west", 1, 5.0, 6.0)
    command(stage, CommandKind.REJECT, 1, parts=parts("west", 1, 0))
    command(stage, CommandKind.MERGE, 1, 2)
    assert stage.flush() == []
    assert stage.num_identities == 1


def test_a_person_with_a_name_is_not_forgotten_and_keeps_the_number() -> None:
    stage = make_match(forget_after_s=60.0)
    number(stage, "east", 1, 0.0, 1.0)
    command(stage, CommandKind.NAME, 1, name="the man with the red bag")
    assert number(stage, "west", 1, 1000.0, 1001.0) == 1
    command(stage, CommandKind.NAME, 1)
    number(stage, "west", 2, 2000.0, 2001.0, person=4)
    assert not stage.is_known(1)


def test_an_erased_person_is_unknown_and_comes_back_as_a_new_one() -> None:
    stage = make_match()
    number(stage, "east", 1, 0.0, 1.0)
    assert stage.traces_of([1])
    command(stage, CommandKind.ERASE, 1)
    assert stage.num_identities == 0
    assert stage.traces_of([1]) == []
    assert number(stage, "east", 1, 1.1, 2.0, part=1) == 2


def test_a_merge_is_a_label_for_the_calibration() -> None:
    stage = make_match()
    number(stage, "east", 1, 0.0, 1.0, person=0)
    number(stage, "west", 1, 5.0, 6.0, person=1)
    before = stage._calibration.model
    command(stage, CommandKind.MERGE, 1, 2)
    assert stage._calibration.model.same_mean > before.same_mean


@pytest.mark.parametrize("kind", list(CommandKind))
def test_a_correction_of_forgotten_people_is_no_error(kind: CommandKind) -> None:
    stage = make_match()
    command(stage, kind, *((8, 9) if kind is CommandKind.MERGE else (8,)), parts=parts("east", 1, 0))
    assert number(stage, "east", 2, 5.0, 6.0) >= 1


@given(st.lists(TRACKS, min_size=2, max_size=6), st.integers(0, 20), st.data())
def test_corrections_outlast_everything_that_comes_later(tracks, moment: int, data) -> None:
    stage = make_match(recluster_every_s=1.0)
    merged: list[tuple[TrackPart, TrackPart]] = []
    split: list[tuple[TrackPart, TrackPart]] = []
    records: list[Sighting | Correction] = []
    for count, window in enumerate(windows(embeddings_of(tracks))):
        records += stage.process(window)
        people = person_of_part(records)
        ids = sorted(set(people.values()))
        if count != moment or not ids:
            continue
        of = {who: [part for part, one in people.items() if one == who] for who in ids}
        if len(ids) > 1 and data.draw(st.booleans()):
            records.append(command(stage, CommandKind.MERGE, ids[0], ids[1]))
            merged.append((of[ids[0]][0], of[ids[1]][0]))
        elif len(of[ids[0]]) > 1:
            records.append(command(stage, CommandKind.SPLIT, ids[0], parts=tuple(of[ids[0]][1:])))
            split.append((of[ids[0]][0], of[ids[0]][1]))
    records += stage.flush()
    people = person_of_part(records)
    assert all(people[one] == people[two] for one, two in merged)
    assert all(people[one] != people[two] for one, two in split)


def memory(stage: Matcher) -> object:
    """What a matcher knows of people, apart from counters: numbers are never given twice."""
    store = stage._store
    return (
        {
            person_id: sorted((tuple(s.parts), s.must_links, s.cannot_links, s.num_frames) for s in person.segments)
            for person_id, person in store.people.items()
        },
        set(store.enrolled),
        dict(store.pending),
        {track_id: person_id for track_id, (_, person_id) in store.open.items()},
        stage._calibration.model,
        {person_id: identity.camera_ids for person_id, identity in stage._gallery.people.items()},
    )


NOT_UNDONE = (CommandKind.ENROL, CommandKind.UNLIST, CommandKind.ERASE, CommandKind.UNDO)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_commands_and_then_their_undos_lead_back_to_what_was_known(data) -> None:
    stage = make_match()
    owners: dict[int, list[TrackPart]] = {}
    for track in range(4):
        for part in range(2):
            start = 10.0 * track + 1.1 * part
            who = number(stage, ("east", "west")[track % 2], track, start, start + 1, person=track, part=part)
            owners.setdefault(who, []).append(TrackPart(TrackId(("east", "west")[track % 2], 0, track), part))
    done: list[tuple[Correction, dict[int, list[TrackPart]], object]] = []
    for count in range(1, 1 + data.draw(st.integers(1, 5))):
        kind = data.draw(st.sampled_from([kind for kind in CommandKind if kind not in NOT_UNDONE]))
        one, *others = data.draw(st.permutations(sorted(owners)))
        some = tuple(data.draw(st.lists(st.sampled_from(owners[one]), min_size=1, unique=True)))
        if (kind is CommandKind.MERGE and not others) or (kind is CommandKind.SPLIT and len(some) == len(owners[one])):
            kind = CommandKind.NAME
        ids: tuple[int, ...] = (one, others[0]) if kind is CommandKind.MERGE else (one,)
        before = memory(stage), {who: list(mine) for who, mine in owners.items()}
        if KINDS[kind] is CorrectionKind.SPLIT:
            ids = (one, stage.next_person_id)
        moved = () if kind in (CommandKind.MERGE, CommandKind.NAME) else some
        name = "Anna" if kind is CommandKind.NAME and data.draw(st.booleans()) else ""
        correction = Correction(KINDS[kind], ids, "ann", 0.0, moved, name=name, command=count)
        stage.apply(CorrectionCommand(kind, ids[:1], "ann", 0.0, moved, name), correction)
        if kind is CommandKind.MERGE:
            owners[one] += owners.pop(others[0])
        elif KINDS[kind] is CorrectionKind.SPLIT:
            owners[ids[1]] = list(some)
            owners[one] = [part for part in owners[one] if part not in some]
            if not owners[one]:
                del owners[one]
        done.append((correction, before[1], before[0]))
    while done:
        correction, owners_then, known_then = done.pop()
        merge = correction.kind is CorrectionKind.MERGED
        source, target = correction.person_ids[:2] if merge else (*reversed(correction.person_ids), 0)[:2]
        back = owners_then[target] if merge else correction.parts
        moves = correction.kind in (CorrectionKind.MERGED, CorrectionKind.SPLIT)
        undone = Correction(
            CorrectionKind.UNDONE,
            (source, target) if moves else correction.person_ids,
            "ann",
            0.0,
            tuple(back) if moves else (),
            undoes=correction.command,
        )
        stage.apply(CorrectionCommand(CommandKind.UNDO, (), "ann", 0.0, undoes=correction.command), undone)
        assert memory(stage) == known_then
