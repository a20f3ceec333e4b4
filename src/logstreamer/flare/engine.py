"""FlareEngine: an NVFlare engine as an engine of ours."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nvflare.apis.fl_constant import ReservedKey
from nvflare.apis.signal import Signal
from nvflare.fuel.utils import fobs

from logstreamer.apis.outcomes import Outcomes
from logstreamer.apis.shareable import ReturnCode, make_reply
from logstreamer.apis.streaming import (
    ConsumerFactory,
    ObjectProducer,
    PayloadKey,
    StreamableEngine,
    StreamContextKey,
    StreamDoneCallback,
)
from logstreamer.engines.base import MAX_META
from logstreamer.errors import ConfigError, EngineError
from logstreamer.flare.carrier import Carrier
from logstreamer.flare.consumers import FlareConsumerFactory
from logstreamer.flare.hub import hub_of
from logstreamer.flare.messages import MARK, STAND_IN
from logstreamer.flare.producers import FollowProducer, ObjectsProducer
from logstreamer.follow_spec import FollowSpec
from logstreamer.protocol.backoff import Backoff
from logstreamer.protocol.codec import ENCODINGS, encode
from logstreamer.protocol.frames import VERSION, Open, StreamKey
from logstreamer.protocol.sender import SenderProtocol
from logstreamer.sinks import Registration

logger = logging.getLogger(__name__)

FIRST_RETRY, LAST_RETRY = 0.2, 5.0
"""Seconds between two transactions of a stream, where the last one failed: the first pause and the longest."""

_LOCAL_KEYS = (StreamContextKey.RC, StreamContextKey.END_STREAM, PayloadKey.STREAM_DONE_CB, STAND_IN)


class FlareEngine(StreamableEngine):
    """What LogStreamer needs, on top of what an engine of NVFlare offers.

    Args:
        engine: NVFlare's: of the server or a client, of a job process or its parent.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine

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
        """See `StreamableEngine`; may be repeated, as NVFlare's own engines need it for each run."""
        registration = Registration(factory, stream_done_cb, consumed_cb, cb_kwargs)
        hub = hub_of(self._engine)
        hub.register(channel, topic, registration)
        self._engine.register_stream_processing(
            channel=channel, topic=topic, factory=FlareConsumerFactory(hub, registration)
        )

    # -- sending

    def stream_objects(
        self,
        channel: str,
        topic: str,
        stream_ctx: dict[str, Any],
        targets: Sequence[str],
        producer: ObjectProducer,
        fl_ctx: Any,
        optional: bool = False,
        secure: bool = False,
    ) -> tuple[str, Any]:
        """See `StreamableEngine`. A `JobEnd` as the stop event of a followed file ends it in two steps.

        Raises:
            ConfigError: no target, one that is no name, or a stream context that cannot travel.
            EngineError: *secure*, and NVFlare's cell has no certificates.
        """
        _check_targets(targets)
        stream_ctx[StreamContextKey.CHANNEL], stream_ctx[StreamContextKey.TOPIC] = channel, topic
        if secure and not self._keeps_secrets():
            raise EngineError("secure=True needs certificates, and this NVFlare cell runs without: nothing was sent")
        call = _Call(self._engine, channel, topic, stream_ctx, fl_ctx, optional, secure)
        spec = getattr(producer, "follow", None)
        if not isinstance(spec, FollowSpec):
            return call.objects(producer, list(targets))
        return call.follow(spec, producer, list(targets))

    def _keeps_secrets(self) -> bool:
        core = getattr(_cell(self._engine), "core_cell", None)
        return bool(getattr(core, "supports_secure_messages", lambda: True)())

    def shutdown_streamer(self) -> None:
        """NVFlare's engines end with their runs, not with ours."""


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of `stream_objects`, with its arguments."""

    engine: Any
    channel: str
    topic: str
    stream_ctx: dict[str, Any]
    fl_ctx: Any
    optional: bool
    secure: bool

    def objects(self, producer: Any, targets: list[str]) -> tuple[str, Any]:
        """Send what *producer* makes."""
        bridge = ObjectsProducer(producer)
        backoff = Backoff(FIRST_RETRY, LAST_RETRY, random.random)
        while True:
            rc, result = self._transaction(self.stream_ctx, targets, bridge, self.fl_ctx)
            if bridge.error is not None:
                raise bridge.error
            if not bridge.is_not_ready:
                return rc, result
            time.sleep(backoff.delay())

    def follow(self, spec: FollowSpec, producer: Any, targets: list[str]) -> tuple[str, Outcomes]:
        """Follow a file. Each target has transactions of its own, so that the trouble of one is not another's."""
        found: dict[str, Any] = {}
        key = self._key(spec)
        _check_meta(key, self._portable_ctx())
        key = _claim(key)

        def one(target: str) -> None:
            try:
                found[target] = self._follow_one(spec, producer, target, key)
            except Exception as error:  # its thread's last words
                logger.exception("%s to %s failed", spec.path, target)
                found[target] = make_reply(ReturnCode.EXECUTION_EXCEPTION, {"reason": str(error)})

        others = [threading.Thread(target=one, args=(target,), name=f"logstreamer-{target}") for target in targets[1:]]
        for thread in others:
            thread.start()
        one(targets[0])
        for thread in others:
            thread.join()
        _release(key)
        outcomes = Outcomes({target: found[target] for target in targets})
        signal = self.fl_ctx.get_run_abort_signal()
        if signal is not None and signal.triggered:
            return ReturnCode.TASK_ABORTED, outcomes
        return (ReturnCode.OK if outcomes else ReturnCode.ERROR), outcomes

    def _follow_one(self, spec: FollowSpec, chunks: Any, target: str, key: StreamKey) -> Any:
        signal, stand_in = self.fl_ctx.get_run_abort_signal(), str(self.stream_ctx.get(STAND_IN, ""))
        carrier = Carrier(spec, target, _protocol(spec, key), signal, self._has_left, stand_in)
        plain = chunks.for_target(target, carrier.follower)
        producer = FollowProducer(carrier, plain, self.fl_ctx)
        backoff = Backoff(FIRST_RETRY, LAST_RETRY, random.random)
        said = ""
        try:
            while True:
                stream_ctx = {**self._portable_ctx(), MARK: VERSION}
                carrier.begin()
                acked = carrier.lane.acked
                _, result = self._transaction(stream_ctx, [carrier.address], producer, self._patient_context())
                carrier.end()
                if carrier.is_stock:
                    return self._plain_outcome(target, result)
                if carrier.lane.outcome is not None:
                    self._say_over(spec, carrier)
                    return carrier.lane.outcome
                if carrier.trouble != said:
                    said = carrier.trouble
                    logger.info("%s to %s: %s; trying again", spec.path, target, said)
                if carrier.lane.acked > acked:
                    backoff.reset()
                carrier.pause(backoff.delay())
                if carrier.lane.outcome is not None:
                    self._say_over(spec, carrier)
                    return carrier.lane.outcome
        finally:
            carrier.close()
            plain.close()

    def _say_over(self, spec: FollowSpec, carrier: Carrier) -> None:
        lane = carrier.lane
        if lane.reason:  # a line about a good end would be one more in a log that has just ended
            log = logger.info if self.optional else logger.error
            log("%s to %s: %s, %s", spec.path, carrier.target, lane.state.value, lane.reason)

    @staticmethod
    def _plain_outcome(target: str, result: Any) -> Any:
        outcome = result.get(target) if isinstance(result, dict) else None
        if outcome is None and isinstance(result, dict):
            outcome = next(iter(result.values()), None)
        return outcome if outcome is not None else make_reply(ReturnCode.ERROR, {"reason": "the stream failed"})

    def _portable_ctx(self) -> dict[str, Any]:
        """What travels of the stream's context."""
        stream_ctx = {key: value for key, value in self.stream_ctx.items() if key not in _LOCAL_KEYS}
        stream_ctx[PayloadKey.FILE_NAME] = _text(str(stream_ctx.get(PayloadKey.FILE_NAME, "")))
        return stream_ctx

    def _key(self, spec: FollowSpec) -> StreamKey:
        name = str(self.stream_ctx.get(PayloadKey.FILE_NAME) or os.path.basename(spec.path))
        job = str(self.fl_ctx.get_job_id() or "")
        return StreamKey(self.channel, self.topic, job, _text(name), _text(os.path.abspath(spec.path)))

    def _has_left(self) -> bool:
        return not getattr(getattr(_cell(self.engine), "core_cell", None), "running", True)

    def _patient_context(self) -> Any:
        """The caller's context, with an abort signal that is never raised: NVFlare's loop drops at once what is not
        sent yet when it sees one, and we send it."""
        patient = self.fl_ctx.clone()
        patient.put(key=ReservedKey.RUN_ABORT_SIGNAL, value=Signal(), private=True, sticky=False)
        return patient

    def _transaction(
        self, stream_ctx: dict[str, Any], targets: list[str], producer: Any, fl_ctx: Any
    ) -> tuple[str, Any]:
        done: tuple[str, Any] = self.engine.stream_objects(
            channel=self.channel,
            topic=self.topic,
            stream_ctx=stream_ctx,
            targets=targets,
            producer=producer,
            fl_ctx=fl_ctx,
            optional=self.optional,
            secure=self.secure,
        )
        return done


def _protocol(spec: FollowSpec, key: StreamKey) -> SenderProtocol:
    return SenderProtocol(
        key,
        new_run=lambda: uuid.uuid4().hex,
        jitter=random.random,
        liveness_interval=spec.liveness_interval,
        reply_timeout=spec.chunk_timeout,
        encodings=ENCODINGS,
    )


_claimed: set[StreamKey] = set()
_lock = threading.Lock()


def _claim(key: StreamKey) -> StreamKey:
    """*key*, told apart from the streams of the same file that are under way in this process."""
    with _lock:
        number, claimed = 1, key
        while claimed in _claimed:
            number += 1
            claimed = StreamKey(key.channel, key.topic, key.job, key.name, f"{key.source}#{number}")
        _claimed.add(claimed)
        return claimed


def _release(key: StreamKey) -> None:
    with _lock:
        _claimed.discard(key)


def _check_targets(targets: Sequence[str]) -> None:
    if isinstance(targets, str) or not targets:
        raise ConfigError(f"targets must be a list of at least one site but got {targets!r}")
    for target in targets:
        if not isinstance(target, str) or not target:
            raise ConfigError(f"a target must be the name of a site but got {target!r}")
    if len(set(targets)) < len(targets):
        raise ConfigError(f"targets must differ but got {list(targets)}")


def _check_meta(key: StreamKey, stream_ctx: dict[str, Any]) -> None:
    """A message that NVFlare cannot encode it drops, and the next try would be the same."""
    if not all(isinstance(name, str) for name in stream_ctx):
        raise ConfigError(f"a stream context that cannot be sent: its keys must be strings but are {list(stream_ctx)}")
    try:
        size = len(fobs.dumps(stream_ctx))
        encode(0, Open(VERSION, key, "", kind="log"))
    except Exception as error:  # whatever a decomposer raises
        raise ConfigError(f"a stream that cannot be opened: {error}") from error
    if size > MAX_META:
        raise ConfigError(f"a stream context of {size} bytes is larger than {MAX_META}")


def _cell(engine: Any) -> Any:
    return getattr(engine, "get_cell", lambda: None)()


def _text(name: str) -> str:
    """*name* with undecodable bytes as escapes: what travels has to be UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
