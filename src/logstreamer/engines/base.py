"""BaseEngine: everything of an engine but the connections."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import uuid
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Self

from logstreamer.apis.context import FLContext, Signal
from logstreamer.apis.shareable import Shareable
from logstreamer.apis.streaming import (
    ConsumerFactory,
    ObjectProducer,
    PayloadKey,
    StreamableEngine,
    StreamContextKey,
    StreamDoneCallback,
)
from logstreamer.engines.channel import Channel
from logstreamer.engines.following import Following
from logstreamer.engines.object_lane import ObjectLane
from logstreamer.engines.object_stream import ObjectStream
from logstreamer.engines.pump import Pump
from logstreamer.errors import ConfigError, EngineError, LocalProtocolError
from logstreamer.follow_spec import FollowSpec
from logstreamer.objects import encode_shareable
from logstreamer.protocol.codec import encode
from logstreamer.protocol.frames import VERSION, Kind, Open, StreamKey
from logstreamer.protocol.sender import SenderProtocol
from logstreamer.receiver import OpenSink, Receiver
from logstreamer.sender import Sender
from logstreamer.sink_table import SinkTable
from logstreamer.sinks import Registration
from logstreamer.tail.wakeup import create_wakeup

logger = logging.getLogger(__name__)

ABORT_POLL_SECONDS = 0.25
"""How soon a raised abort signal of the receiving run ends its streams."""

MAX_META = 32 << 10
"""Most bytes of a stream context on the wire."""

_LOCAL_KEYS = {
    StreamContextKey.CHANNEL,
    StreamContextKey.TOPIC,
    StreamContextKey.RC,
    StreamContextKey.END_STREAM,
    PayloadKey.STREAM_DONE_CB,
}


class BaseEngine(StreamableEngine):
    """One site's engine: a loop in a thread, a receiver, and a channel for each target.

    A context manager; leaving it ends what is under way.

    Args:
        site: the name of this side.
        abort_signal: of the run this engine belongs to: when it is raised, streams that arrive here end as aborted,
            and those sent from here send what there is and end.
        loop_factory: makes the event loop; asyncio's own by default.
    """

    def __init__(
        self,
        site: str,
        *,
        abort_signal: Signal | None = None,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        self.site = site
        self.pump = Pump(f"logstreamer-{site}", loop_factory)
        self.sinks = SinkTable(self._peer_context)
        self.receiver = Receiver(
            self.sinks.open,
            runner=self.pump,
            clock=self.pump.now,
            later=self.pump.call,
            watch=self.pump.set_alarm,
        )
        self._abort_signal = abort_signal
        self._channels: dict[str, Channel] = {}
        self._followings: set[Following] = set()
        self._object_streams: set[ObjectStream] = set()
        self._keys: Counter[StreamKey] = Counter()
        self._is_closing = False
        self._wakeup = create_wakeup()
        self.pump.ask(self._start)

    def _start(self) -> None:
        descriptor = self._wakeup.fileno()
        if descriptor is not None:
            self.pump.loop.add_reader(descriptor, self._wakeup.drain)
        self.pump.spawn(self._housekeeping())

    async def _housekeeping(self) -> None:
        while True:
            await asyncio.sleep(ABORT_POLL_SECONDS)
            self._wakeup.refresh()
            if self._abort_signal is not None and self._abort_signal.triggered:
                self.receiver.abort_all("the run was aborted")

    # -- contexts

    def new_context(self, job_id: str | None = None, abort_signal: Signal | None = None) -> FLContext:
        """A context for calls at this side; *abort_signal* defaults to the engine's."""
        return FLContext(self, self.site, job_id, abort_signal or self._abort_signal)

    def _peer_context(self, site: str, job: str) -> FLContext:
        peer = FLContext(None, site, job or None)
        return FLContext(self, self.site, job or None, self._abort_signal, peer)

    # -- receiving

    def register_stream_processing(
        self,
        channel: str,
        topic: str,
        factory: ConsumerFactory,
        stream_done_cb: StreamDoneCallback | None = None,
        consumed_cb: Callable[..., Any] | None = None,
        **cb_kwargs: Any,
    ) -> None:
        """See `StreamableEngine`.

        Raises:
            TypeError: an argument is of the wrong type.
        """
        _check_str("channel", channel)
        _check_str("topic", topic)
        if not isinstance(factory, ConsumerFactory):
            raise TypeError(f"factory must be ConsumerFactory but got {type(factory).__name__}")
        for name, callback in (("stream_done_cb", stream_done_cb), ("consumed_cb", consumed_cb)):
            if callback is not None and not callable(callback):
                raise TypeError(f"{name} must be callable but got {type(callback).__name__}")
        registration = Registration(factory, stream_done_cb, consumed_cb, cb_kwargs)
        self.pump.ask(lambda: self.sinks.register(channel, topic, registration))

    def take_other_streams(self, open_sink: OpenSink) -> None:
        """Let *open_sink* take every stream that nobody registered for."""
        self.pump.ask(lambda: self.sinks.take_others(open_sink))

    # -- sending

    def stream_objects(
        self,
        channel: str,
        topic: str,
        stream_ctx: dict[str, Any],
        targets: Sequence[str],
        producer: ObjectProducer,
        fl_ctx: FLContext,
        optional: bool = False,
        secure: bool = False,
    ) -> tuple[str, Any]:
        """See `StreamableEngine`. A producer with a `FollowSpec` as its attribute `follow` is never asked to produce.

        Raises:
            TypeError: an argument is of the wrong type.
            ConfigError: no target, an unknown one, or a stream context that cannot travel.
            EngineError: *secure*, and the way to a target is not; or the engine is shut down.
        """
        stream_ctx = {} if stream_ctx is None else stream_ctx
        if not isinstance(producer, ObjectProducer):
            raise TypeError(f"producer must be ObjectProducer but got {type(producer).__name__}")
        _check_str("channel", channel)
        _check_str("topic", topic)
        stream_ctx[StreamContextKey.CHANNEL], stream_ctx[StreamContextKey.TOPIC] = channel, topic
        job = fl_ctx.get_job_id() or ""
        spec = getattr(producer, "follow", None)
        if isinstance(spec, FollowSpec):
            name = str(stream_ctx.get(PayloadKey.FILE_NAME) or os.path.basename(spec.path))
            key = StreamKey(channel, topic, job, _text(name), _text(os.path.abspath(spec.path)))
            following = self.follow(
                spec, key, targets, stream_ctx, fl_ctx.get_run_abort_signal(), optional=optional, secure=secure
            )
            try:
                return following.result()
            except BaseException:  # KeyboardInterrupt: a stream that nobody waits for must not go on
                self.pump.call(lambda: following.abandon("interrupted"))
                raise
        key = StreamKey(channel, topic, job, _text(str(stream_ctx.get(PayloadKey.FILE_NAME, ""))), uuid.uuid4().hex)
        meta = self._check_stream(key, "objects", targets, stream_ctx, secure)
        stream = self.pump.ask(lambda: self._object_stream(key, targets, meta, producer, stream_ctx, fl_ctx))
        try:
            return stream.run()
        finally:
            self.pump.call(lambda: self._object_streams.discard(stream))

    def _object_stream(
        self,
        key: StreamKey,
        targets: Sequence[str],
        meta: dict[str, Any],
        producer: ObjectProducer,
        stream_ctx: dict[str, Any],
        fl_ctx: FLContext,
    ) -> ObjectStream:
        lanes = [
            (ObjectLane(target, self._protocol(key, "objects", meta, target)), self._channel(target))
            for target in targets
        ]
        stream = ObjectStream(self.pump, lanes, producer, stream_ctx, fl_ctx)
        self._object_streams.add(stream)
        return stream

    def follow(
        self,
        spec: FollowSpec,
        key: StreamKey,
        targets: Sequence[str],
        stream_ctx: dict[str, Any] | None = None,
        abort_signal: Signal | None = None,
        *,
        optional: bool = False,
        secure: bool = False,
    ) -> Following:
        """Follow a file and send it to *targets*, without waiting for its end: see `Following.result`.

        Raises:
            ConfigError, EngineError: as in `stream_objects`.
        """
        meta = self._check_stream(key, "log", targets, stream_ctx or {}, secure)
        return self.pump.ask(lambda: self._follow(spec, key, targets, meta, abort_signal, optional))

    def _follow(
        self,
        spec: FollowSpec,
        key: StreamKey,
        targets: Sequence[str],
        meta: dict[str, Any],
        abort_signal: Signal | None,
        optional: bool,
    ) -> Following:
        sender = Sender(spec, abort_signal, self.pump.now())
        wire_key = self._claim(key)

        def on_over(following: Following) -> None:
            self._followings.discard(following)
            self._keys[wire_key] -= 1
            if self._keys[wire_key] == 0:
                del self._keys[wire_key]

        following = Following(sender, self.pump, self._wakeup, optional, on_over)
        lanes = {}
        for target in targets:
            protocol = self._protocol(wire_key, "log", meta, target, spec)
            lanes[sender.add_lane(target, protocol, following.lane_over)] = self._channel(target)
        self._followings.add(following)
        following.start(lanes)
        return following

    def _claim(self, key: StreamKey) -> StreamKey:
        """*key*, told apart from the streams of the same file that are under way here."""
        number = 1
        claimed = key
        while self._keys[claimed] > 0:
            number += 1
            claimed = StreamKey(key.channel, key.topic, key.job, key.name, f"{key.source}#{number}")
        self._keys[claimed] += 1
        return claimed

    def _protocol(
        self, key: StreamKey, kind: Kind, meta: dict[str, Any], target: str, spec: FollowSpec | None = None
    ) -> SenderProtocol:
        spec = spec or FollowSpec("")
        return SenderProtocol(
            key,
            new_run=lambda: uuid.uuid4().hex,
            jitter=random.random,
            liveness_interval=spec.liveness_interval,
            reply_timeout=spec.chunk_timeout,
            kind=kind,
            meta=meta,
            encodings=self._encodings(target),
        )

    def _check_stream(
        self, key: StreamKey, kind: Kind, targets: Sequence[str], stream_ctx: dict[str, Any], secure: bool
    ) -> dict[str, Any]:
        if isinstance(targets, str) or not targets:
            raise ConfigError(f"targets must be a list of at least one site but got {targets!r}")
        if len(set(targets)) < len(targets):
            raise ConfigError(f"targets must differ but got {list(targets)}")
        for target in targets:
            self._check_target(target, secure)
        meta = {key: value for key, value in stream_ctx.items() if key not in _LOCAL_KEYS}
        if isinstance(name := meta.get(PayloadKey.FILE_NAME), str):
            meta[PayloadKey.FILE_NAME] = _text(name)
        size = len(encode_shareable(Shareable(meta)))
        if size > MAX_META:
            raise ConfigError(f"a stream context of {size} bytes is larger than {MAX_META}")
        try:
            encode(0, Open(VERSION, key, uuid.uuid4().hex, kind=kind, meta=meta))
        except LocalProtocolError as error:
            raise ConfigError(f"a stream that cannot be opened: {error}") from error
        return meta

    def _channel(self, target: str) -> Channel:
        return self.pump.ask(lambda: self._channel_on_loop(target))

    def _channel_on_loop(self, target: str) -> Channel:
        if self._is_closing:
            raise EngineError("the engine is shut down")
        channel = self._channels.get(target)
        if channel is None:
            channel = self._channels[target] = Channel(target, self.pump)
            self.pump.spawn(self._connect(channel))
        return channel

    def trouble(self, target: str) -> str:
        """Why nothing goes to *target* now, for a person; "" while it is connected or was not needed yet."""
        channel = self._channels.get(target)
        return channel.trouble if channel is not None and not channel.is_connected else ""

    @abstractmethod
    def _check_target(self, target: str, secure: bool) -> None:
        """Raise ConfigError for an unknown target, EngineError where *secure* cannot be kept."""

    @abstractmethod
    async def _connect(self, channel: Channel) -> None:
        """Connect *channel* to its target, again and again, until cancelled."""

    def _encodings(self, target: str) -> Sequence[str]:
        """Payload encodings worth their time on the way to *target*."""
        return ()

    # -- the end

    def shutdown_streamer(self) -> None:
        """End the streams under way as aborted, tell their callbacks, stop the loop. Idempotent."""
        self.pump.stop(self._wind_up)

    async def _wind_up(self) -> None:
        self._is_closing = True
        for following in list(self._followings):
            following.abandon("the engine is shut down")
        for stream in self._object_streams:
            stream.abandon("the engine is shut down")
        # The last words still go out, and users' callbacks get their last call.
        for _ in range(100):
            self.receiver.abort_all("the engine is shut down")  # again: others may have been opened since
            if not any(self.receiver.live()):
                break
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        descriptor = self._wakeup.fileno()
        if descriptor is not None:
            self.pump.loop.remove_reader(descriptor)
        self._wakeup.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.shutdown_streamer()


def _check_str(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be str but got {type(value).__name__}")


def _text(name: str) -> str:
    """*name* with undecodable bytes as escapes: what travels has to be UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
