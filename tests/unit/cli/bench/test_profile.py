"""The profile counts processor time where it is used, and not where threads wait."""

import time
from threading import Thread

from factories import make_frame
from rich.console import Console

from pipeline.camera.detection import letterbox
from pipeline.cli.bench.profile import StageSampler, profile_table


def test_work_counts_for_its_stage_and_waiting_for_none() -> None:
    frame = make_frame(hw=(720, 1280))

    def in_letter_box() -> float:
        return sum(seconds for (stage, _), seconds in sampler.spent_s.copy().items() if stage == "letter-box")

    def work() -> None:
        while in_letter_box() < 0.2 and time.thread_time() < 10:
            for _ in range(20):
                letterbox(frame, (384, 640))

    began_s = time.process_time()
    with StageSampler() as sampler:
        waiting, worker = Thread(target=time.sleep, args=(1.0,)), Thread(target=work)
        for thread in (waiting, worker):
            thread.start()
            thread.join()
    used_s = time.process_time() - began_s
    assert 0.2 <= in_letter_box() <= used_s
    waited_s = sum(seconds for (_, place), seconds in sampler.spent_s.items() if "threading.py:run" in place)
    assert waited_s < in_letter_box() / 2
    assert sum(sampler.spent_s.values()) <= used_s


def test_rows_are_in_the_order_of_their_share_and_name_where_most_of_it_is() -> None:
    console = Console(width=200)
    spent_s = {("tracker", "a.py:one"): 0.2, ("tracker", "a.py:two"): 0.1, ("decode", "b.py:read"): 0.7}
    with console.capture() as said:
        console.print(profile_table(spent_s, 100))
    rows = [line.split() for line in said.get().splitlines()[1:]]
    assert rows[0] == ["decode", "7.00", "70.0", "%", "b.py:read", "70.0", "%"]
    assert rows[1] == ["tracker", "3.00", "30.0", "%", "a.py:one", "20.0", "%,", "a.py:two", "10.0", "%"]
    assert rows[2] == ["all", "10.00"]
