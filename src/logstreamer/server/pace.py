"""Pace: viewers never take more of the loop than ingest can spare."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

BUSY = 0.7
"""The loop is busy when its thread uses more than this share of a core,"""

LATE_SECONDS = 0.004
"""or wakes up so much too late, on the average: others want the machine as well."""

MEASURE_SECONDS = 0.1
STALE_SECONDS = 1.0

SHARE = 0.5
"""Most of the loop's time for viewers while it is not busy,"""

BUSY_SHARE = 0.04
"""and while it is."""


class Pace:
    """Lets work for viewers have its turn, one piece after the other. Lives on the engine's loop.

    Not on threads: one that computes would take the interpreter from the loop for milliseconds at each of its calls.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._resume_at = 0.0
        self._measured = (0.0, 0.0)
        self._share = 0.0  # of a core, that the loop's thread used lately
        self._late = 0.0  # seconds, on the average

    @property
    def busy(self) -> bool:
        """Whether the loop has little time to spare."""
        return self._share > BUSY or self._late > LATE_SECONDS

    async def turn(self, work: Callable[[], Result]) -> Result:
        """Do *work*, a millisecond or so, when there is room for it."""
        async with self._turn:
            pause = self._resume_at - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
                self._late += 0.2 * (time.monotonic() - self._resume_at - self._late)
            began = time.monotonic()
            self._measure(began)
            result = work()
            ended = time.monotonic()
            share = BUSY_SHARE if self.busy else SHARE
            self._resume_at = ended + (ended - began) * (1 / share - 1)
            return result

    def _measure(self, now: float) -> None:
        used = time.thread_time()
        then, used_then = self._measured
        if now - then >= MEASURE_SECONDS:
            # After a pause nothing is known of now, and busy is the better guess.
            self._share = 1.0 if now - then > STALE_SECONDS else (used - used_then) / (now - then)
            self._measured = (now, used)
