"""A small, honest engine that pulls: it knows producers and consumers, nothing of files or logs.

Messages are copied between sites, a stream's receiver is opened by the first message of it that a registered site gets,
and each stream is told of its end once. What the network does to a message is up to `PullNetwork.faults`.
"""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Callable
from enum import Enum
from typing import Any

from logstreamer.apis.context import FLContext, Signal
from logstreamer.apis.shareable import ReturnCode, Shareable, make_reply
from logstreamer.apis.streaming import (
    ConsumerFactory,
    ObjectConsumer,
    ObjectProducer,
    StreamableEngine,
    StreamContextKey,
    StreamDoneCallback,
)


class Fault(Enum):
    """What may happen to one message on its way to one target."""

    LOSE_MESSAGE = "lose message"
    LOSE_REPLY = "lose reply"
    DUPLICATE = "duplicate"
    TIMEOUT = "timeout"


FaultRule = Callable[[str, int], Fault | None]
"""(target, number of the message in its stream, from 0) -> what happens to it."""


class PullNetwork:
    """Sites in one process.

    Args:
        faults: decides the fate of each message; None: all arrive.
    """

    def __init__(self, faults: FaultRule | None = None) -> None:
        self.faults: FaultRule = faults or (lambda target, number: None)
        self.sites: dict[str, PullEngine] = {}
        self.secure: list[bool] = []
        self.streams = itertools.count()

    def engine(self, site: str) -> PullEngine:
        """The engine of *site*; made when first asked for."""
        return self.sites.setdefault(site, PullEngine(self, site))


class PullEngine(StreamableEngine):
    """One site's engine."""

    def __init__(self, network: PullNetwork, site: str) -> None:
        self._network = network
        self._site = site
        self._registry: dict[tuple[str, str], _Registration] = {}
        self._table: dict[int, _Stream] = {}
        self._over: dict[int, str] = {}
        self._lock = threading.Lock()
        self.gives_hook = True
        self.messages = 0

    def new_context(self, job_id: str | None = None, abort_signal: Signal | None = None) -> FLContext:
        """A context of this site."""
        return FLContext(self, self._site, job_id, abort_signal)

    def stream_objects(
        self,
        channel: str,
        topic: str,
        stream_ctx: dict[str, Any],
        targets: list[str],
        producer: ObjectProducer,
        fl_ctx: FLContext,
        optional: bool = False,
        secure: bool = False,
    ) -> tuple[str, Any]:
        self._network.secure.append(secure)
        stream = next(self._network.streams)
        stream_ctx[StreamContextKey.CHANNEL], stream_ctx[StreamContextKey.TOPIC] = channel, topic
        try:
            for number in itertools.count():
                message, timeout = producer.produce(stream_ctx, fl_ctx)
                assert isinstance(timeout, float)
                assert timeout > 0
                envelope = _Envelope(stream, number, stream_ctx, message, self.new_context(fl_ctx.get_job_id()))
                replies = {target: self._send(target, envelope) for target in targets}
                answered = {target: reply for target, reply in replies.items() if reply is not None}
                result = producer.process_replies(answered, stream_ctx, fl_ctx)
                if result is not None:
                    return (ReturnCode.OK if result else ReturnCode.ERROR), result
            raise AssertionError("unreachable")
        finally:
            for target in targets:
                self._network.engine(target).end(stream, ReturnCode.TASK_ABORTED)

    def _send(self, target: str, envelope: _Envelope) -> Shareable | None:
        fault = self._network.faults(target, envelope.number)
        if fault is Fault.LOSE_MESSAGE:
            return None
        receiver = self._network.engine(target)
        reply = receiver.receive(envelope.copy())
        if fault is Fault.DUPLICATE:
            reply = receiver.receive(envelope.copy())
        if fault is Fault.TIMEOUT:
            return make_reply(ReturnCode.COMMUNICATION_ERROR)
        return None if fault is Fault.LOSE_REPLY else copy.deepcopy(reply)

    def register_stream_processing(
        self,
        channel: str,
        topic: str,
        factory: ConsumerFactory,
        stream_done_cb: StreamDoneCallback | None = None,
        consumed_cb: Callable[..., Any] | None = None,
        **cb_kwargs: Any,
    ) -> None:
        self._registry[channel, topic] = _Registration(factory, stream_done_cb, consumed_cb, cb_kwargs)

    def shutdown_streamer(self) -> None:
        for stream in list(self._table):
            self.end(stream, ReturnCode.TASK_ABORTED)

    def receive(self, envelope: _Envelope) -> Shareable:
        """Take one message, give the reply."""
        self.messages += 1
        fl_ctx = FLContext(self, self._site, envelope.sender.get_job_id(), None, peer=envelope.sender)
        try:
            stream = self._stream_of(envelope, fl_ctx)
            if stream is None:
                rc = self._over.get(envelope.stream)
                return make_reply(ReturnCode.EXECUTION_EXCEPTION if rc is None else ReturnCode.TASK_ABORTED)
            go_on, reply = stream.consume(envelope.message, fl_ctx)
        except Exception:  # noqa: BLE001 - a user's callback; the sender is told
            go_on, reply = False, make_reply(ReturnCode.EXECUTION_EXCEPTION)
        if reply is None:  # not `or`: a reply without items is falsy
            reply = make_reply(ReturnCode.OK)
        if not go_on:
            self.end(envelope.stream, reply.get_return_code(), fl_ctx)
        return reply

    def _stream_of(self, envelope: _Envelope, fl_ctx: FLContext) -> _Stream | None:
        ctx = envelope.stream_ctx
        registration = self._registry.get((ctx[StreamContextKey.CHANNEL], ctx[StreamContextKey.TOPIC]))
        with self._lock:
            if registration is None or envelope.stream in self._over:
                return None
            if envelope.stream not in self._table:
                if self.gives_hook:
                    ctx[StreamContextKey.END_STREAM] = lambda rc, end_ctx: self.end(envelope.stream, rc, end_ctx)
                consumer = registration.factory.get_consumer(ctx, fl_ctx)
                self._table[envelope.stream] = _Stream(registration, consumer, ctx)
            return self._table[envelope.stream]

    def end(self, stream: int, rc: str, fl_ctx: FLContext | None = None) -> None:
        """End a stream; the first who says so is right."""
        with self._lock:
            ended = self._table.pop(stream, None)
            if ended is not None:
                self._over[stream] = rc
        if ended is not None:
            ended.done(rc, fl_ctx)


class _Envelope:
    def __init__(
        self, stream: int, number: int, stream_ctx: dict[str, Any], message: Shareable, sender: FLContext
    ) -> None:
        self.stream = stream
        self.number = number
        self.stream_ctx = stream_ctx
        self.message = message
        self.sender = sender

    def copy(self) -> _Envelope:
        message = Shareable(copy.deepcopy(dict(self.message)))
        message.headers.update(copy.deepcopy(self.message.headers))
        return _Envelope(self.stream, self.number, copy.deepcopy(self.stream_ctx), message, self.sender)


class _Registration:
    def __init__(
        self,
        factory: ConsumerFactory,
        stream_done_cb: StreamDoneCallback | None,
        consumed_cb: Callable[..., Any] | None,
        cb_kwargs: dict[str, Any],
    ) -> None:
        self.factory = factory
        self.stream_done_cb = stream_done_cb
        self.consumed_cb = consumed_cb
        self.cb_kwargs = cb_kwargs


class _Stream:
    def __init__(self, registration: _Registration, consumer: ObjectConsumer, ctx: dict[str, Any]) -> None:
        self._registration = registration
        self._consumer = consumer
        self._ctx = ctx

    def consume(self, message: Shareable, fl_ctx: FLContext) -> tuple[bool, Shareable | None]:
        outcome = self._consumer.consume(message, self._ctx, fl_ctx)
        if self._registration.consumed_cb is not None:
            self._registration.consumed_cb(outcome, self._ctx, fl_ctx, **self._registration.cb_kwargs)
        return outcome

    def done(self, rc: str, fl_ctx: FLContext | None) -> None:
        self._ctx[StreamContextKey.RC] = rc
        self._consumer.finalize(self._ctx, fl_ctx)
        if self._registration.stream_done_cb is not None:
            self._registration.stream_done_cb(self._ctx, fl_ctx, **self._registration.cb_kwargs)
        self._registration.factory.return_consumer(self._consumer, self._ctx, fl_ctx)
