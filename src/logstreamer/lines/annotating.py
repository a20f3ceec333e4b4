"""Annotator: lines for people, one after the other."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, tzinfo

from logstreamer.lines.fields import fields_of
from logstreamer.lines.levels import level_in, level_of
from logstreamer.lines.line import Line, RawLine, text_of
from logstreamer.lines.times import time_in, time_of

_TRACEBACK = b"Traceback (most recent call last)"
_LINKS = (b"During handling of the above exception", b"The above exception was the direct cause", _TRACEBACK)
_GOES_ON = re.compile(rb"[ \t]+\S|Caused by: |[}\])]+[,;]?$|\+ Exception Group Traceback")
LIVE_SECONDS = 60.0
"""What came later than this after its time was not sent as it was written."""

_SERIOUS = frozenset({"warn", "error", "fatal"})


class Annotator:
    """Makes a `Line` of each raw line, in their order.

    A line that says no time has that of its arrival; in a log that came long after it was written, that of the last
    line that said one: there the arrival tells nothing, and would tear lines apart that belong together.

    Args:
        zone: of times that name none.
        arrivals: (seconds since the epoch, offset): from that offset on bytes arrived then; ascending by offset.
    """

    def __init__(self, zone: tzinfo = UTC, arrivals: Sequence[tuple[float, int]] = ()) -> None:
        self.zone = zone
        self._head: tuple[str | None, float | None] | None = None  # level and time of the last line that is no more
        self._old: float | None = None  # what the last line with a time said, where that was long before it arrived
        self._trace = ""  # "": in no traceback, "in": in one, "behind": behind its last line
        self.arrived_at(arrivals)

    def arrived_at(self, arrivals: Sequence[tuple[float, int]]) -> None:
        """From now on these are the arrivals."""
        self._times = [when for when, _ in arrivals]
        self._offsets = [offset for _, offset in arrivals]

    @property
    def latest(self) -> tuple[float, int] | None:
        """The last arrival that is known; None: none is."""
        return (self._times[-1], self._offsets[-1]) if self._times else None

    def glance(self, raw: RawLine) -> Line:
        """What *raw* says, which is not whole yet: it will be given again."""
        head, old, trace = self._head, self._old, self._trace
        line = self.line(raw, is_open=True)
        self._head, self._old, self._trace = head, old, trace
        return line

    def line(self, raw: RawLine, *, is_open: bool = False) -> Line:
        """What *raw* says."""
        data = raw.data
        arrived = self._arrived(raw.offset)
        if self._goes_on(data):
            level, when = self._head or (None, None)
            more = True
        else:
            more = False
            if data[:1] == b"{":
                fields = fields_of(data)
                level = level_in(fields.levels, fields.levelno)
                when = time_in(fields.times, self.zone, arrived)
            else:
                level, when = level_of(data), time_of(data, self.zone, arrived)
            if when is None:
                when = arrived if self._old is None else self._old
            else:
                self._old = when if arrived is not None and arrived - when > LIVE_SECONDS else None
            if data or not self._trace:
                self._head = (level, when)
        return Line(raw.offset, raw.end, text_of(data, cut=raw.cut), raw.cut, when, arrived, level, more, is_open)

    def _goes_on(self, data: bytes) -> bool:
        """Whether *data* belongs to the line above, and what that says about the next one."""
        trace, self._trace = self._trace, ""
        if data.startswith(_TRACEBACK):
            self._trace = "in"
            return trace == "behind" or (self._head is not None and self._head[0] in _SERIOUS)
        if trace == "in":
            # The first line that is not indented says what was raised.
            self._trace = "in" if data[:1] in (b" ", b"\t") else "behind"
            return True
        if trace == "behind" and (not data or data.startswith(_LINKS)):
            self._trace = "behind"
            return True
        return self._head is not None and _GOES_ON.match(data) is not None

    def _arrived(self, offset: int) -> float | None:
        index = bisect_right(self._offsets, offset) - 1
        return self._times[index] if index >= 0 else None
