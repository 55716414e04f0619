"""How tasks are ended."""

import asyncio
from typing import Any

AGAIN_AFTER_S = 0.5
"""Seconds after which a task that has not ended is cancelled again. Longer delays the end of a run that needs it."""


async def end(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel tasks until they have ended; what they raise is let go.

    Once is not enough: before Python 3.12, ``asyncio.wait_for`` forgets that it was cancelled if what it waits for ends
    at that moment, and the task goes on for ever.
    """
    while waiting := [task for task in tasks if not task.done()]:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting, timeout=AGAIN_AFTER_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # nobody else asks, and asyncio would say so
