"""Hits: what was found, made into lines for people."""

from __future__ import annotations

from datetime import UTC
from typing import NamedTuple

import msgspec

from logstreamer.lines import LEVELS, Annotator, Line, RawLine, Splitter, level_of, time_of
from logstreamer.lines.pattern import Pattern
from logstreamer.lines.zones import ZONE, zone_said
from logstreamer.server.search.backward import Found
from logstreamer.server.search.query import Query
from logstreamer.store.arrivals import Arrivals
from logstreamer.store.follow import Reader

TEXT = 16 << 10
"""Bytes of a hit's line that are shown: its first ones, or those around the find."""

CONTEXT_TEXT = 2 << 10
"""Bytes that are shown of a line of the context."""

NEAR = 64 << 10
"""Bytes before and behind a hit that its context is taken from."""

LOOK_BACK = 8 << 10
"""Bytes before a hit that say whether it goes on with the line above."""

MOST_SPANS = 20
_SHOWN_BEFORE = 200
_HEAD = 512
_LOOK_BACK_LINES = 50


class Hit(Line, omit_defaults=True, kw_only=True):
    """A line that was found.

    Args:
        match: where, as pairs of positions in the text, counted as JavaScript does (UTF-16).
        text_offset: where the text begins in the stream, if that is not the beginning of the line.
        before, after: the lines around it.
    """

    stream: str
    match: list[tuple[int, int]]
    text_offset: int | None = None
    before: list[Line]
    after: list[Line]


class _Around(NamedTuple):
    before: list[RawLine]
    line: RawLine
    text_offset: int


class Hits:
    """Makes the hits of one stream.

    Args:
        end: what lies at and behind it is not shown.
        zone: as its sender says.
    """

    def __init__(
        self,
        stream: str,
        reader: Reader,
        arrivals: Arrivals,
        end: int,
        pattern: Pattern,
        query: Query,
        zone: str = "",
    ) -> None:
        self._stream = stream
        self._reader = reader
        self._arrivals = arrivals
        self._end = end
        self._zone = zone_said({ZONE: zone}) or UTC
        self._pattern = pattern
        self._query = query
        self._least = LEVELS.index(query.level) if query.level else -1
        self._is_filtered = bool(query.level) or query.since is not None or query.until is not None

    def make(self, found: Found) -> Hit | None:
        """The hit at *found*; None if the query leaves it out because of its level or time."""
        if self._is_filtered and self._is_unwanted(found):
            return None
        around = self._around(found)
        first = around.before[0].offset if around.before else found.start
        annotator = Annotator(self._zone, self._arrivals.between(first, found.end + NEAR))
        before = [annotator.line(raw) for raw in around.before]
        line = annotator.line(around.line)
        if not self._is_wanted(line):
            return None
        count = self._query.context
        return Hit(
            **{name: getattr(line, name) for name in Line.__struct_fields__},
            stream=self._stream,
            match=_spans(self._pattern, around.line.data),
            text_offset=around.text_offset if around.text_offset != found.start else None,
            before=[_short(each) for each in before[-count:]] if count else [],
            after=[_short(annotator.line(raw)) for raw in self._after(found.end, count)],
        )

    def _is_unwanted(self, found: Found) -> bool:
        """Whether the line itself says that it is left out; many are, so this has to be quick."""
        head = self._reader.read(found.start, min(found.end - found.start, _HEAD))
        if head[:1] in (b" ", b"\t"):
            return False  # it goes on with the line above
        level = level_of(head) if self._least >= 0 else None
        if level is not None and LEVELS.index(level) < self._least:
            return True
        if self._query.since is None and self._query.until is None:
            return False
        when = time_of(head)
        return when is not None and not self._is_in_time(when)

    def _is_in_time(self, when: float) -> bool:
        since, until = self._query.since, self._query.until
        return (since is None or when >= since) and (until is None or when < until)

    def _is_wanted(self, line: Line) -> bool:
        if self._least >= 0 and (line.level is None or LEVELS.index(line.level) < self._least):
            return False
        if self._query.since is None and self._query.until is None:
            return True
        return line.time is not None and self._is_in_time(line.time)

    def _around(self, found: Found) -> _Around:
        shown = found.start if found.at - found.start < TEXT - _SHOWN_BEFORE else found.at - _SHOWN_BEFORE
        line = _raw(found, shown, self._reader.read(shown, min(found.end - shown, TEXT + 2)))
        count = self._query.context
        if not count and _is_whole_by_itself(line.data):
            return _Around([], line, shown)
        low = max(0, found.start - (NEAR if count else LOOK_BACK))
        head = self._reader.read(low, found.start - low)
        before = _last_lines(head, low, count)
        if not _is_whole_by_itself(before[0].data if before else line.data):
            before = _last_lines(head, low, count + _LOOK_BACK_LINES)
        return _Around(before, line, shown)

    def _after(self, start: int, count: int) -> list[RawLine]:
        if not count or start >= self._end:
            return []
        splitter = Splitter(start)
        data = self._reader.read(start, min(NEAR, self._end - start))
        stop = 0
        for _ in range(count):
            stop = data.find(b"\n", stop) + 1
            if not stop:
                break
        lines = splitter.feed(data[:stop] if stop else data)
        rest = splitter.rest()
        if rest is not None and splitter.end >= self._end:
            lines.append(rest)
        return lines[:count]


def _is_whole_by_itself(line: bytes) -> bool:
    """Whether *line* has a time and a level of its own: it goes on with no other one."""
    return line[:1] not in (b" ", b"\t") and level_of(line) is not None and time_of(line) is not None


def _last_lines(head: bytes, low: int, count: int) -> list[RawLine]:
    """The last *count* whole lines of *head*, which begins at *low* and ends with a line."""
    start, end = len(head), len(head) - 1
    for _ in range(count):
        newline = head.rfind(b"\n", 0, max(0, end))
        if newline < 0:
            start = start if low else 0  # what is left is a part of a line, or the first one
            break
        start, end = newline + 1, newline
    return Splitter(low + start).feed(head[start:])


def _raw(found: Found, shown: int, data: bytes) -> RawLine:
    whole = shown == found.start and len(data) == found.end - found.start
    if whole:
        data = data.removesuffix(b"\n").removesuffix(b"\r")
    cut = not whole or len(data) > TEXT
    data = data[:TEXT]
    while shown != found.start and data and 0x80 <= data[0] < 0xC0:
        data = data[1:]  # the end of a character that was cut through
    return RawLine(found.start, found.end, data, cut)


def _short(line: Line) -> Line:
    if len(line.text) <= CONTEXT_TEXT:
        return line
    return msgspec.structs.replace(line, text=line.text[:CONTEXT_TEXT], cut=True)


def _spans(pattern: Pattern, data: bytes) -> list[tuple[int, int]]:
    spans = pattern.spans(data, MOST_SPANS)
    if data.isascii():
        return spans
    return [(_units(data[:start]), _units(data[:end])) for start, end in spans]


def _units(data: bytes) -> int:
    return len(data.decode("utf-8", "replace").encode("utf-16-le")) // 2
