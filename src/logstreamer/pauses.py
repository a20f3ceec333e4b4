"""Pauses: when this side did not listen. And how long a sender may be silent while it does."""

from __future__ import annotations

import time
from collections.abc import Callable

TICK_SECONDS = 1.0
"""How often the clock is looked at."""

PAUSE_SECONDS = 2.0
"""A tick that comes later than this was held up: the process was stopped, or its machine, or its loop."""

BEAT_SECONDS = 10.0
"""The longest pause between two heartbeats: the senders' default, less where the receiver is less patient."""


def dead_after(idle_timeout: float) -> float:
    """Seconds of silence after which a sender counts as dead: two heartbeats, as it has to send three in time."""
    return 2 * (min(BEAT_SECONDS, idle_timeout / 3) if idle_timeout > 0 else BEAT_SECONDS)


def since_boot() -> float:
    """Seconds, with those in which the machine was suspended, where the system tells: monotonic clocks stand still."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Pauses:
    """Looks at the clock every second while it has to; lives on the engine's loop, as something with a timer.

    Args:
        clock: monotonic seconds.
        is_needed: whether there is anybody whose silence is measured.
        elapsed: seconds of a clock that goes on while the machine is suspended.
    """

    def __init__(
        self, clock: Callable[[], float], is_needed: Callable[[], bool], elapsed: Callable[[], float] = since_boot
    ) -> None:
        self._clock = clock
        self._is_needed = is_needed
        self._elapsed = elapsed
        self._seen, self._seen_elapsed = clock(), elapsed()
        self._resumed = float("-inf")

    def resumed(self) -> float:
        """When the last pause ended (monotonic seconds); one that nobody has noticed yet ends now."""
        now, elapsed = self._clock(), self._elapsed()
        if max(now - self._seen, elapsed - self._seen_elapsed) > TICK_SECONDS + PAUSE_SECONDS:
            self._resumed = now
        self._seen, self._seen_elapsed = now, elapsed
        return self._resumed

    def get_timer(self) -> float | None:
        """When the next look is due, or None."""
        return self._seen + TICK_SECONDS if self._is_needed() else None

    def handle_timer(self, now: float) -> None:
        """Look."""
        self.resumed()

    def fail(self, error: Exception) -> None:
        """Nothing here can."""
