from connectors.sinks.retry_pause import RetryPause


def test_pauses_double_up_to_a_limit_and_begin_anew_once_something_was_taken() -> None:
    pause = RetryPause(first_s=1.0, max_s=8.0)
    assert pause.left_s <= 0
    assert [pause.refused() for _ in range(5)] == [1.0, 2.0, 4.0, 8.0, 8.0]
    assert 7 < pause.left_s <= 8
    pause.accepted()
    assert pause.refused() == 1.0


def test_a_receiver_may_ask_for_a_pause_of_its_own() -> None:
    pause = RetryPause(first_s=1.0, max_s=8.0)
    assert pause.refused(0.0) == 0.0
    assert pause.left_s <= 0
    assert pause.refused(100.0) == 100.0
    assert pause.refused() == 4.0
