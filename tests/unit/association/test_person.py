"""What is kept of a person, so that one more sighting costs little."""

import pytest
from people import see

from pipeline.association.adaptation.projection import Projection, Vector
from pipeline.association.person import Person
from pipeline.association.track_segment import TrackSegment


def test_a_segment_is_projected_again_only_when_it_or_the_projection_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    projected: list[float] = []

    def project(self: Projection, vector_sum: Vector, weight: float, camera_id: str) -> Vector:
        projected.append(weight)
        return vector_sum

    monkeypatch.setattr(Projection, "project", project)
    segments = [
        TrackSegment.begin(see(start=at, stop=at + 1.0, quality=weight)) for at, weight in ((0, 0.5), (2, 0.25))
    ]
    person = Person(1, segments, Projection())
    assert person.appearance.weight == 0.75
    assert projected == [0.5, 0.25]
    segments[1].extend(see(start=3.1, stop=4.0, part=1, quality=0.125))
    segments.append(TrackSegment.begin(see(start=6.0, stop=7.0, quality=1.0)))
    person.changed()
    assert person.appearance.weight == 1.875
    assert projected == [0.5, 0.25, 0.375, 1.0]
    person.projection = Projection()
    person.changed()
    assert person.appearance.weight == 1.875
    assert projected[4:] == [0.5, 0.375, 1.0]


def test_what_was_read_of_a_segment_that_went_away_is_not_kept() -> None:
    segments = [TrackSegment.begin(see(start=start, stop=start + 1.0)) for start in (0.0, 2.0)]
    person = Person(1, list(segments))
    assert person.appearance.latest is segments[1]
    person.segments = segments[:1]
    person.changed()
    assert person.appearance.latest is segments[0]
    assert list(person.readings) == [id(segments[0])]
