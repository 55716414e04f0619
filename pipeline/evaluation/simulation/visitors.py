"""How often the interval of unique visitors holds the true number, over simulated sites."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.core import Correction, Sighting, TrackPart
from pipeline.counts.facts import Fact, FactFinder
from pipeline.counts.visitors import Visitors, newness_of, visitors_of
from pipeline.evaluation.simulation.crowd import Crowd, Site
from pipeline.evaluation.simulation.rates import transit_bounds
from pipeline.evaluation.simulation.stage import Settings, make_calibration, make_stage
from pipeline.ledger.final_tracks import FinalTracks


@dataclass(frozen=True, slots=True)
class VisitorRun:
    """The visitors of one seed.

    Attributes:
        true_people: Different people who were in front of a camera.
        counted: As the pipeline counts them.
    """

    true_people: int
    counted: Visitors

    @property
    def holds(self) -> bool:
        """Whether the interval holds the true number."""
        return self.counted.low <= self.true_people <= self.counted.high


def run_visitors(
    seed: int, *, num_tracklets: int, num_cameras: int, well_separated: bool = False, per_window: int = 3
) -> VisitorRun:
    """Match a simulated site, and count its visitors.

    Args:
        seed: Of all random numbers.
        num_tracklets: Parts of tracks.
        num_cameras: In the ring.
        well_separated: See ``Crowd``.
        per_window: Parts of tracks a window.
    """
    crowd = Crowd(seed, well_separated=well_separated)
    stage = make_stage(
        make_calibration(well_separated=well_separated),
        Settings(10_000, recluster_every_s=10.0, recluster_window_s=300.0),
        transit_bounds(num_cameras),
    )
    tracks, facts, people = FinalTracks(), list[Fact](), set[int]()
    finder = FactFinder((), (), lambda _line, _part: None)
    num = 0
    for window in Site(crowd, num_cameras=num_cameras, memory=60, per_window=per_window).windows():
        people |= {person for person, _ in window}
        _follow(stage.process([embedding for _, embedding in window]), tracks, finder, facts)
        num += len(window)
        if num >= num_tracklets:
            break
    _follow(stage.flush(), tracks, finder, facts)
    person_of: Callable[[TrackPart], int] = tracks.person_of
    return VisitorRun(
        len(people), visitors_of(facts, person_of, newness_of([fact for fact in facts if fact.is_new], person_of))
    )


def _follow(
    records: Sequence[Sighting | Correction], tracks: FinalTracks, finder: FactFinder, facts: list[Fact]
) -> None:
    for record in records:
        if isinstance(record, Sighting):
            tracks.see(TrackPart(record.track_id, record.part), record.person_id)
            facts += finder.of(record)[0]
        else:
            tracks.correct(record)
