"""News: what changed, for any number of watchers at the price of one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from logstreamer.server.status import StreamStatus
from logstreamer.store.sidecar import now


class Watcher:
    """Somebody who waits for something to happen.

    Holds the names of the streams that changed, not the changes: a slow one costs one set of names.
    """

    def __init__(self) -> None:
        self._changed: set[str] = set()
        self._event = asyncio.Event()
        self.over = False

    def tell(self, paths: Iterable[str]) -> None:
        """These streams changed."""
        self._changed.update(paths)
        self._event.set()

    def wake(self) -> None:
        """Something else happened."""
        self._event.set()

    def end(self) -> None:
        """There will be no more news."""
        self.over = True
        self._event.set()

    async def wait(self, timeout: float) -> bool:
        """Return when something happened since the last call; False: nothing did for *timeout* seconds."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout)
        except TimeoutError:
            return False
        self._event.clear()
        return True

    def take(self) -> frozenset[str]:
        """The streams that changed since the last call."""
        changed, self._changed = self._changed, set()
        return frozenset(changed)


class News:
    """The watchers, and events that are put into words once for all of them. Lives on the engine's loop.

    Args:
        statuses: how the streams of these names are now.
    """

    def __init__(self, statuses: Callable[[Iterable[str]], list[StreamStatus]]) -> None:
        self._statuses = statuses
        self._watchers: set[Watcher] = set()
        self._written: dict[frozenset[str], bytes] = {}

    @property
    def watchers(self) -> int:
        """How many there are."""
        return len(self._watchers)

    def watch(self) -> Watcher:
        """A new watcher; give it back to `unwatch`."""
        watcher = Watcher()
        self._watchers.add(watcher)
        return watcher

    def unwatch(self, watcher: Watcher) -> None:
        """Forget *watcher*."""
        self._watchers.discard(watcher)

    def spread(self, paths: Iterable[str]) -> None:
        """These streams changed."""
        self._written.clear()
        for watcher in self._watchers:
            watcher.tell(paths)

    def end(self) -> None:
        """There will be no more news, for anybody."""
        for watcher in self._watchers:
            watcher.end()

    def event(self, paths: frozenset[str]) -> bytes:
        """The event that tells how *paths* are; the same for everybody until there are other news."""
        written = self._written.get(paths)
        if written is None:
            written = self._written[paths] = streams_event(self._statuses(paths))
        return written


def streams_event(statuses: list[StreamStatus]) -> bytes:
    """The event `streams`."""
    data = msgspec.json.encode({"streams": [status.brief() for status in statuses], "now": now()})
    return b"event: streams\ndata: " + data + b"\n\n"
