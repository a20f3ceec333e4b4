"""Meter: bytes a second over the last seconds."""

from __future__ import annotations

from collections import deque

SPAN = 5.0


class Meter:
    """The growth of one number. Samples older than `SPAN` seconds are forgotten, so what stands still has rate 0."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def sample(self, size: int, now: float) -> None:
        """It is *size* at *now* (monotonic seconds)."""
        self._samples.append((now, size))
        while len(self._samples) > 2 and self._samples[1][0] <= now - SPAN:
            self._samples.popleft()

    def rate(self) -> float:
        """Bytes a second between the oldest sample and the newest; 0.0 with fewer than two."""
        if len(self._samples) < 2:
            return 0.0
        (began, first), (ended, last) = self._samples[0], self._samples[-1]
        return max(0, last - first) / (ended - began) if ended > began else 0.0

    @property
    def still(self) -> bool:
        """Whether nothing has changed within the span."""
        return self._samples[0][1] == self._samples[-1][1] if self._samples else True
