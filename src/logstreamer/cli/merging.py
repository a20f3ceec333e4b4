"""Merger: the lines of several streams in the order of their times, as far as waiting for them is wanted."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from logstreamer.cli.entries import Entry, Item, Notice

MOST_HELD = 8 << 20
"""Bytes that wait for their turn; beyond them the earliest are printed."""

MARGIN_SECONDS = 0.3
"""What the way of a line may vary by: news come every 0.1 s."""

LAG_SECONDS = 60.0
"""How long it is remembered how late the lines of a stream come."""

_NEVER = float("-inf")


class _Lag:
    """How long after their time the lines of one stream were seen: the most of the last one or two minutes.

    It is the difference of two machines' clocks and the time under way, so it may be negative.
    """

    def __init__(self) -> None:
        self._turned = _NEVER
        self._now: float | None = None
        self._before: float | None = None

    def saw(self, lag: float, now: float) -> None:
        """A line came with *lag* seconds, at *now*."""
        if now - self._turned > LAG_SECONDS:
            self._turned, self._before, self._now = now, self._now, lag
        else:
            self._now = lag if self._now is None else max(self._now, lag)

    @property
    def most(self) -> float | None:
        """None: no line was seen yet."""
        known = [lag for lag in (self._now, self._before) if lag is not None]
        return max(known) if known else None


class Merger:
    """Holds each line until no earlier one can come any more, at most *delay* seconds.

    No earlier one can come when every other stream that may still grow has shown a later one, or, by how late its
    lines come as a rule, would have by now. A line that comes too late all the same is marked, and passed on at once.
    Lines of one stream keep their order. `now` is seconds since the epoch.

    Args:
        delay: 0: nothing is held, and nothing is marked where *ordered* is not set.
    """

    def __init__(self, delay: float, *, ordered: bool) -> None:
        self._delay = delay
        self._ordered = ordered
        self._heap: list[tuple[float, int, Item]] = []
        self._due: list[tuple[float, float]] = []  # a heap: when, and up to which order things are due then
        self._count = 0
        self._held = 0
        self._bound = _NEVER  # everything up to here is passed on
        self._passed = _NEVER
        self._reach: dict[str, float] = {}
        self._lags: dict[str, _Lag] = {}
        self._growing: set[str] = set()

    @property
    def next_due(self) -> float | None:
        """When the next line has waited long enough; None: none waits."""
        return self._due[0][0] if self._heap and self._due else None

    def grows(self, stream: str, growing: bool) -> None:
        """Whether more may come of *stream*, so that others wait for it."""
        if growing:
            self._growing.add(stream)
        else:
            self._growing.discard(stream)

    def saw(self, stream: str, order: float, lag: float | None, now: float) -> None:
        """Lines of *stream* up to *order* came just now, *lag* seconds after their time (None: nobody knows)."""
        self._reach[stream] = max(order, self._reach.get(stream, _NEVER))
        if lag is not None:
            self._lags.setdefault(stream, _Lag()).saw(lag, now)

    def add(self, item: Item, now: float) -> None:
        """Something to pass on when its time comes."""
        self._count += 1
        if not self._ordered:
            item.order = 0.0
        heapq.heappush(self._heap, (item.order, self._count, item))
        self._held += item.size
        heapq.heappush(self._due, (now + self._hold(item, now), item.order))

    def _hold(self, item: Item, now: float) -> float:
        if not self._ordered or not self._growing - {item.stream}:
            return 0.0
        if not isinstance(item, Entry):
            return self._delay if isinstance(item, Notice) and item.kind == "gap" else 0.0
        lags = [self._lags[stream].most if stream in self._lags else None for stream in self._growing]
        if item.time is None or any(lag is None for lag in lags):
            return self._delay
        latest = max(lag for lag in lags if lag is not None)
        return min(self._delay, max(0.0, item.time + latest + MARGIN_SECONDS - now))

    def take(self, now: float) -> Iterator[Item]:
        """What may be passed on at *now*, in its order."""
        while self._due and self._due[0][0] <= now:
            self._bound = max(self._bound, heapq.heappop(self._due)[1])
        bound = max(self._bound, self._reached_by_all())
        while self._heap and (self._heap[0][0] <= bound or self._held > MOST_HELD):
            order, _, item = heapq.heappop(self._heap)
            self._held -= item.size
            self._mark(item, order)
            yield item
        if not self._heap:
            self._due.clear()

    def take_all(self) -> Iterator[Item]:
        """Everything that waits: nothing else will come."""
        self._due.clear()
        while self._heap:
            order, _, item = heapq.heappop(self._heap)
            self._held -= item.size
            self._mark(item, order)
            yield item

    def passed(self, item: Item) -> None:
        """*item* was printed without waiting here."""
        self._passed = max(self._passed, item.order)

    def _reached_by_all(self) -> float:
        if not self._growing:
            return float("inf")
        return min(self._reach.get(stream, _NEVER) for stream in self._growing)

    def _mark(self, item: Item, order: float) -> None:
        if order >= self._passed:
            self._passed = order
        elif (
            self._ordered
            and isinstance(item, Entry)
            and not (item.more or item.inside or item.context)
            and order > _NEVER
        ):
            item.late = self._passed - order
