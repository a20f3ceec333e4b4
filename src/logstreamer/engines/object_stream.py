"""ObjectStream: a producer's messages to all its targets, driven from the caller's thread."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future, wait
from typing import Any

from logstreamer.apis.context import FLContext
from logstreamer.apis.shareable import ReturnCode, Shareable, make_reply
from logstreamer.apis.streaming import ObjectProducer
from logstreamer.engines.channel import Channel
from logstreamer.engines.object_lane import ObjectLane
from logstreamer.engines.pump import Pump
from logstreamer.errors import EngineError
from logstreamer.objects import encode_shareable, frame_message

logger = logging.getLogger(__name__)

FAREWELL_SECONDS = 5.0
"""How long the targets may take to confirm the end of a stream."""

Lanes = Sequence[tuple[ObjectLane, Channel]]


class ObjectStream:
    """Produce, send, collect the replies, let the producer judge them, again."""

    def __init__(
        self, pump: Pump, lanes: Lanes, producer: ObjectProducer, stream_ctx: dict[str, Any], fl_ctx: FLContext
    ):
        self._pump = pump
        self._lanes = lanes
        self._producer = producer
        self._stream_ctx = stream_ctx
        self._fl_ctx = fl_ctx

    def run(self) -> tuple[str, Any]:
        """Stream until the producer has a final result: (return code, that result).

        Raises:
            Exception: whatever the producer raises; the targets are told that the stream is aborted.
            TypeError, ValueError: the producer made something that is no message, or no positive timeout.
        """
        self._pump.ask(self._open)
        try:
            rc, result = self._loop()
            if rc == ReturnCode.OK:
                self._finish()
            return rc, result
        finally:
            with contextlib.suppress(EngineError):  # shut down meanwhile: that has closed it
                self._pump.ask(self._close)

    def _loop(self) -> tuple[str, Any]:
        signal = self._fl_ctx.get_run_abort_signal()
        while not (signal is not None and signal.triggered):
            message, timeout = self._producer.produce(self._stream_ctx, self._fl_ctx)
            if message is None:
                return ReturnCode.OK, None
            self._check(message, timeout)
            replies = self._exchange(message, float(timeout))
            result = self._producer.process_replies(replies, self._stream_ctx, self._fl_ctx)
            if result is not None:
                return (ReturnCode.OK if result else ReturnCode.ERROR), result
        return ReturnCode.TASK_ABORTED, None

    def _check(self, message: Any, timeout: Any) -> None:
        name = type(self._producer).__name__
        if not isinstance(message, Shareable):
            raise TypeError(f"{name} must produce Shareable but got {type(message).__name__}")
        if isinstance(timeout, bool) or not isinstance(timeout, int | float):
            raise TypeError(f"{name} must give a number as timeout but got {type(timeout).__name__}")
        if not timeout > 0:
            raise ValueError(f"{name} must give a positive timeout but got {timeout}")

    def _exchange(self, message: Shareable, timeout: float) -> dict[str, Shareable]:
        body = frame_message(encode_shareable(message))
        deadline = time.monotonic() + timeout
        futures = self._pump.ask(lambda: self._send(body))
        wait(futures.values(), max(0.0, deadline - time.monotonic()))
        return {
            lane.target: future.result() if future.done() else make_reply(lane.silence)
            for lane, future in futures.items()
        }

    # -- on the pump's loop

    def _open(self) -> None:
        for lane, channel in self._lanes:
            channel.add(lane)

    def abandon(self, reason: str) -> None:
        """The engine is shut down: whatever the producer makes from now on is answered with TASK_ABORTED."""
        for lane, channel in self._lanes:
            lane.abandon(ReturnCode.TASK_ABORTED, reason)
            channel.touch(lane)

    def _send(self, body: bytes) -> dict[ObjectLane, Future[Shareable]]:
        futures = {}
        for lane, channel in self._lanes:
            futures[lane] = lane.send(body)
            channel.touch(lane)
        return futures

    def _finish(self) -> None:
        def finish() -> list[Future[str]]:
            ends = []
            for lane, channel in self._lanes:
                ends.append(lane.finish(self._pump.now()))
                channel.touch(lane)
            return ends

        wait(self._pump.ask(finish), FAREWELL_SECONDS)

    def _close(self) -> None:
        for lane, channel in self._lanes:
            lane.abandon(ReturnCode.TASK_ABORTED, "ended by the sender")
            channel.remove(lane)
