"""Pauses: when this side did not listen. And how long a sender may be silent while it does."""

from __future__ import annotations

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


class Pauses:
    """Looks at the clock every second while it has to; lives on the engine's loop, as something with a timer.

    Args:
        clock: monotonic seconds.
        is_needed: whether there is anybody whose silence is measured.
    """

    def __init__(self, clock: Callable[[], float], is_needed: Callable[[], bool]) -> None:
        self._clock = clock
        self._is_needed = is_needed
        self._seen = clock()
        self._resumed = float("-inf")

    def resumed(self) -> float:
        """When the last pause ended (monotonic seconds); one that nobody has noticed yet ends now."""
        now = self._clock()
        if now - self._seen > TICK_SECONDS + PAUSE_SECONDS:
            self._resumed = now
        self._seen = now
        return self._resumed

    def get_timer(self) -> float | None:
        """When the next look is due, or None."""
        return self._seen + TICK_SECONDS if self._is_needed() else None

    def handle_timer(self, now: float) -> None:
        """Look."""
        self.resumed()

    def fail(self, error: Exception) -> None:
        """Nothing here can."""
