"""The receiving side of one log stream: its callbacks, and its end when the sender falls silent."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from logstreamer.apis.checks import check_non_negative_number
from logstreamer.apis.context import FLContext
from logstreamer.apis.shareable import ReturnCode, Shareable, make_reply
from logstreamer.apis.streaming import (
    ConsumerFactory,
    IdleLimitedConsumer,
    PayloadKey,
    StreamContextKey,
    StreamDoneCallback,
)
from logstreamer.streamers.chunk import Intake
from logstreamer.streamers.idle import WATCHER, IdleClock, IdleWatcher
from logstreamer.streamers.registration import check_callback

ChunkCallback = Callable[..., Any]
"""`chunk_received_cb(data: bytes, stream_ctx, fl_ctx, **cb_kwargs)`."""

_logger = logging.getLogger(__name__)


class LogChunkConsumer(IdleLimitedConsumer):
    """Gives each data chunk of one stream to the callback, once and in order.

    After an end of file, a failure, an idle timeout or `finalize` every message is rejected with TASK_ABORTED.

    Args:
        stream_ctx: the stream's context; its END_STREAM hook is called on idle timeout.
        chunk_received_cb: called with each chunk's bytes; None: they are only counted.
        idle_timeout: seconds of silence after which the sender is given up; 0: never.
        cb_kwargs: passed on to the callback.
        fl_ctx: the context the stream was opened with, or None.
        watcher: looks after the idle clock.
        monotonic: the clock, in seconds; the watcher's.
    """

    def __init__(
        self,
        stream_ctx: dict[str, Any],
        chunk_received_cb: ChunkCallback | None,
        idle_timeout: float,
        cb_kwargs: dict[str, Any],
        fl_ctx: FLContext | None = None,
        watcher: IdleWatcher = WATCHER,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream_ctx = stream_ctx
        self._chunk_received_cb = chunk_received_cb
        self._idle_timeout = idle_timeout
        self._cb_kwargs = cb_kwargs
        self._fl_ctx = fl_ctx
        self._watcher = watcher
        self._monotonic = monotonic
        self._intake = Intake()
        self._turn = threading.Lock()
        self._is_closed = False
        self._clock: IdleClock | None = None
        if idle_timeout > 0:
            self._clock = IdleClock(idle_timeout, monotonic(), self._give_up)
            watcher.watch(self._clock)

    def take_idle_clock(self) -> float:
        """Hand the idle clock to the engine: ours stops, the timeout in seconds is returned (0: none)."""
        self._stop_clock()
        self._clock = None
        return self._idle_timeout

    def consume(self, shareable: Shareable, stream_ctx: dict[str, Any], fl_ctx: FLContext) -> tuple[bool, Shareable]:
        """Take one message.

        Raises:
            ValueError: its size is not what its size field says, or bytes before it are missing.
        """
        clock = self._clock
        if self._is_closed or (clock is not None and not clock.begin(self._monotonic())):
            return False, make_reply(ReturnCode.TASK_ABORTED)
        try:
            return self._take_in_turn(shareable, stream_ctx, fl_ctx)
        finally:
            if clock is not None:
                clock.end(self._monotonic())

    def finalize(self, stream_ctx: dict[str, Any], fl_ctx: FLContext | None) -> None:
        """The stream is over: the idle clock stops."""
        self._is_closed = True
        self._stop_clock()

    def _take_in_turn(
        self, shareable: Shareable, stream_ctx: dict[str, Any], fl_ctx: FLContext
    ) -> tuple[bool, Shareable]:
        # A sender that had no reply in time sends the same chunk again, perhaps while the callback is still at work on
        # the first: TIMEOUT tells it to come back later. The turn is never waited for, so no thread piles up here.
        if not self._turn.acquire(blocking=False):
            return True, make_reply(ReturnCode.TIMEOUT)
        try:
            self._fl_ctx = fl_ctx
            return self._take(shareable, stream_ctx, fl_ctx)
        except BaseException:
            self._is_closed = True
            raise
        finally:
            self._turn.release()

    def _take(self, shareable: Shareable, stream_ctx: dict[str, Any], fl_ctx: FLContext) -> tuple[bool, Shareable]:
        data = self._intake.new_bytes(shareable)
        if data and self._chunk_received_cb is not None:
            self._chunk_received_cb(data, stream_ctx, fl_ctx, **self._cb_kwargs)
        self._intake.advance(len(data))
        if not shareable.get(PayloadKey.EOF):
            return True, self._intake.acknowledge()
        # Now, not in finalize: between the two the clock could still turn a complete stream into a timeout.
        self._is_closed = True
        self._stop_clock()
        return False, self._intake.acknowledge()

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._watcher.forget(self._clock)

    def _give_up(self) -> None:
        self._is_closed = True
        _logger.warning(
            "log stream of %s: no message for %s s, its sender is given up",
            self._stream_ctx.get(PayloadKey.FILE_NAME),
            self._idle_timeout,
        )
        end_stream = self._stream_ctx.get(StreamContextKey.END_STREAM)
        if callable(end_stream):
            end_stream(ReturnCode.TIMEOUT, self._fl_ctx)
        else:
            _logger.error("an idle log stream cannot be ended: its context has no END_STREAM hook")


class LogChunkConsumerFactory(ConsumerFactory):
    """Makes a `LogChunkConsumer` for each stream, and its once-only done callback.

    Args:
        chunk_received_cb: `chunk_received_cb(data, stream_ctx, fl_ctx, **cb_kwargs)`, or None.
        idle_timeout: seconds of silence after which a sender is given up (>= 0); 0: never.
        stream_done_cb: `stream_done_cb(stream_ctx, fl_ctx, **kwargs)`, or None.
        cb_kwargs: passed on to `chunk_received_cb`.

    Raises:
        TypeError: a callback cannot be called, or idle_timeout is no number.
        ConfigError: idle_timeout is negative or not finite.
    """

    def __init__(
        self,
        chunk_received_cb: ChunkCallback | None,
        idle_timeout: float,
        stream_done_cb: StreamDoneCallback | None,
        cb_kwargs: dict[str, Any],
    ) -> None:
        check_callback("chunk_received_cb", chunk_received_cb)
        check_callback("stream_done_cb", stream_done_cb)
        check_non_negative_number("idle_timeout", idle_timeout)
        self._chunk_received_cb = chunk_received_cb
        self._idle_timeout = float(idle_timeout)
        self._stream_done_cb = stream_done_cb
        self._cb_kwargs = cb_kwargs

    def get_consumer(self, stream_ctx: dict[str, Any], fl_ctx: FLContext | None) -> LogChunkConsumer:
        """A new consumer; its idle clock runs from here."""
        # What a peer may have put there is dropped, never called.
        stream_ctx.pop(PayloadKey.STREAM_DONE_CB, None)
        if self._stream_done_cb is not None:
            stream_ctx[PayloadKey.STREAM_DONE_CB] = only_once(self._stream_done_cb)
        return LogChunkConsumer(stream_ctx, self._chunk_received_cb, self._idle_timeout, self._cb_kwargs, fl_ctx)


def dispatch_stream_done(stream_ctx: dict[str, Any], fl_ctx: FLContext | None, **kwargs: Any) -> Any:
    """Call the once-only done callback of the stream that *stream_ctx* belongs to, if it has one."""
    stream_done_cb = stream_ctx.get(PayloadKey.STREAM_DONE_CB)
    return stream_done_cb(stream_ctx, fl_ctx, **kwargs) if callable(stream_done_cb) else None


def only_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """*function*, but only the first call gets through, however many threads race; the others return None."""
    first = threading.Lock()

    @functools.wraps(function, updated=())
    def call_once(*args: Any, **kwargs: Any) -> Any:
        # Taken and never given back: the function itself runs under no lock, it may even end up here again.
        if not first.acquire(blocking=False):
            return None
        return function(*args, **kwargs)

    return call_once
