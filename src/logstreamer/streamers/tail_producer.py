"""The producer of a growing file, for engines that pull."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from logstreamer.apis.context import FLContext
from logstreamer.apis.shareable import Shareable
from logstreamer.drain import Drain
from logstreamer.follow_spec import FollowSpec
from logstreamer.streamers.chunk import Chunk
from logstreamer.streamers.delivery import Delivery
from logstreamer.streamers.producer import ChunkProducer, is_aborted
from logstreamer.tail import Follower

_logger = logging.getLogger(__name__)


class Feed(Protocol):
    """The bytes of the followed path, in order; times are seconds of the producer's clock."""

    def read(self, limit: int, now: float) -> bytes | None:
        """The next bytes (1 to *limit*), or None: nothing new."""

    def look(self, now: float) -> int:
        """Look at the path, so that no rotation goes unnoticed: how many bytes are there to be read."""

    def wait(self, timeout: float, now: float) -> None:
        """Sleep *timeout* seconds (>= 0), less when the file changed or needs a look."""

    def close(self) -> None:
        """Let go of all files; allowed more than once."""


class LogTailProducer(ChunkProducer):
    """Follows one file and makes its bytes into chunks, heartbeats and an end of file.

    Engines of ours read `follow` and never call `produce`; all others pull, one message at a time. Nothing is logged
    per message at any level: the file may be the one our own log records go to, and each would make another.

    Args:
        follow: the file and how to follow it; `stop_event` and the run's abort signal both ask for the end.
        targets: names of the targets.
        open_feed: opens the file, on the first `produce`; given the time then, and `follower` where there is one.
        optional: a failed target is no error for the log.
        monotonic: the clock, in seconds.
        sleep: blocks for some seconds.
    """

    _MAX_BOOTSTRAP_MISSES = 10

    def __init__(
        self,
        follow: FollowSpec,
        targets: Iterable[str],
        open_feed: Callable[..., Feed],
        optional: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        name = f"log stream of {os.path.basename(follow.path)}"
        super().__init__(
            Delivery(targets, name, optional, self._MAX_BOOTSTRAP_MISSES, self._behind),
            follow.chunk_timeout,
            follow.poll_interval,
            monotonic,
            sleep,
        )
        self.follow = follow
        self._name = name
        self._optional = optional
        self._open_feed = open_feed
        self._feed: Feed | None = None
        self._offset = 0
        self._last_sent = monotonic()
        self._drain: Drain | None = None

    def produce(self, stream_ctx: dict[str, Any], fl_ctx: FLContext) -> tuple[Shareable, float]:
        """The next message; blocks until there are bytes, a heartbeat is due or the stream has come to its end."""
        message = super().produce(stream_ctx, fl_ctx)
        self._last_sent = self._monotonic()
        return message

    def for_target(self, target: str, follower: Follower) -> LogTailProducer:
        """A producer of the same file for one target alone; *follower* follows it already, and has no cursor yet."""
        open_feed = partial(self._open_feed, follower=follower)
        return LogTailProducer(self.follow, [target], open_feed, self._optional, self._monotonic, self._sleep)

    def close(self) -> None:
        """Let go of the file; allowed more than once."""
        if self._feed is not None:
            self._feed.close()

    def _open(self) -> Feed:
        if self._feed is None:
            self._feed = self._open_feed(self.follow, self._monotonic())
        return self._feed

    def _behind(self) -> int:
        return self._open().look(self._monotonic())

    def _is_stopping(self, fl_ctx: FLContext) -> bool:
        stop = self.follow.stop_event
        return self.follow.stop_at_eof or (stop is not None and stop.is_set()) or is_aborted(fl_ctx)

    def _rest(self, seconds: float) -> None:
        super()._rest(seconds)
        self._open().look(self._monotonic())

    def _next_chunk(self, fl_ctx: FLContext) -> Chunk:
        feed = self._open()
        while True:
            now = self._monotonic()
            if self._is_cut_off(feed, now):
                return self._end(feed, now)
            data = feed.read(self.follow.chunk_size, now)
            # Only after the read: a run may be aborted before its last lines are written, and they count.
            if self._drain is None and self._is_stopping(fl_ctx):
                self._drain = Drain(now, self.follow.poll_interval, at_first_end=self.follow.stop_at_eof)
            if data:
                return self._data_chunk(data)
            pause = self._until_next_read(feed, now)
            if pause == 0.0:
                return self._end(feed, now)
            silence = now - self._last_sent
            if silence >= self.follow.liveness_interval:
                return Chunk(self._offset, heartbeat=True)
            feed.wait(min(pause, self.follow.liveness_interval - silence), now)

    def _data_chunk(self, data: bytes) -> Chunk:
        chunk = Chunk(self._offset, data)
        self._offset = chunk.end
        if self._drain:
            self._drain.saw_data()
        return chunk

    def _until_next_read(self, feed: Feed, now: float) -> float:
        """After an empty read: seconds until the next one; 0.0: it was the last."""
        if self._drain is None:
            return self.follow.poll_interval
        return self._drain.saw_nothing(now, feed.look(now))

    def _is_cut_off(self, feed: Feed, now: float) -> bool:
        if self._drain is None:
            return False
        if self._drain.needs_goal(now):
            self._drain.set_goal(self._offset + feed.look(now))
        return self._drain.is_cut_off(self._offset)

    def _end(self, feed: Feed, now: float) -> Chunk:
        if left := feed.look(now):
            _logger.warning("%s: stopped, but %d bytes that came too late are not sent", self._name, left)
        return Chunk(self._offset, eof=True)
