import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from pipeline.runtime.cameras.picture_memory import keep_picture_memory

print(keep_picture_memory() if sys.argv[1] == "kept" else None)
pictures = []
for number in range(100):
    if number == 20:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    pictures = [*pictures[-2:], np.ones((1080, 1920, 3), np.uint8)]
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 80)
"""


def faults(how: str, **environment: str) -> tuple[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, how],
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    kept, number = done.stdout.split()
    return kept, float(number)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library decides by itself")
def test_the_memory_of_a_picture_is_used_again_by_a_later_one() -> None:
    assert faults("kept") == ("True", pytest.approx(0, abs=10))


ARENAS = """
import ctypes, sys, threading
from pipeline.runtime.cameras.picture_memory import keep_picture_memory

if sys.argv[1] == "kept":
    keep_picture_memory()
barrier = threading.Barrier(7)
def work():
    bytearray(100_000)
    barrier.wait()
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads:
    thread.start()
libc = ctypes.CDLL(None)
libc.malloc_stats()
barrier.wait()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library decides by itself")
def test_threads_share_what_is_kept() -> None:
    numbers = {}
    for how in ("kept", "usual"):
        command = [sys.executable, "-c", ARENAS, how]
        environment = {"PATH": "", "PYTHONPATH": ":".join(sys.path)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        numbers[how] = done.stderr.count("Arena ")
    assert numbers["kept"] == 2 < numbers["usual"]


def test_what_the_environment_says_of_memory_holds() -> None:
    assert faults("kept", MALLOC_MMAP_THRESHOLD_="131072")[0] == "False"
    assert faults("kept", MALLOC_ARENA_MAX="4")[0] == "False"
    assert faults("kept", GLIBC_TUNABLES="glibc.malloc.check=0")[0] == "False"
