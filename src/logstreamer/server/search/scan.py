"""Scan: a query over many streams, the newest bytes first, within its bounds."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime

import msgspec

from logstreamer.errors import StoreError
from logstreamer.lines.pattern import Pattern
from logstreamer.server.search.backward import Backward
from logstreamer.server.search.hits import Hit, Hits
from logstreamer.server.search.query import Query, cursor_of
from logstreamer.store.view import View

PROGRESS_SECONDS = 0.25

MOST_OUTPUT = 32 << 20
"""Bytes of text in all hits of one search."""

SLACK_SECONDS = 3600.0
"""How far a site's clock may be ahead of ours: what arrived longer before `since` than this is not looked at."""


class Target(msgspec.Struct, frozen=True):
    """A stream to be searched: its bytes below *end*; *modified* as of its record; *zone* as its sender says."""

    path: str
    end: int
    modified: str = ""
    zone: str = ""


class Place(msgspec.Struct, omit_defaults=True):
    """How far a search has come in the stream it looked at last; *time*: when those bytes arrived."""

    stream: str
    offset: int
    time: float | None = None


class Progress(msgspec.Struct):
    """*scanned* of *total* bytes of *streams* streams have been looked at."""

    scanned: int
    total: int
    streams: int
    scanned_to: Place | None


class Done(msgspec.Struct, omit_defaults=True):
    """The end of a search.

    Args:
        truncated: not everything was looked at, because of *reason*: "limit", "time" or "size".
        cursor: what `before` has to be to go on from here.
        unreadable: streams that could not be read.
    """

    hits: int
    truncated: bool
    scanned: int
    total: int
    reason: str = ""
    cursor: str = ""
    unreadable: list[str] = []


class _Stream:
    """One stream on its way to its beginning."""

    def __init__(self, target: Target, view: View, pattern: Pattern, query: Query, ends: ExitStack) -> None:
        self.path = target.path
        reader = view.reader(target.path)
        ends.callback(reader.close)
        self._arrivals = ends.enter_context(view.arrivals(target.path))
        self.lines = Backward(reader, min(target.end, reader.size()), pattern)
        self.hits = Hits(
            target.path, reader, self._arrivals, max(target.end, reader.size()), pattern, query, target.zone
        )
        self.floor = self._floor(query.since)
        self.time = self._arrived() or _epoch(target.modified)

    def _floor(self, since: float | None) -> int:
        if since is None or not self._arrivals.between(0, 1):
            return 0
        offset = self._arrivals.offset_at(since - SLACK_SECONDS)
        return offset if offset is not None else self.lines.position

    def _arrived(self) -> float | None:
        position = self.lines.position
        found = self._arrivals.between(position - 1, position) if position else []
        return found[-1][0] if found else None

    def moved(self) -> None:
        """The position is another one."""
        self.time = self._arrived() or self.time

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self.lines.position <= self.floor


class Scan:
    """Looks through *targets* for *query*; events come from `run`.

    Args:
        clock: monotonic seconds.

    Raises:
        ConfigError: the pattern cannot be used.
    """

    def __init__(self, query: Query, targets: Sequence[Target], view: View, clock: Callable[[], float]) -> None:
        self._query = query
        self._view = view
        self._clock = clock
        self._pattern = Pattern(query.q, case=query.case, literal=query.literal)
        if query.before is not None:
            known = query.before
            targets = [
                msgspec.structs.replace(target, end=min(target.end, known[target.path]))
                for target in targets
                if known.get(target.path, 0) > 0
            ]
        self._targets = [target for target in targets if target.end > 0]
        self._total = sum(target.end for target in self._targets)
        self._scanned = self._found = self._written = 0
        self._deadline = float("inf")
        self._unreadable: list[str] = []

    def run(self) -> Iterator[Hit | Progress | Done]:
        """Hits and progress; `Done` is the last."""
        told = self._clock()
        self._deadline = told + self._query.seconds
        with ExitStack() as ends:
            heap = self._open(ends)
            yield Progress(self._scanned, self._total, len(self._targets), None)
            while heap:
                stream = heap[0][2]
                if reason := self._spent():
                    yield from self._last(heap, reason)
                    return
                yield from self._step(stream)
                if stream.is_over:
                    self._scanned += stream.lines.position
                    heapq.heappop(heap)
                else:
                    heapq.heapreplace(heap, (-stream.time, heap[0][1], stream))
                if self._clock() - told >= PROGRESS_SECONDS:
                    told = self._clock()
                    place = Place(stream.path, stream.lines.position, stream.time or None)
                    yield Progress(self._scanned, self._total, len(self._targets), place)
        yield Done(self._found, False, self._scanned, self._total, unreadable=self._unreadable)

    def _open(self, ends: ExitStack) -> list[tuple[float, int, _Stream]]:
        heap = []
        for number, target in enumerate(self._targets):
            try:
                stream = _Stream(target, self._view, self._pattern, self._query, ends)
            except (StoreError, OSError):
                self._unreadable.append(target.path)
                self._scanned += target.end
                continue
            if stream.is_over:
                self._scanned += target.end
            else:
                heap.append((-stream.time, number, stream))
        heapq.heapify(heap)
        return heap

    def _step(self, stream: _Stream) -> Iterator[Hit]:
        position = stream.lines.position
        for found in stream.lines.step():
            hit = stream.hits.make(found)
            if hit is not None:
                yield hit
                self._count(hit)
            if self._spent():
                stream.lines.position = found.start  # where the next search goes on
                break
        self._scanned += position - stream.lines.position
        stream.moved()

    def _count(self, hit: Hit) -> None:
        self._found += 1
        self._written += sum(len(line.text) for line in (hit, *hit.before, *hit.after))

    def _spent(self) -> str:
        if self._found >= self._query.limit:
            return "limit"
        if self._written >= MOST_OUTPUT:
            return "size"
        return "time" if self._clock() >= self._deadline else ""

    def _last(self, heap: list[tuple[float, int, _Stream]], reason: str) -> Iterator[Hit | Done]:
        """Nothing more is looked at."""
        for _, _, stream in heap:
            for found in stream.lines.rest() if reason == "time" else []:
                hit = stream.hits.make(found)
                if hit is not None:
                    yield hit
                    self._count(hit)
        places = {stream.path: stream.lines.position for _, _, stream in heap}
        yield Done(self._found, True, self._scanned, self._total, reason, cursor_of(places), self._unreadable)


def _epoch(moment: str) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return 0.0
