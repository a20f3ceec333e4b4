"""Cursor: how far one stream was read, and what its bytes mean."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from logstreamer.cli.choice import Choice, Filter
from logstreamer.cli.entries import Block, Cutter, Entry, Item, Notice
from logstreamer.cli.output import gap_text
from logstreamer.lines import MAX_TEXT, Annotator, RawLine
from logstreamer.lines.zones import zone_of, zone_said
from logstreamer.server.status import StreamStatus
from logstreamer.store.follow import Reader

LEAD = 64 << 10
"""Bytes before the first one wanted that are looked at, to know what it goes on with."""

PIECE = 128 << 10
"""Bytes that are searched for the patterns at a time,"""

TAIL = 4 << 10
"""and that are cut into lines at their end all the same."""

SAMPLES = 100
"""Lines by which a time zone is told."""

FARTHEST_AHEAD = 15 * 3600.0
"""A line that says a later time than this after it arrived speaks of something else."""

Arrivals = Sequence[tuple[float, int]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of every stream.

    Args:
        exact: its bytes as they come, not its lines.
        annotate: times and levels of lines are needed.
        overwriting: of a line that rewrites itself only the last state.
    """

    choice: Choice = field(default_factory=Choice)
    exact: bool = False
    annotate: bool = True
    overwriting: bool = False


class Cursor:
    """Reads one stream from where it is wanted; every byte is handled once.

    `order` never goes back, and neither does `offset`.
    """

    def __init__(self, path: str, wanted: Wanted) -> None:
        self.path = path
        self.offset = 0
        self.state = ""
        self.order = float("-inf")
        self._wanted = wanted
        self._cutter = Cutter(path, overwriting=wanted.overwriting)
        self._filter = Filter(wanted.choice)
        self._gaps = 0
        self._zone: tzinfo | None = None
        self._annotator: Annotator | None = None
        self._last: Entry | None = None
        self._lag: float | None = None
        self._ceiling = 0.0

    @property
    def is_over(self) -> bool:
        """Whether nothing that is wanted comes any more."""
        return self._filter.over

    @property
    def open_line(self) -> Entry | None:
        """The line that has no end yet, as far as it is known; None: there is none."""
        text = self._cutter.rest
        if not text or self._wanted.exact:
            return None
        return Entry(self.path, self._cutter.start, text, self.offset, ended=False, time=None)

    def begin(self, reader: Reader, status: StreamStatus, offset: int, arrivals: Arrivals) -> None:
        """Start at *offset*, the beginning of a line.

        Args:
            arrivals: (seconds since the epoch, offset), ascending; may be empty.
        """
        self.offset = offset
        self._gaps = sum(gap.offset < offset for gap in status.gaps)
        if not self._wanted.annotate:
            return
        self._zone = zone_said(status.meta) or zone_at(reader, status.size, arrivals)
        self._annotator = Annotator(self._zone or local_zone(), arrivals)
        if offset > 0:
            lead = max(0, offset - LEAD)
            block = reader.read(lead, offset - lead)
            skip = block.find(b"\n") + 1 if lead else 0
            for entry in Cutter(self.path).feed(block[skip:], lead + skip):
                self._annotate(entry)
                self._filter.hold(entry)

    def read(self, reader: Reader, status: StreamStatus, limit: int, now: float | None = None) -> Iterator[Item]:
        """What is wanted of the next *limit* bytes, and each gap at its place.

        Args:
            now: seconds since the epoch, for bytes that arrived just now; None: they have been there.
        """
        end = min(status.size, self.offset + limit)
        for gap in status.gaps[self._gaps :]:
            if gap.offset > end:
                break
            yield from self._copy(reader, gap.offset, now)
            yield from self.finish()  # what comes behind a gap is no part of the line before it
            fields: dict[str, object] = {"offset": gap.offset, "lost": gap.lost, "reason": gap.reason, "at": gap.at}
            yield Notice(self.path, "gap", gap_text(gap), fields, self.order)
            self._gaps += 1
        yield from self._copy(reader, end, now)

    def has_more(self, status: StreamStatus) -> bool:
        """Whether there is something that was not read."""
        return self.offset < status.size or self._gaps < len(status.gaps)

    def finish(self) -> Iterator[Item]:
        """The line that has no end, as nothing follows it for now."""
        for entry in self._cutter.finish():
            yield from self._pass(entry)

    @property
    def lag(self) -> float | None:
        """How late its newest line came; None: it says no time, or did not come just now."""
        return self._lag

    def _copy(self, reader: Reader, end: int, now: float | None) -> Iterator[Item]:
        while self.offset < end and not self.is_over:
            block = reader.read(self.offset, end - self.offset)
            if not block:
                return
            offset, self.offset = self.offset, self.offset + len(block)
            if self._wanted.exact:
                yield Block(self.path, block)
                continue
            if now is not None:
                self._arrived_now(block, offset, now)
            for start in range(0, len(block), PIECE):
                yield from self._lines(block[start : start + PIECE], offset + start)
            last = self._last
            self._lag = None if now is None or last is None or last.time is None else now - last.time
        if self.is_over:
            self.offset = max(self.offset, end)

    def _lines(self, piece: bytes, offset: int) -> Iterator[Item]:
        """What is wanted of *piece*; what surely is not is not even cut into lines."""
        if len(piece) > 2 * TAIL and self._filter.skips(piece):
            first, tail = piece.find(b"\n") + 1, piece.rfind(b"\n", 0, len(piece) - TAIL) + 1
            if 0 < first < tail and piece.count(b"\n", tail) >= self._wanted.choice.before:
                # The first line may have begun before, and the last ones are what the next ones go on with.
                for entry in self._cutter.feed(piece[:first], offset):
                    yield from self._pass(entry)
                piece, offset = piece[tail:], offset + tail
        annotate, choose = self._annotate, self._filter.feed
        for entry in self._cutter.feed(piece, offset):
            annotate(entry)
            yield from choose(entry)

    def _arrived_now(self, block: bytes, offset: int, now: float) -> None:
        if self._annotator is None:
            return
        start = min(offset, self._cutter.start) if self._cutter.rest else offset
        if self._zone is None:
            self._zone = zone_of((line, now) for line in block.split(b"\n")[-SAMPLES:])
            if self._zone is not None:
                self._annotator = Annotator(self._zone)
        self._annotator.arrived_at([(now, start)])

    def _pass(self, entry: Entry) -> Sequence[Entry]:
        self._annotate(entry)
        return self._filter.feed(entry)

    def _annotate(self, entry: Entry) -> None:
        if self._annotator is None:
            return
        last = self._last
        if entry.inside and last is not None:
            entry.time, entry.level, entry.arrived, entry.more = last.time, last.level, last.arrived, last.more
        else:
            data = entry.text[:MAX_TEXT]
            line = self._annotator.line(RawLine(entry.offset, entry.end, data.removesuffix(b"\r")))
            entry.time, entry.level, entry.arrived, entry.more = line.time, line.level, line.arrived, line.more
        self._last = entry
        when = entry.time
        if when is not None and when > self.order:
            if when > self._ceiling:
                self._ceiling = time.time() + FARTHEST_AHEAD
            if when > self._ceiling or (entry.arrived is not None and when > entry.arrived + FARTHEST_AHEAD):
                when = entry.arrived or self.order
            self.order = max(self.order, when)
        entry.order = self.order


def zone_at(reader: Reader, size: int, arrivals: Arrivals) -> tzinfo | None:
    """The zone of the times in the last lines before *size*, judged by when they arrived; None: it cannot be told."""
    if not arrivals:
        return None
    start = max(0, size - LEAD)
    cutter = Cutter("")
    entries = list(cutter.feed(reader.read(start, size - start), start))[-SAMPLES:]
    when, offsets = [when for when, _ in arrivals], [offset for _, offset in arrivals]
    return zone_of((entry.text, when[max(0, bisect_right(offsets, entry.offset) - 1)]) for entry in entries)


def local_zone() -> tzinfo:
    """That of this machine, now."""
    return datetime.now().astimezone().tzinfo or UTC
