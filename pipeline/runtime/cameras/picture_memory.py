"""Lets the C library keep the memory of pictures, which are freed and made anew many times a second.

By default glibc hands blocks of this size back to the system, and every page of the next picture is a fault that the
system answers with a page of zeros: 1,000 faults for a picture of 1920x1080, a third of the time that decoding takes.
"""

import ctypes
import os
import platform

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Options of mallopt(3)."""

MAX_BLOCK = 64 * 2**20
"""Bytes of the largest block that is kept: more than a picture of 7680x2160. More keep and waste larger blocks."""

MAX_KEPT = 128 * 2**20
"""Bytes at the end of the heap above which memory is handed back. More keep more between two peaks."""


def keep_picture_memory() -> bool:
    """Let this process keep the memory of freed pictures, and return whether it does.

    It does not where the C library is another one, or where the environment says what glibc is to do
    (``MALLOC_MMAP_THRESHOLD_``, ``MALLOC_TRIM_THRESHOLD_``, ``GLIBC_TUNABLES``). Idempotent.
    """
    if platform.libc_ver()[0] != "glibc" or any(
        name == "GLIBC_TUNABLES" or (name.startswith("MALLOC_") and name.endswith("_THRESHOLD_")) for name in os.environ
    ):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_THRESHOLD, MAX_BLOCK)) and bool(mallopt(M_TRIM_THRESHOLD, MAX_KEPT))
