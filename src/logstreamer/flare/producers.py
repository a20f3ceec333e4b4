"""NVFlare's producers: they hand its pull loop what our side has to send."""

from __future__ import annotations

from typing import Any

from nvflare.apis.streaming import ObjectProducer

from logstreamer.apis.shareable import ReturnCode
from logstreamer.flare.carrier import Carrier
from logstreamer.flare.messages import from_flare, to_flare

AGAIN: tuple[()] = ()
"""A result that ends NVFlare's transaction as failed, for us to begin another one."""

MAX_MISSES = 10
"""How often all targets of an object stream may be not ready, before the first of them is."""


class FollowProducer(ObjectProducer):
    """One transaction of a `Carrier`; with a stock receiver, of the plain producer of chunks instead.

    Args:
        plain: our own producer of chunks for this target.
        fl_ctx: the caller's context, with the run's abort signal.
    """

    def __init__(self, carrier: Carrier, plain: Any, fl_ctx: Any) -> None:
        self._carrier = carrier
        self._plain = plain
        self._fl_ctx = fl_ctx

    def produce(self, stream_ctx: dict[str, Any], fl_ctx: Any) -> tuple[Any, float]:
        """The next message, and how long its reply may take in seconds."""
        if self._carrier.is_stock:
            message, timeout = self._plain.produce(stream_ctx, self._fl_ctx)
            return to_flare(message), timeout
        return self._carrier.next_message(), self._carrier.reply_timeout

    def process_replies(self, replies: dict[str, Any], stream_ctx: dict[str, Any], fl_ctx: Any) -> Any:
        """None to go on, what the transaction ended with otherwise."""
        if self._carrier.is_stock:
            return self._plain.process_replies(_ours(replies), stream_ctx, self._fl_ctx)
        self._carrier.take_reply(next(iter((replies or {}).values()), None))
        if self._carrier.lane.outcome is not None:
            return {self._carrier.target: self._carrier.lane.outcome}
        return AGAIN if self._carrier.trouble else None


class ObjectsProducer(ObjectProducer):
    """Any producer of our port, on NVFlare's loop.

    NVFlare counts a message that nobody was registered for as the first of its transaction, and then refuses the
    second. So as long as no target is ready, the same message begins another transaction.
    """

    def __init__(self, producer: Any) -> None:
        self._producer = producer
        self._first: tuple[Any, float] | None = None
        self._started = False
        self.misses = 0
        self.is_not_ready = False

    def produce(self, stream_ctx: dict[str, Any], fl_ctx: Any) -> tuple[Any, float]:
        """The next message, and how long its replies may take in seconds."""
        if self.is_not_ready and self._first is not None:
            self.is_not_ready = False
        else:
            message, timeout = self._producer.produce(stream_ctx, fl_ctx)
            self._first = message, float(timeout)
        message, timeout = self._first
        return (to_flare(message) if message is not None else None), timeout

    def process_replies(self, replies: dict[str, Any], stream_ctx: dict[str, Any], fl_ctx: Any) -> Any:
        """None to go on, what the transaction ended with otherwise."""
        replies = replies or {}
        missed = replies and all(
            reply.get_return_code() == ReturnCode.EXECUTION_EXCEPTION for reply in replies.values()
        )
        if missed and not self._started and self.misses < MAX_MISSES:
            self.misses += 1
            self.is_not_ready = True
            return AGAIN
        self._started = self._started or bool(replies)
        return self._producer.process_replies(_ours(replies), stream_ctx, fl_ctx)


def _ours(replies: dict[str, Any] | None) -> dict[str, Any]:
    return {target: from_flare(reply) for target, reply in (replies or {}).items()}
