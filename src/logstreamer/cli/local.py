"""LocalSource: a store's directory, read without its receiver."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from logstreamer.server.states import ELSEWHERE, Health, State, judge
from logstreamer.server.status import StreamStatus
from logstreamer.store.catalogue import Store
from logstreamer.store.follow import Reader
from logstreamer.store.record import StreamRecord

NO_RECEIVER = "no receiver is running here"
POLL_SECONDS = 0.25
ASK_SECONDS = 5.0
"""How often a follower looks whether a receiver runs by now."""


class LocalSource:
    """Reads the directory; what only a receiver can know is unknown.

    Raises:
        StoreError: the directory cannot be read.
    """

    def __init__(self, directory: str) -> None:
        self._view = Store.view(directory)

    def streams(self) -> list[StreamStatus]:
        """See `Source`."""
        return [StreamStatus.join(record, _health(record)) for record in self._view.streams()]

    def reader(self, path: str) -> Reader:
        """See `Source`."""
        return self._view.reader(path)

    def arrivals(self, path: str) -> Sequence[tuple[float, int]]:
        """See `Source`."""
        with self._view.arrivals(path) as arrivals:
            return arrivals.between(0, sys.maxsize)

    def news(self) -> Iterator[list[StreamStatus]]:
        """See `Source`; ends after a while, so that a receiver that was started meanwhile is asked."""
        end = time.monotonic() + ASK_SECONDS
        seen: dict[str, tuple[int, str, int]] = {}
        while True:
            before, changed = seen, []
            seen = {}
            for status in self.streams():
                seen[status.path] = (status.size, status.state, len(status.gaps))
                if before.get(status.path) != seen[status.path]:
                    changed.append(status)
            yield changed
            if time.monotonic() >= end:
                return
            time.sleep(POLL_SECONDS)

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Directories that the last `streams` could not look into."""
        return self._view.unreadable

    def close(self) -> None:
        """See `Source`."""
        self._view.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _health(record: StreamRecord) -> Health:
    health = judge(record, None, 0.0)
    if health.state is State.UNKNOWN and health.detail != ELSEWHERE:
        return Health(State.UNKNOWN, NO_RECEIVER, reach=record.size)
    return health
