"""Whole lines around a place of a stored file, whatever its size and however long its lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from logstreamer.lines import MAX_TEXT, RawLine, Splitter

MAX_LINES = 5000
"""Most lines before a place, and behind it."""

MAX_PAGE = 4 << 20
"""Bytes of a page: of its lines' text, and of what stands around that."""

MAX_SCAN = 64 << 20
"""Bytes that are looked through for the beginning of a line, and half of those for its end.

A longer line is taken in pieces of twice this, so that the next piece begins where the last one ended.
"""

OVERHEAD = 160
"""What a line costs on a page besides its text, in bytes."""

_BLOCK = 128 << 10


class Readable(Protocol):
    """A stored file."""

    def read(self, offset: int, limit: int) -> bytes:
        """At most *limit* bytes from *offset*; b"" at its end."""


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive lines: the bytes [start, end) of a file.

    Args:
        open: the last line's newline has not come yet.
    """

    start: int
    end: int
    lines: tuple[RawLine, ...] = ()
    open: bool = False


def span_around(reader: Readable, size: int, offset: int, before: int, after: int) -> Span:
    """*before* lines above *offset* and *after* lines from there on, the first of them the one that *offset* lies in.

    Fewer where the file, or the room on a page, ends; those nearest to *offset* are kept. At the end of the file the
    lines above include one that has no newline yet.

    Args:
        size: of the file; 0 <= offset <= size.
    """
    middle = offset if offset == size else start_of_line(reader, offset)
    below = span_from(reader, size, middle, after, MAX_PAGE // 2 if before else MAX_PAGE)
    used = sum(map(_cost, below.lines))
    start = start_of_lines(reader, middle, before, MAX_PAGE - used)
    above = span_from(reader, size, start, before, MAX_PAGE, middle) if start < middle else Span(middle, middle)
    return Span(start, below.end, above.lines + below.lines, above.open or below.open)


def span_from(
    reader: Readable, size: int, start: int, count: int, room: int = MAX_PAGE, stop: int | None = None
) -> Span:
    """At most *count* lines from *start* on, of *room* bytes, but at least one; *stop*: none behind that offset."""
    stop = size if stop is None else stop
    splitter, lines, cut_short = Splitter(start), list[RawLine](), False
    while len(lines) < count and splitter.end < stop:
        block = reader.read(splitter.end, min(_BLOCK, stop - splitter.end))
        found = splitter.feed(block)
        rest = splitter.rest()
        over = not block or splitter.end == stop or splitter.end - splitter.offset >= 2 * MAX_SCAN
        if rest is not None and over:
            found.append(rest)
        for line in found[: count - len(lines)]:
            room -= _cost(line)
            if room < 0 and lines:
                return Span(start, lines[-1].end, tuple(lines))
            lines.append(line)
            cut_short = line is rest
        if over:
            break
    end = lines[-1].end if lines else start
    return Span(start, end, tuple(lines), cut_short and end == size)


def start_of_line(reader: Readable, offset: int) -> int:
    """Where the line that the byte at *offset* belongs to begins; *offset* itself in a line that is taken in pieces."""
    high = offset
    while high > 0 and offset - high < MAX_SCAN:
        low = max(0, high - _BLOCK)
        found = reader.read(low, high - low).rfind(b"\n")
        if found >= 0:
            return low + found + 1
        high = low
    return offset if high > 0 else 0


def start_of_lines(reader: Readable, end: int, count: int, room: int = MAX_PAGE) -> int:
    """Where the last *count* lines before *end*, of *room* bytes, begin; one line always has room."""
    begin, found = end, 0
    if count <= 0:
        return end
    for start in _starts_back(reader, end):
        room -= min(begin - start, MAX_TEXT) + OVERHEAD
        if room < 0 and found:
            break
        begin, found = start, found + 1
        if found == count:
            break
    return begin


def _starts_back(reader: Readable, end: int) -> Iterator[int]:
    """Where lines before *end* begin, the nearest first."""
    begin, high = end, end - 1  # the very last byte ends the last line, or belongs to it
    while high > 0:
        low = max(0, high - _BLOCK)
        block = reader.read(low, high - low)
        at = block.rfind(b"\n")
        while at >= 0:
            if low + at + 1 < begin:
                begin = low + at + 1
                yield begin
            at = block.rfind(b"\n", 0, at)
        high = low
        if begin - high >= MAX_SCAN:
            yield high
            return
    if begin > 0:
        yield 0


def _cost(line: RawLine) -> int:
    return len(line.data) + OVERHEAD
