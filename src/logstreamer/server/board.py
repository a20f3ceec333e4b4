"""Board: every stream with what it is doing now, and the news of it for those who watch."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from logstreamer.engines.base import BaseEngine
from logstreamer.errors import StoreError
from logstreamer.inbound import Inbound
from logstreamer.pauses import dead_after
from logstreamer.protocol.frames import StreamKey
from logstreamer.server.chronicle import Chronicle
from logstreamer.server.last_lines import last_line
from logstreamer.server.meter import Meter
from logstreamer.server.news import News
from logstreamer.server.states import LOST, Health, Pulse, State, is_full, judge
from logstreamer.server.status import StreamStatus
from logstreamer.server.watchdog import Reason, Watchdog
from logstreamer.store import sidecar
from logstreamer.store.catalogue import Store
from logstreamer.store.record import StreamRecord
from logstreamer.store_sink import Stored

_keys = msgspec.json.Decoder(StreamKey)  # made once, see `sidecar`

RETURN_SECONDS = 5.0
"""Senders try to come back this often: one that has not been seen for longer than it takes to count as dead is lost."""

TICK_SECONDS = 1.0
"""How soon a state that only time changes (quiet, dead) is noticed."""

NEWS_SECONDS = 0.1
"""Least time between two rounds of news: what changes more often is told once."""

NEWS_SECONDS_EACH = 0.0005
"""The same for each stream of a round, where there are so many that telling them is work."""

NEWS_SECONDS_VIEWER = 0.008
"""And for each of those who are told."""

LAST_LINE_SECONDS = 1.0
"""Least time between two looks at the end of one file."""

SCAN_SHARE = 10
"""A look at the whole directory is not repeated before this many times what the last one took."""

SCANS = 3
"""Most looks for one question: a run that ends during a look is looked at again."""


@dataclass(slots=True)
class _Entry:
    record: StreamRecord
    key: StreamKey | None
    meter: Meter = field(default_factory=Meter)
    chronicle: Chronicle = field(default_factory=Chronicle)
    told: tuple[State, int] | None = None
    last_line: str = ""
    last_line_of: tuple[int, float] = (0, float("-inf"))  # the size of the file then, and when that was


class Board:
    """Joins what is stored with what the receiver knows of the senders.

    Lives on the engine's loop, from `start` on; files are looked at by a worker thread.

    Attributes:
        news: what changed, for those who watch.
        listeners: by path, who wants to know at once that something came for a stream; called for every frame and
            from any thread, so they have to be quick.
    """

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._view = Store.view(stored.store.root)
        self._engine: BaseEngine | None = None
        self._watchdog: Watchdog | None = None
        self._entries: dict[str, _Entry] = {}
        self.news = News(self.statuses)
        self.listeners: dict[str, Callable[[], None]] = {}
        self._dirty: set[str] = set()
        self._scanning = asyncio.Lock()
        self._awaited: set[str] = set()  # whose senders were there before the receiver, and have not come back
        self._awaited_enough = False
        self._stale = True  # a run has ended since the last look: what is stored says more than what is remembered
        self._scanned_at = self._scan_took = float("-inf")
        self._is_news = asyncio.Event()

    def start(self, engine: BaseEngine) -> None:
        """Begin to look at the streams of *engine*, and keep looking until its end."""
        self._engine = engine
        self._watchdog = watchdog = Watchdog(
            engine.receiver.live, engine.pump.now, lambda: self._stored.refused_at, is_full
        )

        def begin() -> None:
            self._stored.on_change = self._changed
            engine.pump.spawn(self._tick())
            engine.pump.spawn(self._spread_news())
            engine.pump.spawn(watchdog.run())

        engine.pump.ask(begin)

    def call(self, function: Callable[[], None]) -> None:
        """Run *function* on the loop, soon; from any thread."""
        assert self._engine is not None
        self._engine.pump.call(function)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run *coroutine* on the loop until the engine stops."""
        assert self._engine is not None
        return self._engine.pump.spawn(coroutine)

    def stop(self) -> None:
        """Let every watcher go; called on the loop, before the engine stops."""
        self._stored.on_change = None
        self.news.end()

    # -- asking

    async def all(self) -> list[StreamStatus]:
        """Every stream, by path, as it is now."""
        await self._scan()
        await self._read_last_lines(self._entries)
        return [self._status(entry) for _, entry in sorted(self._entries.items())]

    async def one(self, path: str) -> StreamStatus | None:
        """The stream stored at *path*; None if there is none."""
        entry = self._entries.get(path)
        if entry is None or self._stored.record(path) is None:
            await self._scan()
            entry = self._entries.get(path)
        if entry is None:
            return None
        await self._read_last_lines([path])
        return self._status(entry)

    async def fresh(self, paths: Iterable[str]) -> list[StreamStatus]:
        """As `statuses`, after a look if a run has ended since the last one: how it ended is known, not guessed."""
        if self._stale:
            await self._scan()
        return self.statuses(paths)

    def record(self, path: str) -> StreamRecord | None:
        """What is stored of the stream at *path*, as far as that is known without a look; None: nothing."""
        entry = self._entries.get(path)
        return self._record(entry) if entry is not None else None

    def reasons(self) -> list[Reason]:
        """Why data that should move does not; empty: it does."""
        return self._watchdog.reasons() if self._watchdog is not None else []

    # -- looking

    async def _scan(self) -> None:
        self._meet({})
        asked = self._now()
        async with self._scanning:
            recent = self._now() - self._scanned_at < self._scan_took * SCAN_SHARE
            if self._scanned_at >= asked or (recent and not self._stale):
                return
            for _ in range(SCANS):
                await self._scan_once()
                if not self._stale:
                    break

    async def _scan_once(self) -> None:
        began, self._stale = self._now(), False
        records = await asyncio.get_running_loop().run_in_executor(None, self._view.streams)
        self._scanned_at, self._scan_took = began, self._now() - began
        before, self._entries = self._entries, {}
        for record in records:
            self._entries[record.path] = _renewed(before.get(record.path), record)
        self._meet(before)

    def _meet(self, before: dict[str, _Entry]) -> None:
        """Streams that began since the last look are known from the receiver: a look may be due much later."""
        for path in self._stored.store.open_paths():
            record = None if path in self._entries else self._stored.record(path)
            if record is not None:
                self._entries[path] = _renewed(before.get(path), record)

    async def _read_last_lines(self, paths: Iterable[str]) -> None:
        """Look at the ends of those files that have grown, each at most once a second."""
        due = [self._entries[path] for path in paths if path in self._entries and self._is_due(self._entries[path])]
        if due:
            await asyncio.get_running_loop().run_in_executor(None, self._read_last_lines_of, due, self._now())

    def _is_due(self, entry: _Entry) -> bool:
        size, when = entry.last_line_of
        return self._record(entry).size != size and self._now() - when >= LAST_LINE_SECONDS

    def _read_last_lines_of(self, entries: Iterable[_Entry], now: float) -> None:
        for entry in entries:
            with contextlib.suppress(StoreError), self._view.reader(entry.record.path) as reader:
                entry.last_line_of = (reader.size(), now)
                entry.last_line = last_line(reader)

    def statuses(self, paths: Iterable[str]) -> list[StreamStatus]:
        """Those of *paths* that are known, as they are now."""
        return [self._status(self._entries[path]) for path in sorted(paths) if path in self._entries]

    def _status(self, entry: _Entry) -> StreamStatus:
        record = self._record(entry)
        health = self._health(entry, record)
        rate = entry.meter.rate() if health.last_beat is not None else 0.0
        return StreamStatus.join(record, health, rate, entry.last_line)

    def _record(self, entry: _Entry) -> StreamRecord:
        return self._stored.record(entry.record.path) or entry.record

    def _inbound(self, entry: _Entry) -> Inbound | None:
        if entry.key is None or entry.record.finished is not None or self._engine is None:
            return None
        return self._engine.receiver.find(entry.record.site, entry.key)

    def _health(self, entry: _Entry, record: StreamRecord) -> Health:
        inbound = self._inbound(entry)
        pulse = Pulse.of(inbound) if inbound is not None else None
        return judge(record, pulse, self._now(), is_lost=self._awaited_enough and record.path in self._awaited)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    # -- news

    def _changed(self, path: str) -> None:
        """Bytes, a beat, the beginning or the end of the stream at *path*; from any thread, for every frame."""
        self._awaited.discard(path)
        if not self._stored.store.is_open(path):
            self._stale = True
        listener = self.listeners.get(path)
        if listener is not None:
            listener()
        if path in self._dirty or (path in self._entries and not self.news.watchers):
            return
        self._dirty.add(path)
        self.call(self._is_news.set)

    async def _spread_news(self) -> None:
        while True:
            await self._is_news.wait()
            self._is_news.clear()
            dirty, self._dirty = self._dirty, set()
            if any(path not in self._entries or self._stored.record(path) is None for path in dirty):
                await self._scan()
            if self.news.watchers:
                await self._read_last_lines(dirty)
            self.news.spread(dirty)
            for path in dirty & self.listeners.keys():
                self.listeners[path]()
            each = len(dirty) * NEWS_SECONDS_EACH + self.news.watchers * NEWS_SECONDS_VIEWER
            await asyncio.sleep(NEWS_SECONDS + each)

    async def _tick(self) -> None:
        assert self._engine is not None
        await self._scan()
        self._awaited = {path for path, entry in self._entries.items() if self._is_awaited(entry)}
        began, patience = self._now(), dead_after(self._stored.idle_timeout) + RETURN_SECONDS
        while True:
            await asyncio.sleep(TICK_SECONDS)
            listened = self._now() - max(began, self._engine.receiver.resumed())
            changed = {path for path, entry in self._entries.items() if self._look(entry)}
            if not self._awaited_enough and listened >= patience:
                self._awaited_enough, changed = True, changed | self._awaited
                await asyncio.get_running_loop().run_in_executor(None, self._give_up, tuple(self._awaited))
                self._stale = True
            if changed and self.news.watchers:
                self._dirty |= changed
                self._is_news.set()

    @staticmethod
    def _is_awaited(entry: _Entry) -> bool:
        return entry.key is not None and entry.record.state == State.UNKNOWN.value

    def _give_up(self, paths: Iterable[str]) -> None:
        """Keep that the senders of *paths* are dead; where the disk takes nothing it is known all the same."""
        for path in paths:
            if path in self._awaited:
                with contextlib.suppress(StoreError):
                    self._stored.settle(path, State.DEAD.value, LOST)

    def _look(self, entry: _Entry) -> bool:
        """Measure the rate, keep the state; whether a watcher has to know something that no frame told."""
        inbound = self._inbound(entry)
        if inbound is None and entry.told is None:
            return False
        if inbound is not None and inbound.protocol is not None:
            entry.meter.sample(inbound.protocol.durable, self._now())
        record = self._record(entry)
        health = self._health(entry, record)
        if inbound is not None:
            self._keep(entry, record, health)
        told, entry.told = entry.told, (health.state, int(entry.meter.rate()))
        return told != entry.told or (self.news.watchers > 0 and self._is_due(entry))

    def _keep(self, entry: _Entry, record: StreamRecord, health: Health) -> None:
        """Keep the stream's state with what is stored, if it is worth that."""
        entered = entry.chronicle.look(health.state, health.detail, self._now(), record.state)
        if entered is None:
            return
        path, state, detail, later = record.path, entered.state.value, entered.detail, not entered.matters
        at = sidecar.at(time.time() - entered.ago)

        def keep() -> None:
            with contextlib.suppress(StoreError):
                self._stored.set_state(path, state, detail, at=at, later=later)

        if self._stored.sync:  # its lock may be held for as long as a sync takes
            asyncio.get_running_loop().run_in_executor(None, keep)
        else:
            keep()


def _renewed(entry: _Entry | None, record: StreamRecord) -> _Entry:
    if entry is not None and entry.record.key == record.key:
        entry.record = record
        return entry
    return _Entry(record, _stream_key(record.key))


def _stream_key(text: str) -> StreamKey | None:
    try:
        return _keys.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # a stream whose history was lost
