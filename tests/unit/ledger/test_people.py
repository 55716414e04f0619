"""Who is who, folded from events: who was seen where and when, and who was seen beside whom."""

from factories import make_path, make_sighting

from pipeline.core import Alert, Correction, CorrectionKind, Record, Severity, TrackId, TrackPart
from pipeline.ledger.corrections.resolve import together_text
from pipeline.ledger.events import from_row, to_row
from pipeline.ledger.people import Done, People, Person


def folded(*records: Record, people: People | None = None) -> People:
    people = people or People()
    first = people.last_event + 1
    people.fold(from_row((first + index, *to_row(record))) for index, record in enumerate(records))
    return people


def seen(
    person_id: int, camera: str, first: int, length: int = 5, *, part: int = 0, track: int | None = None
) -> Record:
    """A sighting from frame ``first`` on, ten frames a second."""
    track_id = TrackId(camera, 0, person_id if track is None else track)
    return make_sighting(person_id, track_id, part, make_path(first, length))


def test_nobody_is_there_before_the_first_event() -> None:
    people = People()
    assert (people.persons(), people.last_event, people.last_at, people.numbers.last) == ([], 0, 0.0, 0)
    assert people.events_of(-1) == []
    assert people.seen() == set()


def test_a_person_has_all_cameras_and_the_whole_time_of_their_parts_in_any_order() -> None:
    people = folded(
        seen(3, "west", 50),
        seen(1, "north", 20),
        seen(3, "east", 10),
        seen(1, "north", 0, part=1),
        seen(3, "west", 30, part=2),
    )
    assert people.persons() == [
        Person(1, "", 2, 0.0, 2.4, ("north",)),
        Person(3, "", 3, 1.0, 5.4, ("east", "west")),
    ]
    assert people.events_of(3) == [1, 3, 5]
    assert (people.last_event, people.last_at) == (5, 5.4)


def test_a_part_that_is_seen_again_counts_once_by_its_newest_sighting() -> None:
    people = folded(seen(1, "east", 0, track=9), seen(2, "east", 0, track=9))
    assert [(person.person_id, person.num_sightings) for person in people.persons()] == [(2, 1)]
    assert people.events_of(2) == [2]
    assert people.numbers.last == 2


def test_numbers_of_corrections_are_not_given_again_and_alerts_move_only_the_time() -> None:
    alert = Alert("dwell/9", "dwell", Severity.INFO, 9, "east", 5.0, 77.0, "Stays.", ())
    people = folded(seen(1, "east", 0), Correction(CorrectionKind.MERGED, (1, 6), "review", 2.0), alert)
    assert (people.numbers.last, people.last_event, people.last_at) == (6, 3, 77.0)
    folded(seen(1, "east", 10, part=1), people=people)
    assert people.last_at == 77.0


def test_somebody_is_known_by_a_sighting_or_a_name() -> None:
    people = folded(seen(1, "east", 0), Correction(CorrectionKind.NAMED, (4,), "ann", 2.0, name="Anna"))
    assert [people.is_known(number) for number in (1, 2, 4)] == [True, False, True]
    assert (people.num_parts(1), people.num_parts(4)) == (1, 0)


def test_an_operators_correction_is_kept_with_the_names_that_it_changed() -> None:
    named = Correction(CorrectionKind.NAMED, (2,), "ann", 2.0, name="Anna", command=1)
    merged = Correction(CorrectionKind.MERGED, (1, 2), "ann", 3.0, command=2)
    found = Correction(CorrectionKind.MERGED, (1, 3), "review", 3.0)
    people = folded(seen(1, "east", 0), seen(2, "west", 0), named, merged, found)
    assert people.done == {1: Done(named, 3, ((2, ""),)), 2: Done(merged, 4, ((1, ""), (2, "Anna")))}
    folded(Correction(CorrectionKind.UNDONE, (1, 2), "ann", 4.0, undoes=2), people=people)
    assert list(people.done) == [1]


def test_two_people_were_seen_together_where_their_times_overlap() -> None:
    people = folded(
        seen(1, "east", 0, 20),
        seen(2, "east", 10, 20),
        seen(2, "west", 15, 2),
        seen(1, "east", 100, part=1),
        seen(3, "east", 0, 13),
    )
    assert people.seen_together(1, 2) == [("east", "east", 1.0, 1.9)]
    assert people.seen_together(2, 1) == [("east", "east", 1.0, 1.9)]
    assert people.seen_together(2, 3) == []  # a fifth of a second: they may be one
    assert people.seen_together(1, 7) == []
    assert people.seen_together(1, 3) == [("east", "east", 0.0, 1.2)]


def test_three_tenths_of_a_second_are_enough_to_be_two() -> None:
    assert folded(seen(1, "east", 0, 11), seen(2, "east", 7, 9)).seen_together(1, 2) != []
    assert folded(seen(1, "east", 0, 10), seen(2, "east", 7, 9)).seen_together(1, 2) == []


def test_two_cameras_count_unless_one_person_was_in_both_at_once() -> None:
    pair = [seen(1, "east", 0, 20), seen(2, "west", 10, 20)]
    assert folded(*pair).seen_together(1, 2) == [("east", "west", 1.0, 1.9)]
    both = [seen(3, "west", 100, 20), seen(3, "east", 110, 20)]
    assert folded(*pair, *both).seen_together(1, 2) == []
    one_after_another = [seen(3, "west", 100, 5), seen(3, "east", 110, 20)]
    assert folded(*pair, *one_after_another).seen_together(1, 2) != []
    # What shows nobody any more says nothing about the place; neither does a camera that shows other people.
    erased = Correction(CorrectionKind.ERASED, (3,), "ann", 9.0)
    assert folded(*pair, *both, erased).seen_together(1, 2) != []
    elsewhere = [seen(3, "north", 100, 20), seen(3, "east", 110, 20), seen(4, "west", 110, 20)]
    assert folded(*pair, *elsewhere).seen_together(1, 2) != []


def test_the_first_time_together_is_told_and_how_many_more_there_were() -> None:
    once = ("east", "east", 1.0, 2.0)
    assert together_text([once]) == "were seen at the same time: in east from 1.0 to 2.0"
    assert together_text([("a", "b", 1.0, 2.0), once, once]) == (
        "were seen at the same time: in a, b from 1.0 to 2.0, and 2 times more"
    )


def test_transits_go_from_camera_to_camera_of_each_person() -> None:
    people = folded(
        seen(1, "east", 0),  # ends at .4
        seen(2, "east", 5),
        seen(1, "west", 14),  # 1.0 s later
        seen(2, "north", 19),  # 1.0 s later
        seen(1, "east", 38, part=2),  # 2.0 s later
        seen(1, "east", 50, part=1),  # the same camera
        seen(2, "west", 20),  # while north still shows them
        seen(3, "west", 300),
        seen(9, "gate", 0),
        seen(9, "west", 30),
        Correction(CorrectionKind.ERASED, (9,), "ann", 9.0),
    )
    found = people.transits(longest_s=1.999999, num_newest=100)
    assert {pair: gaps.round(6).tolist() for pair, gaps in found.items()} == {
        ("east", "west"): [1.0],
        ("east", "north"): [1.0],
    }
    found = people.transits(longest_s=2.1, num_newest=100)
    assert {pair: gaps.round(6).tolist() for pair, gaps in found.items()} == {
        ("east", "west"): [1.0],
        ("east", "north"): [1.0],
        ("west", "east"): [2.0],
    }


def test_only_the_newest_parts_give_transits() -> None:
    people = folded(seen(1, "east", 0), seen(1, "west", 10), seen(1, "north", 30))
    assert set(people.transits(longest_s=100.0, num_newest=3)) == {("east", "west"), ("west", "north")}
    assert set(people.transits(longest_s=100.0, num_newest=2)) == {("west", "north")}


def test_people_are_found_where_and_when_they_were_seen() -> None:
    people = folded(seen(1, "east", 0), seen(2, "east", 10), seen(3, "west", 10))
    assert people.seen(["east"]) == {1, 2}
    assert people.seen(since=0.4) == {1, 2, 3}
    assert people.seen(since=0.41) == {2, 3}
    assert people.seen(until=1.0) == {1, 2, 3}
    assert people.seen(until=0.99) == {1}
    assert people.seen(["west"], since=0.0, until=2.0) == {3}


def test_the_newest_parts_of_each_person_are_theirs_alone() -> None:
    people = folded(*(seen(1 + part % 2, "east", 10 * part, part=part, track=1) for part in range(6)))
    found = people.newest_parts_of([2, 1], 2)
    track_id = TrackId("east", 0, 1)
    assert found == {
        1: [TrackPart(track_id, 4), TrackPart(track_id, 2)],
        2: [TrackPart(track_id, 5), TrackPart(track_id, 3)],
    }
