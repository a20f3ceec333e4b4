"""Feeds: the one feed of each stream that somebody watches, and older lines for those who are behind it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import tzinfo

from starlette.concurrency import run_in_threadpool

from logstreamer.errors import StoreError
from logstreamer.lines import Annotator
from logstreamer.lines.zones import zone_said
from logstreamer.server.board import Board
from logstreamer.server.feed import SLICE, Chunk, Feed, LinesEvent, Source, event_of
from logstreamer.server.files import primed
from logstreamer.server.marks import marks_between
from logstreamer.server.news import Watcher
from logstreamer.server.pace import Pace
from logstreamer.server.paging import Span, span_from, start_of_line
from logstreamer.store.catalogue import Store

MAX_OLDER = 32
"""Chunks of older lines that are kept: after a cut all viewers ask for the same."""

Opened = tuple[Source, int, Annotator]


class Feeds:
    """Lives on the engine's loop."""

    def __init__(self, store: Store, board: Board) -> None:
        self._store = store
        self._board = board
        self._pace = Pace()
        self._feeds: dict[str, tuple[Feed, asyncio.Task[None]]] = {}
        self._opening = asyncio.Lock()
        self._older: OrderedDict[tuple[str, int, int], Chunk] = OrderedDict()

    async def join(self, path: str, watcher: Watcher) -> Feed | None:
        """The feed of the stream at *path*, which tells *watcher* until it leaves; None: there is no such stream."""
        async with self._opening:
            if path not in self._feeds:
                opening = asyncio.get_running_loop().run_in_executor(None, self._open, path)
                try:
                    source, position, annotator = await asyncio.shield(opening)
                except StoreError:
                    return None
                except asyncio.CancelledError:
                    opening.add_done_callback(_close)
                    raise
                feed = Feed(source, position, annotator, self._pace)
                self._feeds[path] = feed, self._board.spawn(feed.run())
                self._board.listeners[path] = lambda: feed.call(self._board.call)
            feed, _ = self._feeds[path]
            feed.watchers.add(watcher)
            return feed

    def leave(self, feed: Feed, watcher: Watcher) -> None:
        """*watcher* does not watch *feed* any more; the last one turns it off."""
        feed.watchers.discard(watcher)
        path = feed.source.path
        if not feed.watchers and path in self._feeds and self._feeds[path][0] is feed:
            _, task = self._feeds.pop(path)
            self._board.listeners.pop(path, None)
            task.cancel()
            task.add_done_callback(lambda _: feed.source.reader.close())

    async def line_at(self, path: str, offset: int) -> int:
        """Where the line begins that *offset* lies in."""

        def look() -> int:
            with self._store.reader(path) as reader:
                return start_of_line(reader, min(offset, reader.size()))

        return await run_in_threadpool(look)

    async def older(self, path: str, position: int, goal: int) -> Chunk:
        """One event of lines from *position* on, at most up to *goal*; both are beginnings of lines."""
        key = (path, position, goal)
        known = self._older.get(key)
        if known is None:
            span, annotator = await run_in_threadpool(self._read, path, position, goal)
            known = self._older[key] = await self._pace.turn(lambda: self._chunk(path, span, annotator))
            if len(self._older) > MAX_OLDER:
                self._older.popitem(last=False)
        return known

    def _open(self, path: str) -> Opened:
        reader = self._store.reader(path)
        try:
            position = start_of_line(reader, reader.size())
            with self._store.arrivals(path) as arrivals:
                annotator = primed(reader, arrivals, position, position + 1, self._zone(path))
        except BaseException:
            reader.close()
            raise
        board, store = self._board, self._store
        source = Source(path, reader, lambda: board.record(path), lambda: store.last_arrival(path))
        return source, position, annotator

    def _zone(self, path: str) -> tzinfo | None:
        record = self._board.record(path)
        return zone_said(record.meta) if record is not None else None

    def _read(self, path: str, position: int, goal: int) -> tuple[Span, Annotator]:
        with self._store.reader(path) as reader, self._store.arrivals(path) as arrivals:
            span = span_from(reader, goal, position, SLICE, SLICE)
            return span, primed(reader, arrivals, span.start, span.end, self._zone(path))

    def _chunk(self, path: str, span: Span, annotator: Annotator) -> Chunk:
        record = self._board.record(path)
        marks = marks_between(record, span.start, span.end, last=False) if record is not None else ()
        end = max(span.end, span.start + 1)  # a file that was cut behind our back must not hold a viewer for ever
        lines = tuple(map(annotator.line, span.lines))
        return Chunk(span.start, end, event_of("lines", LinesEvent(path, span.start, end, lines, marks)))


def _close(opening: asyncio.Future[Opened]) -> None:
    """Whoever wanted it has left meanwhile."""
    if opening.exception() is None:
        opening.result()[0].reader.close()
