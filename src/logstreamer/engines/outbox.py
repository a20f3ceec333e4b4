"""Outbox: the streams of one connection that have something to send, each in its turn."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from logstreamer.outlet import FrameSource
from logstreamer.protocol.codec import encode

logger = logging.getLogger(__name__)


class Outbox:
    """Pulls frames from the sources that said they are ready, one frame from each in turn.

    Nothing is encoded before the connection has room for it: a slow peer costs one message, whatever the backlog.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._turns: deque[tuple[int, FrameSource]] = deque()
        self._queued: set[tuple[int, FrameSource]] = set()
        self._filled = asyncio.Event()
        self.is_closed = False

    def ready(self, stream: int, source: FrameSource) -> None:
        """*source* may have frames for *stream*."""
        turn = (stream, source)
        if turn not in self._queued:
            self._queued.add(turn)
            self._turns.append(turn)
            self._filled.set()

    def pop(self) -> bytes | None:
        """The next message, or None when no source has one."""
        while self._turns:
            turn = self._turns.popleft()
            stream, source = turn
            try:
                frame = source.next_frame(self._clock())
                message = encode(stream, frame, source.encoding) if frame is not None else None
            except Exception as error:  # one stream's trouble; the others on this connection go on
                logger.error("stream %d failed inside the engine", stream, exc_info=error)
                self._queued.discard(turn)
                source.fail(error)
                continue
            if message is None:
                self._queued.discard(turn)
                continue
            if source.may_send:
                self._turns.append(turn)
            else:  # asking once more, and looking once more at the file, would cost a third of a short line
                self._queued.discard(turn)
            return message
        self._filled.clear()
        return None

    async def next(self) -> bytes | None:
        """Wait for the next message; None: the outbox is closed."""
        while not self.is_closed:
            message = self.pop()
            if message is not None:
                return message
            await self._filled.wait()
        return None

    def close(self) -> None:
        """The connection is over: nothing more is taken from here."""
        self.is_closed = True
        self._filled.set()
