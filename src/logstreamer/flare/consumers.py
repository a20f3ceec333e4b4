"""NVFlare's consumers: they hand what arrives to the hub, or, from NVFlare's own senders, to a plain consumer."""

from __future__ import annotations

import logging
import time
from typing import Any

from nvflare.apis.shareable import make_reply
from nvflare.apis.streaming import ConsumerFactory, ObjectConsumer

from logstreamer.apis.shareable import ReturnCode
from logstreamer.apis.streaming import PayloadKey, StreamContextKey
from logstreamer.errors import RemoteProtocolError
from logstreamer.flare import messages
from logstreamer.flare.chunks import ChunkReader
from logstreamer.flare.hub import Hub, Link
from logstreamer.printable import printable
from logstreamer.protocol.codec import decode, encode
from logstreamer.protocol.frames import Abort, Accept, Frame, Reject
from logstreamer.sinks import Registration

logger = logging.getLogger(__name__)

MAX_REPLY_WITHIN = 10.0
CHUNK_WITHIN = 4.0
"""Seconds a reply may take: NVFlare's own senders wait 5."""


class FrameConsumer(ObjectConsumer):
    """One transaction of a sender of ours."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def consume(self, shareable: Any, stream_ctx: dict[str, Any], fl_ctx: Any) -> tuple[bool, Any]:
        """Take one message; the reply carries the receiver's frames."""
        data = messages.frames_of(shareable)
        if data is None:
            return False, make_reply(ReturnCode.BAD_REQUEST_DATA)
        within = min(_seconds(shareable.get_header(messages.REPLY_WITHIN)) or 1.0, MAX_REPLY_WITHIN)
        try:
            frames = [decode(message)[1] for message in messages.unpack(data)]
            answers = self._link.exchange(frames, within, _seconds(shareable.get_header(messages.ENDING)))
        except RemoteProtocolError as error:
            logger.warning("%s broke the protocol: %s", printable(self._link.site), printable(str(error)))
            return False, make_reply(ReturnCode.BAD_REQUEST_DATA)
        return True, messages.frames_reply(ReturnCode.OK, messages.pack(encode(0, answer) for answer in answers))

    def finalize(self, stream_ctx: dict[str, Any], fl_ctx: Any) -> None:
        """The transaction is over; the stream is, only if its run was aborted."""
        signal = fl_ctx.get_run_abort_signal() if fl_ctx is not None else None
        if signal is not None and signal.triggered:
            self._link.end(ReturnCode.TASK_ABORTED, "the run was aborted")
        self._link.lost()


class ChunkConsumer(ObjectConsumer):
    """One stream of NVFlare's own sender, for a receiver that stores: its chunks become frames."""

    def __init__(self, link: Link, name: str) -> None:
        self._link = link
        self._reader = ChunkReader(name)

    def consume(self, shareable: Any, stream_ctx: dict[str, Any], fl_ctx: Any) -> tuple[bool, Any]:
        """Take one message. Only what is stored, or will be, is answered with OK."""
        try:
            failure = self._take(self._reader.frames(shareable))
        except RemoteProtocolError as error:
            logger.warning("%s broke the protocol: %s", printable(self._link.site), printable(str(error)))
            failure = ReturnCode.BAD_REQUEST_DATA
        if failure is not None:
            return False, make_reply(failure)
        return not self._link.is_over, make_reply(ReturnCode.OK)

    def _take(self, frames: list[Frame]) -> str | None:
        """Give *frames* to the receiver; what is wrong, if anything."""
        due = time.monotonic() + CHUNK_WITHIN
        opening = self._reader.opening()
        if opening:
            answers = self._link.exchange(opening[:1], CHUNK_WITHIN)
            if not any(isinstance(answer, Accept) for answer in answers):
                return _ended(answers) or ReturnCode.EXECUTION_EXCEPTION
        answers = self._link.exchange([*opening[1:], *frames], due - time.monotonic())
        # A slow disk will have it soon, and such a sender does not wait; one that takes nothing may never have it.
        return _ended(answers) or (ReturnCode.EXECUTION_EXCEPTION if self._link.trouble else None)

    def finalize(self, stream_ctx: dict[str, Any], fl_ctx: Any) -> None:
        """The stream is over: such a sender never comes back to it."""
        rc = stream_ctx.get(StreamContextKey.RC, ReturnCode.ERROR)
        self._link.close(str(rc), "its sender ended it")


def _ended(answers: list[Frame]) -> str | None:
    """The code with which a stream ended, if it did."""
    return next((answer.rc for answer in answers if isinstance(answer, Abort | Reject)), None)


class PlainConsumer(ObjectConsumer):
    """A consumer of our port, fed by a sender of NVFlare's own make, or by a stream of objects."""

    def __init__(self, consumer: Any, registration: Registration) -> None:
        self.consumer = consumer
        self._registration = registration

    def consume(self, shareable: Any, stream_ctx: dict[str, Any], fl_ctx: Any) -> tuple[bool, Any]:
        """Take one message."""
        try:
            go_on, reply = outcome = self.consumer.consume(messages.from_flare(shareable), stream_ctx, fl_ctx)
            if self._registration.consumed_cb is not None:
                self._registration.consumed_cb(outcome, stream_ctx, fl_ctx, **self._registration.cb_kwargs)
        except Exception:
            logger.exception("%s failed", type(self.consumer).__name__)
            return False, _failure()
        return go_on, messages.to_flare(reply) if reply is not None else None

    def finalize(self, stream_ctx: dict[str, Any], fl_ctx: Any) -> None:
        """The stream is over: tell everybody, even when one of them fails."""
        try:
            self.consumer.finalize(stream_ctx, fl_ctx)
        except Exception:
            stream_ctx[StreamContextKey.RC] = ReturnCode.EXECUTION_EXCEPTION
            logger.exception("finalize of %s failed", type(self.consumer).__name__)
        if self._registration.stream_done_cb is not None:
            try:
                self._registration.stream_done_cb(stream_ctx, fl_ctx, **self._registration.cb_kwargs)
            except Exception:
                logger.exception("stream_done_cb failed")


class FailedConsumer(ObjectConsumer):
    """In place of one that could not be made."""

    def consume(self, shareable: Any, stream_ctx: dict[str, Any], fl_ctx: Any) -> tuple[bool, Any]:
        """Say so."""
        return False, _failure()

    def finalize(self, stream_ctx: dict[str, Any], fl_ctx: Any) -> None:
        """Nothing began."""


class FlareConsumerFactory(ConsumerFactory):
    """Tells senders of ours from those of NVFlare's own make."""

    def __init__(self, hub: Hub, registration: Registration) -> None:
        self._hub = hub
        self._registration = registration

    def get_consumer(self, stream_ctx: dict[str, Any], fl_ctx: Any) -> Any:
        """A consumer for a stream that begins."""
        site, job = peer_of(fl_ctx)
        if stream_ctx.pop(messages.MARK, None) is None:
            if PayloadKey.FILE_NAME in stream_ctx and PayloadKey.FILE_SIZE not in stream_ctx:
                _note_stock(stream_ctx, site)
            return self._plain(stream_ctx, fl_ctx, site)
        return FrameConsumer(Link(self._hub, site, job, stream_ctx, fl_ctx.get_peer_context()))

    def _plain(self, stream_ctx: dict[str, Any], fl_ctx: Any, site: str) -> Any:
        factory = self._registration.factory
        try:
            consumer = factory.get_consumer(stream_ctx, fl_ctx)
            if consumer is None:
                raise TypeError(f"{type(factory).__name__} made no consumer")
        except Exception:
            logger.exception("a stream of %s cannot begin", printable(site))
            return FailedConsumer()
        return PlainConsumer(consumer, self._registration)

    def return_consumer(self, consumer: Any, stream_ctx: dict[str, Any], fl_ctx: Any) -> None:
        """The stream is over."""
        if isinstance(consumer, PlainConsumer):
            self._registration.factory.return_consumer(consumer.consumer, stream_ctx, fl_ctx)


def _note_stock(stream_ctx: dict[str, Any], site: str) -> None:
    title = printable(f"{stream_ctx.get(PayloadKey.FILE_NAME, '')} of {site}")
    logger.info("%s comes from NVFlare's own sender: no checksums, no resume", title)


def _failure() -> Any:
    return make_reply(ReturnCode.EXECUTION_EXCEPTION, {messages.REACHED: True})


def _seconds(value: Any) -> float | None:
    """A header that is a number of seconds."""
    return float(value) if isinstance(value, int | float) and 0 < value < 3600 else None


def peer_of(fl_ctx: Any) -> tuple[str, str]:
    """(site, job) of the authenticated sender, "unknown" where the engine does not know."""
    peer = fl_ctx.get_peer_context()
    if peer is None:
        return "unknown", "unknown"
    return str(peer.get_identity_name(default="") or "unknown"), str(peer.get_job_id(default="") or "unknown")


class StoredConsumerFactory(ConsumerFactory):
    """For a receiver that stores: NVFlare's own senders are given a link to the hub as well."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def get_consumer(self, stream_ctx: dict[str, Any], fl_ctx: Any) -> Any:
        """A consumer for a stream that begins."""
        site, job = peer_of(fl_ctx)
        link = Link(self._hub, site, job, stream_ctx)
        if stream_ctx.pop(messages.MARK, None) is not None:
            return FrameConsumer(link)
        _note_stock(stream_ctx, site)
        return ChunkConsumer(link, str(stream_ctx.get(PayloadKey.FILE_NAME, "")))
