"""Sinks: what a receiver does with a stream. The port, and the sink that serves the contract's consumers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from logstreamer.apis.context import FLContext
from logstreamer.apis.shareable import ReturnCode, Shareable, make_reply
from logstreamer.apis.streaming import (
    ConsumerFactory,
    IdleLimitedConsumer,
    ObjectConsumer,
    PayloadKey,
    StreamContextKey,
    StreamDoneCallback,
)
from logstreamer.errors import ConfigError, EngineError
from logstreamer.objects import MessageReader, decode_shareable, encode_shareable
from logstreamer.protocol.frames import MAX_PAYLOAD, Data, Eof, Heartbeat, Open, Reply, Segment
from logstreamer.protocol.receiver import Position
from logstreamer.trace import CopyTrace

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a sink wants after a frame: replies sent, and the run ended with *rc* where one is given.

    *again*: the work is not done; give the same frame once more, after other streams had their turn.
    """

    rc: str | None = None
    reason: str = ""
    replies: tuple[Reply, ...] = ()
    again: bool = False


GO_ON = Verdict()


class Sink(Protocol):
    """Takes one run of a stream. Its methods are called one at a time, in order, `begin` first and `end` last.

    Args:
        blocking: its methods may take long: they are called on a worker thread, not on the engine's loop.
    """

    blocking: bool

    def begin(self, frame: Open) -> Begun:
        """A run begins.

        Raises:
            NotReady: nobody wants the stream yet.
            StoreError, EngineError: the stream cannot be taken; the sender is told why.
        """

    def position(self) -> Position:
        """Where the durable copy ends; asked at every (re)connection, on the engine's loop."""

    def segment(self, frame: Segment) -> Verdict: ...

    def data(self, frame: Data) -> Verdict:
        """Take bytes.

        Raises:
            StoreError: not now (the disk is full, ...): nothing was taken, the same frame comes again later.
        """

    def commit(self) -> None:
        """Make durable what was taken; called after one or more frames, before they are acknowledged.

        Raises:
            StoreError: that cannot be promised; the run is ended.
        """

    def heartbeat(self, frame: Heartbeat) -> Verdict: ...

    def eof(self, frame: Eof, run_start: int) -> Verdict:
        """The stream's end was reached; the verdict's rc says how it went (None is taken as OK)."""

    def end(self, rc: str, reason: str) -> None:
        """The run is over; nothing comes after this."""


@dataclass(frozen=True, slots=True)
class Begun:
    """How a run begins: at *position*, its own bytes at *run_start*, with this idle timeout (seconds, 0: none)."""

    position: Position
    run_start: int
    idle_timeout: float


class NotReady(EngineError):
    """Nobody takes this stream yet; the sender will ask again."""


@dataclass(frozen=True, slots=True)
class Registration:
    """Who takes the streams of one channel and topic."""

    factory: ConsumerFactory
    stream_done_cb: StreamDoneCallback | None = None
    consumed_cb: Callable[..., Any] | None = None
    cb_kwargs: dict[str, Any] = field(default_factory=dict)


class ConsumerSink:
    """Feeds a consumer of the contract with the messages of one run.

    A log stream's frames become the messages LogStreamer's users know; those of an object stream are decoded.

    Args:
        trace: how far the stream had come in earlier runs.
        fl_ctx: of the receiving side, with the authenticated peer.
        end_stream: ends this run from outside: `end_stream(rc, fl_ctx)`, from any thread.
        on_end: `on_end(run, rc)`, called once when the run is over.
    """

    blocking = True

    def __init__(
        self,
        registration: Registration,
        trace: CopyTrace,
        fl_ctx: FLContext,
        end_stream: Callable[[str, object], None],
        on_end: Callable[[str, str], None],
    ) -> None:
        self._registration = registration
        self._trace = trace
        self._fl_ctx = fl_ctx
        self._end_stream = end_stream
        self._on_end = on_end
        self._run = ""
        self._consumer: ObjectConsumer | None = None
        self._ctx: dict[str, Any] = {}
        self._messages: MessageReader | None = None
        self._replies = 0
        self._idle_timeout = 0.0

    def begin(self, frame: Open) -> Begun:
        self._run = frame.run
        if self._consumer is None:
            self._consumer = self._get_consumer(frame)
        return Begun(self._trace.position(), self._trace.durable, self._idle_timeout)

    def _get_consumer(self, frame: Open) -> ObjectConsumer:
        self._ctx = dict(frame.meta)
        self._ctx[StreamContextKey.CHANNEL] = frame.key.channel
        self._ctx[StreamContextKey.TOPIC] = frame.key.topic
        self._ctx[StreamContextKey.END_STREAM] = self._end_stream
        if frame.kind == "objects":
            if frame.offset > 0:
                raise EngineError("the consumer that took the first messages is gone")
            self._messages = MessageReader()
        consumer = self._registration.factory.get_consumer(self._ctx, self._fl_ctx)
        if not isinstance(consumer, ObjectConsumer):
            raise EngineError(f"{type(self._registration.factory).__name__} gave no ObjectConsumer: {consumer!r}")
        if isinstance(consumer, IdleLimitedConsumer):
            self._idle_timeout = consumer.take_idle_clock()
        return consumer

    def position(self) -> Position:
        return self._trace.position()

    def segment(self, frame: Segment) -> Verdict:
        self._trace.segment(frame)
        return GO_ON

    def data(self, frame: Data) -> Verdict:
        if self._messages is not None:
            return self._objects(self._messages, frame)
        verdict = self._verdict(*self._consume(_chunk(bytes(frame.payload), eof=False)))
        self._trace.data(frame.payload)
        return verdict

    def commit(self) -> None:
        """Nothing to do: what a consumer has taken is taken."""

    def heartbeat(self, frame: Heartbeat) -> Verdict:
        if self._messages is not None:
            return GO_ON
        beat = _chunk(None, eof=False)
        beat[PayloadKey.HEARTBEAT] = True
        return self._verdict(*self._consume(beat))

    def eof(self, frame: Eof, run_start: int) -> Verdict:
        if self._messages is None:
            _, reply = self._consume(_chunk(None, eof=True))
            return Verdict(rc=reply.get_return_code())
        return GO_ON

    def end(self, rc: str, reason: str) -> None:
        consumer, registration = self._consumer, self._registration
        if consumer is None:
            return
        self._on_end(self._run, rc)
        self._ctx[StreamContextKey.RC] = rc
        try:
            consumer.finalize(self._ctx, self._fl_ctx)
        except Exception:
            self._ctx[StreamContextKey.RC] = ReturnCode.EXECUTION_EXCEPTION
            logger.exception("finalize of %s failed", type(consumer).__name__)
        if registration.stream_done_cb is not None:
            try:
                registration.stream_done_cb(self._ctx, self._fl_ctx, **registration.cb_kwargs)
            except Exception:
                logger.exception("stream_done_cb failed")
        try:
            registration.factory.return_consumer(consumer, self._ctx, self._fl_ctx)
        except Exception:
            logger.exception("return_consumer of %s failed", type(registration.factory).__name__)

    def _consume(self, message: Shareable) -> tuple[bool, Shareable]:
        assert self._consumer is not None
        outcome = self._consumer.consume(message, self._ctx, self._fl_ctx)
        if self._registration.consumed_cb is not None:
            self._registration.consumed_cb(outcome, self._ctx, self._fl_ctx, **self._registration.cb_kwargs)
        go_on, reply = outcome
        return go_on, reply if reply is not None else make_reply(ReturnCode.OK)

    @staticmethod
    def _verdict(go_on: bool, reply: Shareable) -> Verdict:
        rc = reply.get_return_code()
        return GO_ON if go_on and rc == ReturnCode.OK else Verdict(rc=rc, reason="ended by the consumer")

    def _objects(self, messages: MessageReader, frame: Data) -> Verdict:
        replies = []
        self._trace.data(frame.payload)
        for body in messages.feed(frame.payload):
            try:
                go_on, reply = self._consume(decode_shareable(body))
                payload = _encode_reply(reply)
            except Exception:
                logger.exception("consumer %s failed", type(self._consumer).__name__)
                go_on, reply = False, make_reply(ReturnCode.EXECUTION_EXCEPTION)
                payload = _encode_reply(reply)
            replies.append(Reply(self._replies, go_on, payload))
            self._replies += 1
            if not go_on:
                return Verdict(reply.get_return_code(), "ended by the consumer", tuple(replies))
        return Verdict(replies=tuple(replies))


def _encode_reply(reply: Shareable) -> memoryview:
    payload = encode_shareable(reply)
    if len(payload) > MAX_PAYLOAD:
        raise ConfigError(f"a reply of {len(payload)} bytes is longer than {MAX_PAYLOAD}")
    return memoryview(payload)


def _chunk(data: bytes | None, *, eof: bool) -> Shareable:
    return Shareable({PayloadKey.DATA: data, PayloadKey.SIZE: 0 if data is None else len(data), PayloadKey.EOF: eof})
