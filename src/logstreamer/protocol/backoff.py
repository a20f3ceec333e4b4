"""Backoff: how long to wait before trying again."""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """Delays that grow from *first* to *most* seconds, each shortened at random by up to a half.

    Args:
        jitter: numbers in [0, 1), e.g. random.random; many peers that failed together must not return together.
    """

    def __init__(self, first: float, most: float, jitter: Callable[[], float], factor: float = 1.7) -> None:
        self._first = first
        self._most = most
        self._factor = factor
        self._jitter = jitter
        self._next = first

    def delay(self) -> float:
        """Seconds to wait now; the next time it will be longer."""
        delay = self._next * (1 - self._jitter() / 2)
        self._next = min(self._most, self._next * self._factor)
        return delay

    def reset(self) -> None:
        """It worked: begin with the shortest delay again."""
        self._next = self._first
