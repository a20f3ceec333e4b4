"""Where a stream is begun: at its last lines, at a time, or at its last lines that are wanted."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from datetime import tzinfo

from logstreamer.cli.choice import Choice
from logstreamer.cli.cursor import Arrivals, Cursor, Wanted
from logstreamer.cli.entries import Entry, Item
from logstreamer.lines import time_of
from logstreamer.server.status import StreamStatus
from logstreamer.store.follow import Reader

PROBE = 32 << 10
FIRST_WINDOW = 256 << 10
STEP = 1 << 20


def offset_since(reader: Reader, size: int, since: float, zone: tzinfo, arrivals: Arrivals) -> int:
    """Where to begin to find every line of *since* or later: the beginning of a line, usually a few lines before it.

    Found by bisection, as times in a log grow; where lines say none, by when they arrived, and where nobody knows
    that either, at the beginning.
    """
    low, high = 0, size
    while high - low > PROBE:
        middle = (low + high) // 2
        when = _time_near(reader, middle, min(PROBE, high - middle), zone, arrivals)
        if when is None or when >= since:
            high = middle
        else:
            low = middle
    return _line_at_or_before(reader, low)


def offset_of_last_wanted(
    reader: Reader, status: StreamStatus, count: int, wanted: Wanted, arrivals: Arrivals, floor: int
) -> int:
    """Where the last *count* wanted lines begin, with the lines that are shown before the first of them.

    The end of the stream is looked at in windows that double, so that a common pattern costs little.
    """
    if count <= 0:
        return status.size
    window, end = FIRST_WINDOW, status.size
    found: deque[int] = deque(maxlen=count)
    while end > floor:
        start = max(floor, end - window)
        start = floor if start == floor else _line_at_or_before(reader, start)
        found.extendleft(
            reversed(_wanted_between(reader, status, start, end, wanted, arrivals)[-(count - len(found)) :])
        )
        if len(found) >= count:
            break
        end, window = start, window * 2
    if not found:
        return status.size
    return max(floor, reader.offset_of_last_lines(wanted.choice.before, found[0])) if wanted.choice.before else found[0]


def _wanted_between(
    reader: Reader, status: StreamStatus, start: int, end: int, wanted: Wanted, arrivals: Arrivals
) -> list[int]:
    """Offsets of the wanted lines in [start, end); a traceback that is wanted for its level counts once."""
    lone = Choice(
        wanted.choice.include, wanted.choice.exclude, wanted.choice.level, wanted.choice.since, wanted.choice.until
    )
    cursor = Cursor(status.path, Wanted(lone, annotate=wanted.annotate))
    cursor.begin(reader, status, start, arrivals)
    found: list[int] = []

    def collect(items: Iterator[Item]) -> None:
        for item in items:
            if isinstance(item, Entry) and not item.inside and not (item.more and lone.level is not None):
                found.append(item.offset)

    while cursor.offset < end and not cursor.is_over:
        collect(cursor.read(reader, status, min(STEP, end - cursor.offset)))
    collect(cursor.finish())
    return found


def _time_near(reader: Reader, offset: int, limit: int, zone: tzinfo, arrivals: Arrivals) -> float | None:
    """The time of the first line from *offset* on that says one, else when *offset* arrived."""
    *lines, _ = reader.read(offset, limit).split(b"\n")
    near = _arrived(arrivals, offset)
    for line in lines[1:]:
        when = time_of(line, zone, near)
        if when is not None:
            return when
    return near


def _arrived(arrivals: Arrivals, offset: int) -> float | None:
    index = bisect_right(arrivals, offset, key=lambda arrival: arrival[1]) - 1
    return arrivals[index][0] if index >= 0 else None


def _line_at_or_before(reader: Reader, offset: int) -> int:
    """The beginning of the line that the byte before *offset* ends or belongs to."""
    return reader.offset_of_last_lines(1, offset) if offset > 0 else 0
