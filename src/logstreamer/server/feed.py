"""Feed: the new lines of one stream, read and put into words once for all who watch it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from logstreamer.errors import StoreError
from logstreamer.lines import Annotator, Line, Splitter
from logstreamer.server.marks import Mark, marks_of
from logstreamer.server.news import Watcher
from logstreamer.server.pace import Pace
from logstreamer.store.arrivals import Arrival
from logstreamer.store.follow import Reader
from logstreamer.store.record import StreamRecord

logger = logging.getLogger(__name__)

SLICE = 32 << 10
"""Bytes that are read and put into words at a time: about a millisecond's work."""

MAX_BACKLOG = 8 << 20
"""Bytes that a viewer may be behind; one that is farther behind goes on near the end."""

NEAR = 32 << 10
"""How near."""

MAX_KEPT = 1 << 20
"""Bytes of events that are kept for those who are a little behind."""

ROUND_SECONDS = 0.04
"""Least time between two looks at a stream that grows all the time: what comes meanwhile is one event."""

FAN_OUT = 64 << 20
"""Bytes a second for all viewers of one stream together; a quarter of it while the loop is busy."""

MANY = 25
"""With more viewers than these a busy loop has fewer events a second for each: it is their number that costs."""

SKIPPED_SECONDS = 1.0
"""Least time between two looks at a stream that grows so fast that parts are left out: nobody reads that."""

TROUBLE_SECONDS = 1.0
"""How long after a failed read it is tried again."""

OPEN_SECONDS = 1.0
"""When a line without a newline is shown all the same, and how often again while it grows."""


class LinesEvent(msgspec.Struct, omit_defaults=True):
    """The data of an event `lines`."""

    stream: str
    from_: int = msgspec.field(name="from")
    to: int
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...] = ()


class SkipEvent(msgspec.Struct):
    """The data of an event `skip`."""

    stream: str
    from_: int = msgspec.field(name="from")
    to: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event, without its id: viewers at *start* are at *end* when they have it."""

    start: int
    end: int
    event: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """What a feed reads from.

    Args:
        reader: of the stored file; the feed's own.
        record: what is stored of the stream now.
        last_arrival: the latest one; None: nothing came since the receiver started.
    """

    path: str
    reader: Reader
    record: Callable[[], StreamRecord | None]
    last_arrival: Callable[[], Arrival | None]


class Feed:
    """Follows one stream for its viewers; nobody who is slow is waited for, and nothing is kept for anybody.

    Chunks are numbered; the latest are kept, as `MAX_KEPT` allows. Who wants older bytes reads them from the file.

    Args:
        position: where it begins, the beginning of a line.
        annotator: has seen the lines above.
    """

    def __init__(self, source: Source, position: int, annotator: Annotator, pace: Pace) -> None:
        self.source = source
        self.watchers: set[Watcher] = set()
        self.open: Chunk | None = None  # the line that has no newline yet, where it is worth showing
        self._splitter = Splitter(position)
        self._annotator = annotator
        self._pace = pace
        self._arrival: Arrival | None = None
        self._chunks: deque[Chunk] = deque()
        self._kept = 0
        self._first = 0  # the number of the first chunk that is kept
        self._open_at = 0.0
        self._marks = Marks(position)
        self._wanted = asyncio.Event()  # somebody has everything and waits for more
        self._wake = asyncio.Event()
        self._wake.set()
        self._called = False

    # -- for viewers

    @property
    def position(self) -> int:
        """The end of the last chunk: the beginning of the line that comes next."""
        return self._splitter.offset

    def number_at(self, position: int) -> int | None:
        """The number of the first chunk that begins at *position*, which may be one to come; None: none does."""
        for number, chunk in enumerate(self._chunks, self._first):
            if chunk.start == position:
                return number
        return self._first + len(self._chunks) if position == self.position else None

    def start_behind(self, position: int) -> int:
        """Where the first chunk begins that begins behind *position*."""
        return next((chunk.start for chunk in self._chunks if chunk.start > position), self.position)

    def chunk(self, number: int) -> Chunk | None:
        """The chunk of that number; None: it is yet to come.

        Raises:
            LookupError: it is not kept any more.
        """
        index = number - self._first
        if index < 0:
            raise LookupError(number)
        if index < len(self._chunks):
            return self._chunks[index]
        self._wanted.set()
        return None

    def wake(self) -> None:
        """Something came; on the loop."""
        self._called = False
        self._wake.set()

    def call(self, call_soon: Callable[[Callable[[], None]], None]) -> None:
        """Have `wake` called through *call_soon* unless that is on its way, or nobody has looked since; any thread."""
        # `run` clears the event before it looks: what it has not cleared yet it has not looked for either.
        if not self._called and not self._wake.is_set():
            self._called = True
            call_soon(self.wake)

    # -- following

    async def run(self) -> None:
        """Follow until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wait(loop.time())
            await self._wanted.wait()  # while nobody reads, this is no work at all
            began = loop.time()
            try:
                pause = await self._round()
            except StoreError as error:
                logger.warning("viewers of %s wait: %s", self.source.path, error)
                self._wake.set()
                pause = TROUBLE_SECONDS
            self._show_open(loop.time())
            await asyncio.sleep(max(0.0, pause - (loop.time() - began)))

    async def _round(self) -> float:
        """Get a slice further; return how long the round should take."""
        before, size = self.position, self.source.reader.size()
        skipped = self._skip(size)
        if self._splitter.end < size:
            await self._pace.turn(lambda: self._step(size))
        if self._splitter.end < size:
            self._wake.set()
        else:
            self._tell_marks()
        return self._pause(self.position - before, skipped)

    async def _wait(self, now: float) -> None:
        """Until something comes, or a line that has not ended may be shown."""
        due = self._open_due()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), None if due is None else max(0.0, due - now))
        self._wake.clear()

    def _pause(self, made: int, skipped: bool) -> float:
        """Least seconds for a round that got *made* bytes further."""
        if skipped:
            return SKIPPED_SECONDS
        if not made:
            return 0.0
        viewers, busy = max(1, len(self.watchers)), self._pace.busy
        rate = max(1 << 20, min(4 << 20, FAN_OUT // viewers)) / (4 * max(1, viewers / MANY) if busy else 1)
        least = 0.0 if self._wake.is_set() else ROUND_SECONDS * (1 + viewers / MANY if busy else 1)
        return max(least, made / rate)

    def _step(self, size: int) -> None:
        """Read and put into words one slice of what lies below *size*."""
        start = self.position
        block = self.source.reader.read(self._splitter.end, min(SLICE, size - self._splitter.end))
        raws = self._splitter.feed(block)
        if raws:
            self._note_arrival()
            lines = tuple(map(self._annotator.line, raws))
            self._tell(start, lines, self._marks.below(self.position, self.source.record()))

    def _skip(self, size: int) -> bool:
        """Where too much came at once, go on with a line near the end."""
        if size - self._splitter.end <= MAX_BACKLOG:
            return False
        start = self.position
        newline = self.source.reader.read(size - NEAR, NEAR).find(b"\n")
        if newline < 0:
            return False  # few lines, however long, are little work
        position = size - NEAR + newline + 1
        self._splitter, self._arrival = Splitter(position), None
        self._annotator = Annotator(self._annotator.zone)
        self._marks.below(position, self.source.record())
        self._keep(Chunk(start, position, event_of("skip", SkipEvent(self.source.path, start, position))))
        return True

    def _note_arrival(self) -> None:
        latest = self.source.last_arrival()
        if latest is not None and latest != self._arrival:
            # What is in hand came between the last look and now, a fraction of a second.
            earlier = self._arrival or self._annotator.latest or latest
            self._annotator.arrived_at([(earlier[0], 0), latest])
            self._arrival = latest

    def _tell(self, start: int, lines: tuple[Line, ...], marks: tuple[Mark, ...]) -> None:
        event = LinesEvent(self.source.path, start, self.position, lines, marks)
        self._keep(Chunk(start, self.position, event_of("lines", event)))

    def _keep(self, chunk: Chunk) -> None:
        self._wanted.clear()
        self._chunks.append(chunk)
        self._kept += len(chunk.event)
        while self._kept > MAX_KEPT and len(self._chunks) > 1:
            self._kept -= len(self._chunks.popleft().event)
            self._first += 1
        self._wake_watchers()

    def _wake_watchers(self) -> None:
        for watcher in self.watchers:
            watcher.wake()

    # -- what is not lines with an end

    def _tell_marks(self) -> None:
        """Tell of what happened where no new line came."""
        marks = self._marks.below(self._splitter.end + 1, self.source.record())
        if marks:
            self._tell(self.position, (), marks)

    def _open_due(self) -> float | None:
        rest = self._splitter.rest()
        if rest is None or (self.open is not None and self.open.end == rest.end):
            return None
        return self._open_at + OPEN_SECONDS

    def _show_open(self, now: float) -> None:
        rest = self._splitter.rest()
        if self.open is not None and self.open.start != self.position:
            self.open = None
        if rest is None:
            self._open_at = now
        elif (due := self._open_due()) is not None and now >= due:
            self._note_arrival()
            event = LinesEvent(self.source.path, rest.offset, rest.offset, (self._annotator.glance(rest),))
            self.open, self._open_at = Chunk(rest.offset, rest.end, event_of("lines", event)), now
            self._wake_watchers()


class Marks:
    """The marks of a stream that were not told yet.

    Args:
        position: those below it are known.
    """

    def __init__(self, position: int) -> None:
        self._position = position
        self._told: set[Mark] = set()  # of those at the position and behind it
        self._marks: list[Mark] = []
        self._facts: tuple[object, ...] = ()

    def below(self, position: int, record: StreamRecord | None) -> tuple[Mark, ...]:
        """The new ones below *position*; they count as told."""
        if record is not None:
            facts = (record.segments, record.runs, record.history, record.finished)
            if len(self._facts) != len(facts) or any(
                old is not new for old, new in zip(self._facts, facts, strict=True)
            ):
                self._marks, self._facts = marks_of(record), facts
        first = bisect_left(self._marks, self._position, key=_offset)
        last = bisect_left(self._marks, position, key=_offset)
        new = tuple(mark for mark in self._marks[first:last] if mark not in self._told)
        self._told.update(new)
        if position > self._position + 1:
            self._position = position - 1
            self._told = {mark for mark in self._told if mark.offset >= self._position}
        return new


def event_of(name: str, data: msgspec.Struct) -> bytes:
    """A Server-Sent Event."""
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"


def _offset(mark: Mark) -> int:
    return mark.offset
