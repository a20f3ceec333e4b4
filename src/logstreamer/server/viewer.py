"""Viewer: one stream of events, for one tab of a browser or one `logs -f`."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from logstreamer.errors import StoreError
from logstreamer.server.board import Board
from logstreamer.server.feed import MAX_BACKLOG, Chunk, Feed, SkipEvent, event_of
from logstreamer.server.feeds import Feeds
from logstreamer.server.news import Watcher, streams_event

PING_SECONDS = 5.0
"""Most silence, so that a lost connection shows."""

END = -1
"""The offset that means: what comes from now on."""

_WANTED = re.compile(r"(.+?)(?:@(-1|\d{1,18}))?", re.DOTALL)
_IDS = re.compile(r"(?:-1|\d{1,18})(?:,(?:-1|\d{1,18}))*")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stream that a viewer wants to follow, from *offset* on."""

    path: str
    offset: int = END

    @classmethod
    def parse(cls, text: str) -> Wanted:
        """PATH or PATH@OFFSET."""
        match = _WANTED.fullmatch(text)
        return cls(match[1], int(match[2]) if match[2] else END) if match else cls(text)


def resumed(wanted: Sequence[Wanted], last_id: str) -> list[Wanted]:
    """*wanted*, each from where the event with *last_id* ended; as they are where that is none of theirs."""
    offsets = last_id.split(",") if _IDS.fullmatch(last_id) else []
    if len(offsets) != len(wanted):
        return list(wanted)
    return [Wanted(one.path, int(offset)) for one, offset in zip(wanted, offsets, strict=True)]


class Viewer:
    """Tells one client what happens. It holds where it is in each stream, and no bytes: what it has not taken yet it
    reads from the file when it is ready for it."""

    def __init__(self, board: Board, feeds: Feeds, wanted: Sequence[Wanted]) -> None:
        self._board = board
        self._feeds = feeds
        self._wanted = wanted

    async def events(self) -> AsyncIterator[bytes]:
        """Server-Sent Events, until the receiver stops."""
        watcher = self._board.news.watch()
        subscriptions = [Subscription(self._board, self._feeds, watcher, one) for one in self._wanted]
        try:
            first = b"retry: 1000\n\n" + streams_event(await self._board.all())
            for subscription in subscriptions:
                await subscription.join()  # before anything is told: the end is where it was when we were asked
            yield first
            while not watcher.over:
                changed = watcher.take()
                if changed:
                    yield self._board.news.event(changed)
                idle = True
                for subscription in subscriptions:
                    event = await subscription.next()
                    if event is not None:
                        ids = ",".join(str(one.position) for one in subscriptions)
                        yield b"id: " + ids.encode() + b"\n" + event
                        idle = False
                if idle and not await watcher.wait(PING_SECONDS):
                    yield b": ping\n\n"
        finally:
            self._board.news.unwatch(watcher)
            for subscription in subscriptions:
                subscription.close()


class Subscription:
    """One stream of a viewer.

    Attributes:
        position: the viewer has everything below it, as far as it wanted it; `END` before that is known.
    """

    def __init__(self, board: Board, feeds: Feeds, watcher: Watcher, wanted: Wanted) -> None:
        self.position = wanted.offset
        self._path = wanted.path
        self._board = board
        self._feeds = feeds
        self._watcher = watcher
        self._feed: Feed | None = None
        self._number: int | None = None  # of the feed's next chunk; None: we are behind the feed
        self._open: Chunk | None = None  # the line without an end that was told last

    async def join(self) -> Feed | None:
        """Find the stream's feed and the place to begin at; None: there is no such stream yet."""
        if self._board.record(self._path) is None:
            self.position = max(0, self.position)  # of one that is yet to come nothing is left out
            return None
        feed = await self._feeds.join(self._path, self._watcher)
        if feed is None:
            return None
        self._feed = feed
        if self.position == END or self.position >= feed.position:
            self.position = feed.position
        else:
            try:
                self.position = await self._feeds.line_at(self._path, self.position)
            except StoreError:
                self.position = feed.position
        self._number = feed.number_at(self.position)
        return feed

    async def next(self) -> bytes | None:
        """The next event, without its id; None: nothing is new."""
        feed = self._feed or await self.join()
        if feed is None:
            return None
        if self._number is not None:
            try:
                return self._current(feed, self._number)
            except LookupError:
                self._number = None
        event = await self._older(feed)
        self._number = feed.number_at(self.position)
        return event

    def close(self) -> None:
        """Leave the feed."""
        if self._feed is not None:
            self._feeds.leave(self._feed, self._watcher)
            self._feed = None

    def _current(self, feed: Feed, number: int) -> bytes | None:
        chunk = feed.chunk(number)
        if chunk is not None:
            self._number, self.position = number + 1, chunk.end
            return chunk.event
        shown = feed.open
        if shown is not None and shown is not self._open and shown.start == self.position:
            self._open = shown
            return shown.event
        return None

    async def _older(self, feed: Feed) -> bytes:
        """What lies below the next chunk of the feed, or a part of it."""
        goal = feed.start_behind(self.position)
        if goal - self.position > MAX_BACKLOG:
            start, self.position = self.position, goal
            return event_of("skip", SkipEvent(self._path, start, goal))
        chunk = await self._feeds.older(self._path, self.position, goal)
        self.position = chunk.end
        return chunk.event
