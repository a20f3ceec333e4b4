"""History: what is stored of several streams when a command begins, in the order of its times."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from logstreamer.cli.beginning import offset_of_last_wanted, offset_since
from logstreamer.cli.cursor import Arrivals, Cursor, Wanted, local_zone, zone_at
from logstreamer.cli.entries import Item
from logstreamer.cli.source import Source
from logstreamer.errors import EngineError, StoreError
from logstreamer.lines.zones import zone_said
from logstreamer.server.status import StreamStatus
from logstreamer.store.follow import Reader

BLOCK = 1 << 20
LEAST_BLOCK = 16 << 10
MOST_AT_ONCE = 32 << 20
"""Bytes of blocks of all streams that are held."""

MOST_OPEN = 64
"""Streams that stay open between two blocks; of more, each is opened when it has its turn."""


class History:
    """Reads block by block, so that it needs the same memory for any size.

    Args:
        lines: the last of each stream (-1: all).
        follow: what cannot be read now is left to be read later, and a line without an end may go on.
        count: of streams.
    """

    def __init__(self, source: Source, wanted: Wanted, lines: int, *, follow: bool, count: int) -> None:
        self._source = source
        self._wanted = wanted
        self._lines = lines
        self._follow = follow
        self._block = max(LEAST_BLOCK, min(BLOCK, MOST_AT_ONCE // max(1, count)))
        self._crowded = count > MOST_OPEN
        self._begun: list[tuple[Cursor, StreamStatus]] = []

    def begin(self, status: StreamStatus) -> Cursor:
        """A cursor at the place where the stream is begun.

        Raises:
            StoreError, EngineError: it cannot be told now.
        """
        cursor = Cursor(status.path, self._wanted)
        arrivals = self._source.arrivals(status.path) if self._wanted.annotate else ()
        with self._source.reader(status.path) as reader:
            cursor.begin(reader, status, self._start(reader, status, arrivals), arrivals)
        self._begun.append((cursor, status))
        return cursor

    def items(self, *, ordered: bool) -> Iterator[Item]:
        """All of it; *ordered*: by time, else one stream after the other."""
        parts = [self._items(cursor, status) for cursor, status in self._begun]
        if ordered:
            yield from heapq.merge(*parts, key=lambda item: item.order)
        else:
            for part in parts:
                yield from part

    def _start(self, reader: Reader, status: StreamStatus, arrivals: Arrivals) -> int:
        choice, floor = self._wanted.choice, 0
        if choice.since is not None:
            zone = zone_said(status.meta) or zone_at(reader, status.size, arrivals) or local_zone()
            floor = offset_since(reader, status.size, choice.since, zone, arrivals)
        if self._lines < 0:
            return floor
        if choice.is_everything:
            return reader.offset_of_last_lines(self._lines, status.size)
        return offset_of_last_wanted(reader, status, self._lines, self._wanted, arrivals, floor)

    def _items(self, cursor: Cursor, status: StreamStatus) -> Iterator[Item]:
        reader: Reader | None = None
        try:
            while cursor.has_more(status) and not cursor.is_over:
                items: list[Item] = []
                trouble: Exception | None = None
                try:
                    reader = reader or self._source.reader(status.path)
                    # one by one: what was read before a trouble is not to be lost
                    for item in cursor.read(reader, status, self._block):
                        items.append(item)
                except (EngineError, StoreError) as error:
                    trouble = error
                if reader is not None and self._crowded:
                    reader.close()
                    reader = None
                yield from items
                if trouble is not None and not self._follow:
                    raise trouble
                if trouble is not None:
                    return
        finally:
            if reader is not None:
                reader.close()
        if not self._follow:
            yield from cursor.finish()
