"""Feed: news of streams, fetched by a thread of its own, so that nobody has to wait for a network."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from logstreamer.cli.source import Source
from logstreamer.errors import EngineError, StoreError
from logstreamer.server.status import StreamStatus

AGAIN_SECONDS = 1.0


class Feed:
    """Holds the newest status of each stream that changed, not every change: a slow reader costs no more than that.

    A context manager: leaving it lets the thread go, which ends with the process at the latest.

    Args:
        open_source: opens the source, again where it was lost.
    """

    def __init__(self, open_source: Callable[[], Source]) -> None:
        self._open = open_source
        self._condition = threading.Condition()
        self._changed: dict[str, StreamStatus] = {}
        self._trouble = ""
        self._rounds = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="logstreamer-feed", daemon=True)

    @property
    def trouble(self) -> str:
        """Why there are no news; "" while there are."""
        return self._trouble

    @property
    def rounds(self) -> int:
        """How many times the source was opened and gave news."""
        return self._rounds

    def take(self, seconds: float) -> list[StreamStatus]:
        """What changed since the last call, by path; waits at most *seconds* for it."""
        with self._condition:
            if not self._changed and seconds > 0:
                self._condition.wait(seconds)
            changed, self._changed = self._changed, {}
        return [changed[path] for path in sorted(changed)]

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                with self._open() as source:
                    self._listen(source)
            except (EngineError, StoreError) as error:
                self._trouble = str(error)
                self._wake()
                self._over.wait(AGAIN_SECONDS)

    def _listen(self, source: Source) -> None:
        first = True
        for changed in source.news():
            if self._over.is_set():
                return
            with self._condition:
                self._changed.update({status.path: status for status in changed})
                self._trouble = ""
                self._rounds += first
                first = False
                self._condition.notify()

    def _wake(self) -> None:
        with self._condition:
            self._condition.notify()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
