from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import Correction, CorrectionKind, TrackId, TrackPart
from pipeline.ledger import NOBODY, FinalTracks

PARTS = [TrackPart(TrackId("east", 0, track), part) for track in range(3) for part in range(3)]
PEOPLE = st.integers(1, 6)

SEEN = st.tuples(st.just("seen"), st.sampled_from(PARTS), PEOPLE)
MERGED = st.tuples(st.just("merged"), PEOPLE, PEOPLE)
SPLIT = st.tuples(st.just("split"), PEOPLE, st.lists(st.sampled_from(PARTS), max_size=4).map(tuple))
ERASED = st.tuples(st.just("erased"), PEOPLE, st.none())


def see(tracks: FinalTracks, part: TrackPart, person_id: int) -> None:
    tracks.see(part, person_id)


def merge(tracks: FinalTracks, kept: int, absorbed: int) -> None:
    tracks.correct(Correction(CorrectionKind.MERGED, (kept, absorbed), "rule", 0.0))


def split(tracks: FinalTracks, to: int, *parts: TrackPart) -> None:
    tracks.correct(Correction(CorrectionKind.SPLIT, (0, to), "rule", 0.0, parts))


def erase(tracks: FinalTracks, person_id: int) -> None:
    tracks.correct(Correction(CorrectionKind.ERASED, (person_id,), "rule", 0.0))


class Naive:
    """The rules as one would write them first: two dicts, and every change rewrites them."""

    def __init__(self) -> None:
        self.people: dict[TrackPart, int] = {}
        self.now_called = {person_id: person_id for person_id in range(10)}
        self.erased: set[int] = set()

    def apply(self, kind: str, first: object, second: object) -> None:
        if kind == "seen":
            self.people[first] = NOBODY if first in self.erased else self.name(second)
        elif kind == "merged" and self.now_called[second] not in self.erased:
            self.rename(self.now_called[second], self.now_called[first])
        elif kind == "split":
            self.now_called[first] = first
            self.people.update({part: first for part in second if part in self.people})
        elif kind == "erased":
            self.erased |= {first, self.now_called[first]}
        self.people = {part: self.name_of_now(person) for part, person in self.people.items()}

    def rename(self, old: int, new: int) -> None:
        self.people = {part: new if person == old else person for part, person in self.people.items()}
        self.now_called = {a: new if b == old else b for a, b in self.now_called.items()}

    def name(self, person_id: int) -> int:
        return self.name_of_now(self.now_called[person_id])

    def name_of_now(self, person_id: int) -> int:
        return NOBODY if person_id in self.erased else person_id


@given(st.lists(st.one_of(SEEN, SEEN, MERGED, SPLIT, ERASED), max_size=40))
def test_events_in_any_order_give_the_result_of_a_naive_simulation(events: list[tuple[str, object, object]]):
    tracks, naive = FinalTracks(), Naive()
    for kind, first, second in events:
        naive.apply(kind, first, second)
        if kind == "seen":
            see(tracks, first, second)
        elif kind == "merged":
            merge(tracks, first, second)
        elif kind == "split":
            split(tracks, first, *second)
        else:
            erase(tracks, first)
    assert {part: tracks.person_of(part) for part in naive.people} == naive.people
    assert all(tracks.person_of(part) == NOBODY for part in PARTS if part not in naive.people)


@given(st.lists(SEEN, max_size=20), st.lists(MERGED, max_size=6))
def test_merges_give_the_same_partition_whether_before_or_after_the_sightings(seen, merged):
    before, after = FinalTracks(), FinalTracks()
    for _, kept, absorbed in merged:
        merge(before, kept, absorbed)
    for _, part, person_id in seen:
        see(before, part, person_id)
        see(after, part, person_id)
    for _, kept, absorbed in merged:
        merge(after, kept, absorbed)
    assert [before.person_of(part) for part in PARTS] == [after.person_of(part) for part in PARTS]


def test_a_part_belongs_to_its_newest_sighting():
    tracks = FinalTracks()
    see(tracks, PARTS[0], 1)
    see(tracks, PARTS[0], 2)
    assert tracks.person_of(PARTS[0]) == 2


def test_parts_of_one_track_can_be_different_persons():
    tracks = FinalTracks()
    see(tracks, PARTS[0], 1)
    see(tracks, PARTS[1], 2)
    assert [tracks.person_of(part) for part in PARTS[:2]] == [1, 2]


def test_a_later_sighting_under_an_absorbed_number_is_the_kept_person():
    tracks = FinalTracks()
    merge(tracks, 1, 2)
    merge(tracks, 3, 1)
    see(tracks, PARTS[0], 2)
    assert tracks.person_of(PARTS[0]) == 3
    assert [tracks.current_id(person_id) for person_id in (1, 2, 3, 4)] == [3, 3, 3, 4]


def test_a_split_undoes_a_merge_for_the_parts_it_lists_only():
    tracks = FinalTracks()
    see(tracks, PARTS[0], 2)
    see(tracks, PARTS[1], 2)
    merge(tracks, 1, 2)
    split(tracks, 2, PARTS[0])
    see(tracks, PARTS[2], 2)
    assert [tracks.person_of(part) for part in PARTS[:3]] == [2, 1, 2]


def test_an_erased_person_never_comes_back():
    tracks = FinalTracks()
    see(tracks, PARTS[0], 2)
    merge(tracks, 1, 2)
    erase(tracks, 1)
    see(tracks, PARTS[1], 1)
    see(tracks, PARTS[2], 2)
    assert [tracks.person_of(part) for part in PARTS[:3]] == [NOBODY] * 3


def test_a_track_can_show_another_person_after_its_person_was_erased():
    tracks = FinalTracks()
    see(tracks, PARTS[0], 1)
    erase(tracks, 1)
    see(tracks, PARTS[1], 2)
    assert [tracks.person_of(part) for part in PARTS[:2]] == [NOBODY, 2]


def test_a_confirmation_changes_nothing():
    tracks = FinalTracks()
    see(tracks, PARTS[0], 1)
    tracks.correct(Correction(CorrectionKind.CONFIRMED, (1, 2), "ann", 0.0, (PARTS[0],)))
    assert tracks.person_of(PARTS[0]) == 1


def command(kind: CorrectionKind, number: int, *person_ids: int, parts: tuple[TrackPart, ...] = ()) -> Correction:
    return Correction(kind, person_ids, "ann", 0.0, parts, command=number)


def test_slots_are_counted_by_first_sighting_and_parts_come_back_by_slot():
    tracks = FinalTracks()
    assert [tracks.see(PARTS[index], 1) for index in (4, 0, 4, 1)] == [(0, True), (1, True), (0, False), (2, True)]
    assert tracks.parts() == [PARTS[4], PARTS[0], PARTS[1]]
    assert tracks.parts_at([2, 0]) == [PARTS[1], PARTS[4]]
    finals = tracks.finals()
    assert finals.person_ids.tolist() == [1, 1, 1]
    assert finals.track_numbers.tolist() == [0, 1, 1], "the same for all parts of a track"


def test_the_fate_of_numbers_is_taken_over_by_a_later_process():
    tracks = FinalTracks()
    merge(tracks, 1, 2)
    merge(tracks, 3, 4)
    erase(tracks, 3)
    assert sorted(tracks.fates()) == [(2, 1), (3, NOBODY), (4, 3)]
    later = FinalTracks()
    later.follow(tracks.fates())
    for part, person_id in zip(PARTS, (2, 3, 4, 5), strict=False):
        see(later, part, person_id)
    assert [later.person_of(part) for part in PARTS[:4]] == [1, NOBODY, NOBODY, 5]
    assert later.aliases_of(1) == [1, 2]


def test_a_person_has_the_numbers_it_absorbed_and_no_other():
    tracks = FinalTracks()
    for kept, absorbed in ((4, 9), (4, 2), (1, 4), (5, 6)):
        merge(tracks, kept, absorbed)
    assert [tracks.aliases_of(person_id) for person_id in (1, 4, 5)] == [[1, 2, 4, 9], [4], [5, 6]]


def test_a_command_is_remembered_with_the_parts_that_it_moved_and_those_that_followed():
    tracks = FinalTracks()
    for part in PARTS[:2]:
        see(tracks, part, 2)
    see(tracks, PARTS[3], 1)
    tracks.correct(command(CorrectionKind.MERGED, 7, 1, 2))
    assert tracks.before(8) is None
    assert tracks.parts_moved_by(8) == []
    assert tracks.parts_moved_by(7) == list(PARTS[:2])
    see(tracks, PARTS[2], 1)  # the same track goes on
    see(tracks, PARTS[4], 1)  # a part of a track that was not moved
    assert tracks.parts_moved_by(7) == list(PARTS[:3])
    erase(tracks, 1)
    assert tracks.parts_moved_by(7) == []


def test_a_later_part_that_was_there_before_a_split_does_not_follow_it():
    tracks = FinalTracks()
    for part in PARTS[:3]:
        see(tracks, part, 1)
    tracks.correct(command(CorrectionKind.SPLIT, 7, 1, 2, parts=(PARTS[1], PARTS[8])))
    assert tracks.parts_moved_by(7) == [PARTS[1]]
    before = tracks.before(7)
    assert before is not None
    assert (before.num_slots, before.slots, before.groups, before.aliases) == (3, ((1, 1),), (), ())


def test_an_undo_leaves_what_was_erased_since_and_gives_numbers_back():
    tracks = FinalTracks()
    see(tracks, PARTS[0], 2)
    see(tracks, PARTS[3], 3)
    merge(tracks, 2, 3)
    tracks.correct(command(CorrectionKind.MERGED, 7, 1, 2))
    tracks.correct(Correction(CorrectionKind.UNDONE, (1, 2, 3), "ann", 0.0, (PARTS[0], PARTS[3]), undoes=7))
    assert [tracks.person_of(part) for part in (PARTS[0], PARTS[3])] == [2, 2]
    assert [tracks.current_id(number) for number in (1, 2, 3)] == [1, 2, 2]
    assert tracks.before(7) is None
    see(tracks, PARTS[6], 2)
    tracks.correct(command(CorrectionKind.MERGED, 8, 1, 2))
    erase(tracks, 1)
    tracks.correct(Correction(CorrectionKind.UNDONE, (1, 2), "ann", 0.0, (PARTS[0],), undoes=8))
    assert [tracks.person_of(part) for part in (PARTS[0], PARTS[3], PARTS[6])] == [NOBODY] * 3
