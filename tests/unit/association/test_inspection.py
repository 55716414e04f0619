"""Bad input to the matcher: a clear error or a counted drop, and no known person is lost."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from people import DIM, appearance, make_match, see

from pipeline.association.adaptation.adaptation import Adaptation
from pipeline.core import Embedding, Sighting
from pipeline.core.errors import EmbeddingSpaceError, ShapeError
from pipeline.runtime.event_time import EventTimeBuffer

HOUR_S = 3600.0


@pytest.mark.parametrize(
    "bad",
    [
        see(number=2, start=3.0, stop=4.0, vector=np.full(DIM, np.nan, np.float32)),
        see(number=2, start=3.0, stop=4.0, vector=np.zeros(DIM, np.float32)),
        see(number=2, start=3.0, stop=4.0, quality=0.0),
        see(number=1, part=1, start=0.5, stop=4.0),
        see(number=2, start=3.0, stop=4.0, completed_at=np.inf),
    ],
    ids=["not a number", "nothing", "no quality", "back in time", "never"],
)
def test_an_unusable_embedding_is_counted_and_left_out(bad: Embedding, caplog: pytest.LogCaptureFixture) -> None:
    stage = make_match()
    stage.process([see(number=1, stop=2.0)])
    with caplog.at_level(logging.WARNING):
        assert stage.process([bad]) == []
    assert stage.num_unusable == 1
    assert "left out" in caplog.text
    (sighting,) = stage.process([see(number=1, part=1, start=2.1, stop=5.0)])
    assert isinstance(sighting, Sighting)
    assert (sighting.person_id, stage.num_identities) == (1, 1)


def test_an_embedding_of_another_space_is_an_error_and_changes_nothing() -> None:
    stage = make_match()
    stage.process([see(number=1, stop=2.0)])
    with pytest.raises(EmbeddingSpaceError):
        stage.process([replace(see(number=2, start=3.0, stop=4.0), space="other@1")])
    assert stage.num_identities == 1


REFUSED = {
    "another space": [replace(see(number=2, start=3.0, stop=4.0), space="other@1")],
    "another length": [see(number=2, start=3.0, stop=4.0, vector=np.eye(32, dtype=np.float32)[0])],
    "a good one before it": [
        see(number=2, start=3.0, stop=4.0),
        see(number=3, start=3.0, stop=4.0, vector=np.eye(32, dtype=np.float32)[0]),
    ],
    "a good one after it": [
        see(number=3, start=3.0, stop=4.0, vector=np.eye(32, dtype=np.float32)[0]),
        see(number=2, start=3.0, stop=4.0),
    ],
    "one that is left out beside it": [
        see(number=2, start=3.0, stop=4.0, quality=0.0),
        replace(see(number=3, start=3.0, stop=4.0), space="other@1"),
    ],
}
BEFORE = {"after people": [see(number=1, stop=2.0)], "first of all": []}


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("refused", REFUSED)
def test_what_is_refused_names_its_track_and_leaves_no_trace(before: str, refused: str) -> None:
    stage = make_match(adaptation=Adaptation())
    batch = [*REFUSED[refused], see(number=9, start=3.0, stop=4.0)]
    stage.process(BEFORE[before])
    state = stage.snapshot()
    with pytest.raises((EmbeddingSpaceError, ShapeError), match=r"^track east/0/\d, part 0: expected "):
        stage.process(batch)
    assert (stage.snapshot(), stage.num_unusable) == (state, 0)
    untouched = make_match(adaptation=Adaptation())
    untouched.process(BEFORE[before])
    later = [see(number=4, start=5.0, stop=6.0), see("west", number=1, start=5.0, stop=6.0, person=2)]
    assert [(r.person_id, r.outcome) for r in stage.process(later) if isinstance(r, Sighting)] == [
        (r.person_id, r.outcome) for r in untouched.process(later) if isinstance(r, Sighting)
    ]
    assert stage.snapshot() == untouched.snapshot()


def test_an_enrolled_person_whose_vector_is_refused_leaves_no_trace() -> None:
    stage = make_match()
    stage.enrol(1, see(start=-9.0, stop=-8.0))
    state = stage.snapshot()
    with pytest.raises(ShapeError, match="expected a vector of 16 numbers"):
        stage.enrol(2, see(start=-9.0, stop=-8.0, vector=np.eye(32, dtype=np.float32)[0]))
    assert stage.snapshot() == state


def test_the_length_of_vectors_is_known_after_a_restart() -> None:
    stage = make_match()
    stage.process([see(number=1, stop=2.0)])
    again = make_match()
    again.restore(stage.snapshot())
    with pytest.raises(ShapeError, match="expected a vector of 16 numbers, as those before it, got 32"):
        again.process([see(number=2, start=3.0, stop=4.0, vector=np.eye(32, dtype=np.float32)[0])])


def test_parts_of_one_window_that_go_back_in_time_are_left_out() -> None:
    stage = make_match()
    stage.process([see(number=1, start=3.0, stop=4.0), see(number=1, part=1, start=1.0, stop=2.0)])
    assert (stage.num_unusable, stage.num_identities) == (1, 1)


def test_a_clock_that_jumps_an_hour_makes_the_others_late_and_loses_nobody() -> None:
    buffer = EventTimeBuffer(["east", "west"], window_s=0.5, max_lateness_s=5.0)
    jumped = see("east", 1, start=HOUR_S, stop=HOUR_S + 1)
    buffer.add(jumped)
    buffer.advance("east", HOUR_S + 2)
    released = [embedding for _, window in buffer.release() for embedding in window]
    for number in range(3):
        buffer.add(see("west", number, start=10.0 + number, stop=11.0 + number))
    buffer.advance("west", HOUR_S + 9)
    buffer.advance("east", HOUR_S + 9)
    released += [embedding for _, window in buffer.release() for embedding in window]
    assert (len(released), buffer.num_late) == (4, 3)
    records = make_match(forget_after_s=2 * HOUR_S).process(released)
    assert len([record for record in records if isinstance(record, Sighting)]) == 4


def test_appearance_vectors_of_these_tests_have_norm_one() -> None:
    assert np.linalg.norm(appearance(1, 0.3)) == pytest.approx(1.0)
