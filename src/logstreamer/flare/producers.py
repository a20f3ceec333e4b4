"""NVFlare's producers: they hand its pull loop what our side has to send."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from nvflare.apis.streaming import ObjectProducer
from nvflare.fuel.utils import fobs

from logstreamer.apis.shareable import ReturnCode
from logstreamer.errors import ConfigError
from logstreamer.flare.carrier import Carrier
from logstreamer.flare.messages import REACHED, from_flare, to_flare

AGAIN: tuple[()] = ()
"""A result that ends NVFlare's transaction as failed, for us to begin another one."""


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
        if self._carrier.is_over:
            return {self._carrier.target: self._carrier.lane.outcome}
        return AGAIN if self._carrier.trouble else None


class ObjectsProducer(ObjectProducer):
    """Any producer of our port, on NVFlare's loop.

    NVFlare counts a message that nobody was registered for as the first of its transaction, and then refuses the
    second. So as long as no target is ready, each message begins another transaction: the same one for as long as its
    replies may take, then whatever the producer makes of that.

    Attributes:
        is_not_ready: another transaction has to follow.
        error: what the caller has to hear, None where there is nothing.
    """

    def __init__(self, producer: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_not_ready = False
        self.error: ConfigError | None = None
        self._producer = producer
        self._clock = clock
        self._message: tuple[Any, float] | None = None
        self._due = 0.0
        self._has_started = False

    def produce(self, stream_ctx: dict[str, Any], fl_ctx: Any) -> tuple[Any, float]:
        """The next message, and how long its replies may take in seconds."""
        if not self.is_not_ready or self._message is None:
            message, timeout = self._producer.produce(stream_ctx, fl_ctx)
            self._message = (to_flare(message) if message is not None else None), float(timeout)
            self._due = self._clock() + float(timeout)
        self.is_not_ready = False
        return self._message

    def process_replies(self, replies: dict[str, Any], stream_ctx: dict[str, Any], fl_ctx: Any) -> Any:
        """None to go on, what the transaction ended with otherwise."""
        replies = replies or {}
        if not replies and (trouble := self._why_unsendable()):
            self.error = ConfigError(f"a message that cannot be sent: {trouble}")
            return AGAIN
        is_missed = not self._has_started and bool(replies) and all(map(_is_miss, replies.values()))
        if is_missed and self._clock() < self._due:
            self.is_not_ready = True
            return AGAIN
        self._has_started = self._has_started or (bool(replies) and not is_missed)
        result = self._producer.process_replies(_ours(replies), stream_ctx, fl_ctx)
        if result is None and is_missed:
            self._message, self.is_not_ready = None, True
            return AGAIN
        return result

    def _why_unsendable(self) -> str:
        """NVFlare gives no replies where it could not encode the message, and goes on as if it had been sent."""
        try:
            fobs.dumps(self._message and self._message[0])
        except Exception as error:  # noqa: BLE001 - whatever a decomposer raises
            return str(error)
        return ""


def _is_miss(reply: Any) -> bool:
    """Whether nobody was registered there; a consumer of ours that failed says that it did."""
    return reply.get_return_code() == ReturnCode.EXECUTION_EXCEPTION and not reply.get_header(REACHED)


def _ours(replies: dict[str, Any] | None) -> dict[str, Any]:
    return {target: from_flare(reply) for target, reply in (replies or {}).items()}
