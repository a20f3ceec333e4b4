"""Board: every stream with what it is doing now, and the news of it for those who watch."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from logstreamer.engines.base import BaseEngine
from logstreamer.errors import StoreError
from logstreamer.inbound import Inbound
from logstreamer.protocol.frames import StreamKey
from logstreamer.server.last_lines import last_line
from logstreamer.server.meter import Meter
from logstreamer.server.states import Health, Pulse, State, is_full, judge
from logstreamer.server.status import StreamStatus
from logstreamer.server.watchdog import Reason, Watchdog
from logstreamer.store.catalogue import Store
from logstreamer.store.record import StreamRecord
from logstreamer.store_sink import Stored

TICK_SECONDS = 1.0
"""How soon a state that only time changes (quiet, dead) is noticed."""

NEWS_SECONDS = 0.1
"""Least time between two rounds of news: what changes more often is told once."""

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
    told: tuple[State, int] | None = None
    last_line: str = ""
    last_line_of: tuple[int, float] = (0, float("-inf"))  # the size of the file then, and when that was


class Watcher:
    """One reader of news. Holds the names of what changed, not the changes: a slow one costs one set of names."""

    def __init__(self) -> None:
        self._changed: set[str] = set()
        self._event = asyncio.Event()
        self.over = False

    def tell(self, paths: set[str]) -> None:
        """These streams changed."""
        self._changed |= paths
        self._event.set()

    def end(self) -> None:
        """There will be no more news."""
        self.over = True
        self._event.set()

    async def next(self, timeout: float) -> set[str]:
        """What changed since the last call; empty after *timeout* seconds without news."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout)
        except TimeoutError:
            return set()
        self._event.clear()
        changed, self._changed = self._changed, set()
        return changed


class Board:
    """Joins what is stored with what the receiver knows of the senders.

    Lives on the engine's loop, from `start` on; files are looked at by a worker thread.
    """

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._view = Store.view(stored.store.root)
        self._engine: BaseEngine | None = None
        self._watchdog: Watchdog | None = None
        self._entries: dict[str, _Entry] = {}
        self._watchers: set[Watcher] = set()
        self._dirty: set[str] = set()
        self._scanning = asyncio.Lock()
        self._stale = True  # a run has ended since the last look: what is stored says more than what is remembered
        self._scanned_at = self._scan_took = float("-inf")
        self._news = asyncio.Event()

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

    def stop(self) -> None:
        """Let every watcher go; called on the loop, before the engine stops."""
        self._stored.on_change = None
        for watcher in self._watchers:
            watcher.end()

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

    def some(self, paths: set[str]) -> list[StreamStatus]:
        """Those of *paths* that are known, as they are now."""
        return [self._status(self._entries[path]) for path in sorted(paths) if path in self._entries]

    def reasons(self) -> list[Reason]:
        """Why data that should move does not; empty: it does."""
        return self._watchdog.reasons() if self._watchdog is not None else []

    def watch(self) -> Watcher:
        """A new reader of news; give it back to `unwatch`."""
        watcher = Watcher()
        self._watchers.add(watcher)
        return watcher

    def unwatch(self, watcher: Watcher) -> None:
        """Forget *watcher*."""
        self._watchers.discard(watcher)

    # -- looking

    async def _scan(self) -> None:
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

    def _status(self, entry: _Entry) -> StreamStatus:
        health = self._health(entry)
        return StreamStatus.join(
            self._record(entry),
            health,
            entry.meter.rate() if health.last_beat is not None else 0.0,
            entry.last_line,
        )

    def _record(self, entry: _Entry) -> StreamRecord:
        return self._stored.record(entry.record.path) or entry.record

    def _inbound(self, entry: _Entry) -> Inbound | None:
        if entry.key is None or entry.record.finished is not None or self._engine is None:
            return None
        return self._engine.receiver.find(entry.record.site, entry.key)

    def _health(self, entry: _Entry) -> Health:
        inbound = self._inbound(entry)
        return judge(self._record(entry), Pulse.of(inbound) if inbound is not None else None, self._now())

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    # -- news

    def _changed(self, path: str) -> None:
        """Bytes, a beat, the beginning or the end of the stream at *path*; from any thread, for every frame."""
        if not self._stored.store.is_open(path):
            self._stale = True
        if path in self._dirty or (path in self._entries and not self._watchers):
            return
        self._dirty.add(path)
        assert self._engine is not None
        self._engine.pump.call(self._news.set)

    async def _spread_news(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            dirty, self._dirty = self._dirty, set()
            if any(path not in self._entries or self._stored.record(path) is None for path in dirty):
                await self._scan()
            if self._watchers:
                await self._read_last_lines(dirty)
            for watcher in self._watchers:
                watcher.tell(dirty)
            await asyncio.sleep(NEWS_SECONDS)

    async def _tick(self) -> None:
        await self._scan()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            changed = {path for path, entry in self._entries.items() if self._look(entry)}
            if changed and self._watchers:
                self._dirty |= changed
                self._news.set()

    def _look(self, entry: _Entry) -> bool:
        """Measure the rate; whether a watcher has to know something that no frame told."""
        inbound = self._inbound(entry)
        if inbound is None and entry.told is None:
            return False
        if inbound is not None and inbound.protocol is not None:
            entry.meter.sample(inbound.protocol.durable, self._now())
        if not self._watchers:
            return False
        health = self._health(entry)
        told, entry.told = entry.told, (health.state, int(entry.meter.rate()))
        return told != entry.told


def _renewed(entry: _Entry | None, record: StreamRecord) -> _Entry:
    if entry is not None and entry.record.key == record.key:
        entry.record = record
        return entry
    return _Entry(record, _stream_key(record.key))


def _stream_key(text: str) -> StreamKey | None:
    try:
        return msgspec.json.decode(text, type=StreamKey)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # a stream whose history was lost
