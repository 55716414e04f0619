"""Tracks that may go on: a new part joins its segment, whatever became of the person and of old segments."""

from people import make_match, see

from pipeline.core import CommandKind, Correction, CorrectionCommand, CorrectionKind, Sighting


def test_a_track_of_a_camera_whose_clock_is_far_behind_goes_on_after_its_person_was_merged() -> None:
    stage = make_match(recluster_every_s=10.0)
    stage.process([see("old", 1, 0.0, 1.0, person=0)])
    stage.process([see("old", 2, 5.0, 6.0, person=0)])
    stage.process([see("east", 1, 1000.0, 1001.0, person=1)])
    stage.process([see("east", 2, 1020.0, 1021.0, person=1)])  # settles all that is older than five minutes
    assert stage.is_known(1)
    merge = CorrectionCommand(CommandKind.MERGE, (2, 1), "ann", 1021.0)
    stage.apply(merge, Correction(CorrectionKind.MERGED, (2, 1), "ann", 1021.0, command=1))
    records = stage.process([see("old", 2, 6.1, 9.0, person=0, part=1)])
    assert [record.gates for record in records if isinstance(record, Sighting)] == [("the track goes on",)]
    assert [record.person_id for record in records if isinstance(record, Sighting)] == [2]


def test_tracks_whose_last_part_never_came_are_not_kept_open() -> None:
    stage = make_match(recluster_every_s=10.0)
    for number in range(1, 100):
        stage.process([see("east", number, 20.0 * number, 20.0 * number + 1, person=number % 3)])
    later = [see("east", 100, 2010.0, 2011.0), see("east", 101, 2030.0, 2031.0)]
    for embedding in later:
        stage.process([embedding])
    parts = [part for person in stage._store.people.values() for segment in person.segments for part in segment.parts]
    assert len(parts) == 101
    assert len(stage._store.open) < 10
