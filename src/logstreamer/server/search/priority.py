"""Priority: what a search may take of the processors while the receiver needs them itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

NICE = 10
"""Of every search: it progresses where all processors are taken, but slowly."""

BUSY = 0.15
"""A receiver that uses more than this share of a core, for some 50 MiB/s, is not to be disturbed at all."""

LOOK_SECONDS = 0.05
"""How often that is measured."""

LEAST_NICE = 19


class Priority:
    """That of one search's process. It falls when the receiver is busy, and cannot be raised again without privileges.

    Args:
        pid: of a child that was not waited for.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._measured = (time.monotonic(), time.process_time())
        os.setpriority(os.PRIO_PROCESS, pid, NICE)

    async def watch(self) -> None:
        """Let it have only what nobody else wants as soon as this process is busy; to be cancelled when it ends."""
        while not self._is_busy():
            await asyncio.sleep(LOOK_SECONDS)
        with contextlib.suppress(OSError):
            _yield(self._pid)

    def _is_busy(self) -> bool:
        """Whether this process was, since it was asked last."""
        now, used = time.monotonic(), time.process_time()
        (then, used_then), self._measured = self._measured, (now, used)
        return used - used_then > BUSY * (now - then)


def _yield(pid: int) -> None:
    """Have process *pid* give way at once to whoever wakes up: one that is only nice finishes its slice first."""
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.setpriority(os.PRIO_PROCESS, pid, LEAST_NICE)
