"""What the producers of chunked streams share: send, send again, wait in between."""

from __future__ import annotations

import random
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from logstreamer.apis.context import FLContext
from logstreamer.apis.shareable import Shareable
from logstreamer.apis.streaming import ObjectProducer
from logstreamer.streamers.chunk import Chunk
from logstreamer.streamers.delivery import Delivery

_MAX_BACKOFF = 20.0
"""Longest pause before a resend, in units of the base pause: ten resends of a 0.5 s pause span about a minute."""

_JITTER = 0.25
"""Share of a pause that is added at random, so that many senders do not come back at the same moment."""


class ChunkProducer(ObjectProducer):
    """A producer of chunks for any engine that pulls; it holds one chunk at a time, until it is settled.

    Args:
        delivery: keeps the books of this stream.
        chunk_timeout: seconds that the replies to one message may take (> 0).
        pause: the first pause before a resend, in seconds (> 0); it doubles up to _MAX_BACKOFF times.
        monotonic: the clock.
        sleep: blocks for some seconds; it may return early.
    """

    def __init__(
        self,
        delivery: Delivery,
        chunk_timeout: float,
        pause: float,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._delivery = delivery
        self._chunk_timeout = float(chunk_timeout)
        self._pause = pause
        self._monotonic = monotonic
        self._sleep = sleep

    def produce(self, stream_ctx: dict[str, Any], fl_ctx: FLContext) -> tuple[Shareable, float]:
        """The next message; the same one, after a pause, while it is not settled. Blocks until there is one."""
        chunk = self._delivery.chunk
        if chunk is None:
            chunk = self._next_chunk(fl_ctx)
            self._delivery.send(chunk)
        else:
            self._back_off(fl_ctx)
        return chunk.to_message(), self._chunk_timeout

    def process_replies(self, replies: dict[str, Shareable], stream_ctx: dict[str, Any], fl_ctx: FLContext) -> Any:
        """None to go on, the `Outcomes` when the stream is over."""
        return self._delivery.settle(replies or {})

    @abstractmethod
    def _next_chunk(self, fl_ctx: FLContext) -> Chunk:
        """The chunk after the last one; blocks until there is one."""

    @abstractmethod
    def _is_stopping(self, fl_ctx: FLContext) -> bool:
        """Whether the end of this stream has been asked for, so that pauses should be short."""

    def _rest(self, seconds: float) -> None:
        """Part of a pause."""
        self._sleep(seconds)

    def _back_off(self, fl_ctx: FLContext) -> None:
        factor = min(2.0 ** (self._delivery.resends - 1), _MAX_BACKOFF)
        started = self._monotonic()
        due = started + self._pause * factor * random.uniform(1.0, 1.0 + _JITTER)
        while (left := due - self._monotonic()) > 0:
            self._rest(min(left, self._pause))
            if self._is_stopping(fl_ctx):
                # One base pause is waited in any case: a stop must not use up the tries in no time.
                due = min(due, started + self._pause)


def is_aborted(fl_ctx: FLContext) -> bool:
    """Whether the run that *fl_ctx* belongs to is aborted."""
    signal = fl_ctx.get_run_abort_signal()
    return signal is not None and signal.triggered
