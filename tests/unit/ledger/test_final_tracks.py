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
