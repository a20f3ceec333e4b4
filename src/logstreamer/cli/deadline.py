"""Deadline: when a command has waited long enough."""

from __future__ import annotations

import time


class TimedOut(Exception):
    """The time that was given is over."""


class Deadline:
    """Args: seconds from now; None: there is none."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def check(self) -> None:
        """Raise `TimedOut` when it is over."""
        if self._end is not None and time.monotonic() >= self._end:
            raise TimedOut

    def at_most(self, seconds: float) -> float:
        """*seconds*, or what is left if that is less."""
        return seconds if self._end is None else max(0.0, min(seconds, self._end - time.monotonic()))

    def sleep(self, seconds: float) -> None:
        """Wait, and raise `TimedOut` if it ends meanwhile."""
        time.sleep(self.at_most(seconds))
        self.check()
