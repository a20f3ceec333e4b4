"""The one clock of a run, and the one place in this package that sleeps."""

from __future__ import annotations

import threading
import time


class Clock:
    """Seconds since the run began, and waiting for one of them.

    A chaos schedule is a list of moments, so somebody has to sleep until each comes. Nothing else may: what has to
    have happened is asked for (`until`), never slept for.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._stop = threading.Event()

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    @property
    def stopped(self) -> bool:
        """Whether the schedule is over, or was given up."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Wake everybody who waits."""
        self._stop.set()

    def wait_until(self, moment: float) -> bool:
        """Sleep until *moment*; False when the schedule ended before."""
        return not self._stop.wait(max(0.0, moment - self.now))

    def wait(self, seconds: float) -> bool:
        """Sleep for *seconds*; False when the schedule ended before."""
        return self.wait_until(self.now + seconds)


def pause(seconds: float) -> None:
    """The step of a loop that asks again and again whether something has happened."""
    time.sleep(seconds)
