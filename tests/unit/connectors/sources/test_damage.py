"""How the bad frames of a source are counted and reported."""

import pytest

from connectors.sources.damage import BURST_ENDS_AFTER, NUM_TIMES, DamageLog
from pipeline.core.errors import SourceLostError


def test_a_burst_is_said_once_and_the_next_one_again(caplog: pytest.LogCaptureFixture) -> None:
    log = DamageLog("east")
    for at in (4.0, 4.1):
        log.bad(at, "no picture")
        log.good()
    assert caplog.text.count("camera east: left out a bad frame at 4.00 s: no picture") == 1
    for _ in range(BURST_ENDS_AFTER):
        log.good()
    log.bad(9.0, "no picture")
    assert caplog.text.count("left out a bad frame") == 2
    assert log.num_bad == 3
    assert log.times == (4.0, 4.1, 9.0)


def test_it_gives_up_after_the_stated_number_in_a_row_and_not_before() -> None:
    log = DamageLog("east", max_in_a_row=3)
    for _ in range(2):
        for _ in range(3):
            log.bad(None, "no picture")
        log.good()
    for _ in range(3):
        log.bad(None, "no picture")
    with pytest.raises(SourceLostError, match="camera east: expected frames, got more than 3 bad ones in a row"):
        log.bad(None, "no picture")
    assert log.num_bad == 10


def test_the_newest_times_are_kept() -> None:
    log = DamageLog("east")
    for at in range(NUM_TIMES + 5):
        log.bad(float(at), "no picture")
    assert log.times == tuple(float(at) for at in range(5, NUM_TIMES + 5))
