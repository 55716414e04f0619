"""Turns at the networks: one request uses them, the next ones wait without holding a thread of the page."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from fastapi import HTTPException
from starlette.concurrency import run_in_threadpool

MAX_WAITING = 8
"""Requests that wait at most. A larger number makes the last one wait for longer: each may take seconds."""

BUSY = "pictures are being compared for others; try again in a minute"
"""Answer to one request too many."""

Result = TypeVar("Result")


class Turns:
    """Lets one request after the other use the networks, so that all other requests find a thread."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._num_asking = 0

    async def take(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Return what some work comes to, once it is its turn; 429 if too many wait."""
        if self._num_asking > MAX_WAITING:
            raise HTTPException(429, BUSY)
        self._num_asking += 1
        try:
            async with self._lock:
                return await run_in_threadpool(work, *arguments)
        finally:
            self._num_asking -= 1
