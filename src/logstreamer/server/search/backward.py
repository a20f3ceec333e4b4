"""Backward: the lines of one stored file that a pattern is found in, from its end to its beginning."""

from __future__ import annotations

from typing import NamedTuple

from logstreamer.lines.finding import lines_with
from logstreamer.lines.pattern import Pattern, searchable
from logstreamer.store.follow import Reader

BLOCK = 256 << 10
"""Bytes that are looked at between two chances to stop."""

MOST_LINE = 16 << 20
"""A longer line is looked at in pieces of this size, so that memory stays bounded;"""

OVERLAP = 64 << 10
"""of which this much is in both neighbours: a find that is no longer than this is never missed."""


class Found(NamedTuple):
    """One line.

    Args:
        start, end: its offsets in the stream, the newline included.
        at: where the pattern was found in it first; *start* where the line has colours.
    """

    start: int
    end: int
    at: int


class Backward:
    """Looks through the bytes below *end*.

    Attributes:
        position: what lies at and above it has been looked at.
    """

    def __init__(self, reader: Reader, end: int, pattern: Pattern) -> None:
        self._reader = reader
        self._pattern = pattern
        self.position = end
        self._long_end: int | None = None  # of the long line that is being looked at in pieces
        self._long_find: int | None = None

    def step(self) -> list[Found]:
        """Look at the next block; what was found, the newest first."""
        low, data = self._read()
        if not data:
            self.position = 0  # somebody cut the file: there is nothing below what is missing
            return []
        last = len(data) - 1
        # Of an extended block only the long line at its end counts: lists of lines stay as short as one block allows.
        newline = data.rfind(b"\n", 0, last) if len(data) > BLOCK else -1 if low == 0 else data.find(b"\n", 0, last)
        if low > 0 and newline < 0:
            self._piece(low, data)
            return []
        begin = newline + 1
        found = [Found(low + start, low + end, low + at) for start, end, at in lines_with(self._pattern, data, begin)]
        if self._long_end is not None:
            found = self._with_long(found, low + (data.rfind(b"\n", begin, last) + 1 or begin))
        self.position = low + begin
        return found[::-1]

    def rest(self) -> list[Found]:
        """What was found in a long line whose beginning was not reached."""
        if self._long_end is None or self._long_find is None:
            return []
        return [Found(self.position, self._long_end, self._long_find)]

    def _read(self) -> tuple[int, bytes]:
        """The bytes below the position, beginning at the latest before the last line's beginning, if that is near."""
        size = BLOCK
        while True:
            low = max(0, self.position - size)
            data = self._reader.read(low, self.position - low)
            if low == 0 or size >= MOST_LINE or data.find(b"\n", 0, len(data) - 1) >= 0:
                return low, data
            size *= 4

    def _piece(self, low: int, data: bytes) -> None:
        if self._long_end is None:
            self._long_end = low + len(data)
        hit = self._pattern.find(searchable(data))
        if hit is not None:
            self._long_find = low + hit[0]
        self.position = low + OVERLAP

    def _with_long(self, found: list[Found], start: int) -> list[Found]:
        """*found* with the long line, whose beginning is the last line of the block, as a whole."""
        assert self._long_end is not None
        at = self._long_find
        if found and found[-1].start == start:
            at = found.pop().at
        if at is not None:
            found.append(Found(start, self._long_end, at))
        self._long_end = self._long_find = None
        return found
