"""Pace: how often a stream may send a message of its own accord."""

from __future__ import annotations

BURST = 20
PER_SECOND = 5.0
"""Each reply on NVFlare's cellnet leaves the sender a timer thread for 65 s. A line after a pause is sent at once; a
steady trickle is gathered into this many messages per second, so it costs some 300 of them and not thousands."""


class Pace:
    """A bucket of BURST messages that fills by PER_SECOND; all times in seconds of one clock."""

    def __init__(self, now: float) -> None:
        self._tokens = float(BURST)
        self._at = now

    def is_early(self, now: float) -> bool:
        """Whether a small message had better wait for more to send."""
        self._fill(now)
        return self._tokens < 1.0

    @property
    def next_at(self) -> float:
        """When `is_early` ends."""
        return self._at + max(0.0, 1.0 - self._tokens) / PER_SECOND

    def sent(self, now: float) -> None:
        """A message was sent."""
        self._fill(now)
        self._tokens = max(0.0, self._tokens - 1.0)

    def _fill(self, now: float) -> None:
        self._tokens = min(float(BURST), self._tokens + (now - self._at) * PER_SECOND)
        self._at = now
