"""Looks: when a follower looks at its file next. Monotonic seconds."""

from __future__ import annotations

ON_GRID = 8
"""Looks of different followers fall on so many moments of a poll interval; each comes up to an eighth of it early."""

_MOST_SURPRISES = 3


class Looks:
    """Each poll interval, and more rarely while an event is expected to tell of every change.

    Args:
        poll_interval: most seconds between two looks (> 0).
        calm_interval: the same between two looks at a file at rest.

    Attributes:
        next_at: when the next one is due.
    """

    __slots__ = ("_calm_interval", "_grid", "_is_calm", "_poll_interval", "_surprises", "next_at")

    def __init__(self, poll_interval: float, calm_interval: float, now: float) -> None:
        self.next_at = now
        self._poll_interval = poll_interval
        self._calm_interval = max(calm_interval, poll_interval)
        self._grid = poll_interval / ON_GRID
        self._is_calm = False  # nothing but an event is expected to bring news
        self._surprises = 0  # since the last event

    def taken(self, now: float) -> None:
        """One is taken now."""
        self._look_in(self._poll_interval, now)

    def rest(self, now: float) -> None:
        """It found the file at rest, and an event would have told of a change."""
        self._is_calm = self._calm_interval > self._poll_interval
        self._look_in(self._calm_interval, now)

    def news(self) -> None:
        """It found a change of a file that was at rest."""
        if self._is_calm:
            # Through a hard link, a bind mount, mapped memory; or its event is just coming.
            self._surprises += 1
            if self._surprises >= _MOST_SURPRISES:
                self._calm_interval = self._poll_interval
        self._is_calm = False

    def event(self) -> None:
        """Something happened: the next one is due at once."""
        self._is_calm, self._surprises = False, 0
        self.next_at = float("-inf")

    def not_after(self, when: float) -> None:
        """The next one is due at *when*, if not earlier."""
        self.next_at = min(self.next_at, when)

    def _look_in(self, seconds: float, now: float) -> None:
        # On a grid: a thousand followers that look one by one wake the loop a thousand times.
        self.next_at = (now + seconds) // self._grid * self._grid
