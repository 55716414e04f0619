"""Bad input to the matcher: a clear error or a counted drop, and no known person is lost."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from people import DIM, appearance, make_match, see

from pipeline.core import Embedding, Sighting
from pipeline.core.errors import EmbeddingSpaceError
from pipeline.runtime.event_time import EventTimeBuffer

HOUR_S = 3600.0


@pytest.mark.parametrize(
    "bad",
    [
        see(number=2, start=3.0, stop=4.0, vector=np.full(DIM, np.nan, np.float32)),
        see(number=2, start=3.0, stop=4.0, vector=np.zeros(DIM, np.float32)),
        see(number=2, start=3.0, stop=4.0, quality=0.0),
        see(number=1, part=1, start=0.5, stop=4.0),
    ],
    ids=["not a number", "nothing", "no quality", "back in time"],
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
