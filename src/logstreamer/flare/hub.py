"""Hub: the receiving side of one NVFlare engine, where all its streams of frames meet."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import msgspec

from logstreamer.apis.context import FLContext
from logstreamer.apis.streaming import PayloadKey, StreamContextKey
from logstreamer.engines.pump import Pump
from logstreamer.flare.messages import MARK, SUCCEEDS
from logstreamer.inbound import Inbound
from logstreamer.outlet import FrameSource
from logstreamer.protocol.frames import Abort, Accept, Ack, Data, Eof, Frame, Heartbeat, Open, Reject, StreamKey
from logstreamer.receiver import EndStream, Receiver
from logstreamer.sink_table import SinkTable
from logstreamer.sinks import Registration, Sink

logger = logging.getLogger(__name__)

HOUSEKEEPING_SECONDS = 0.25

SOME_PEERS = 64
"""Contexts that may be kept beside those of the streams that live."""

OpenSink = Callable[[str, Open, EndStream], Sink]

_LOCAL_KEYS = frozenset(
    {
        MARK,
        SUCCEEDS,
        StreamContextKey.CHANNEL,
        StreamContextKey.TOPIC,
        StreamContextKey.RC,
        StreamContextKey.END_STREAM,
        PayloadKey.STREAM_DONE_CB,
    }
)


class Hub:
    """A receiver on a loop of its own; NVFlare's threads bring messages and wait for the answers.

    Args:
        engine: NVFlare's.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = weakref.ref(engine)
        self._peers: dict[tuple[str, str], Any] = {}
        self._most_peers = SOME_PEERS
        self._stores: dict[tuple[str, str], OpenSink] = {}
        self._ending: set[Link] = set()
        self._begun: dict[str, set[str]] = {}  # by running job: the sites that have opened a stream
        self.pump = Pump("logstreamer-flare")
        self.sinks = SinkTable(self._context)
        self.receiver = Receiver(
            self._open_sink,
            runner=self.pump,
            clock=self.pump.now,
            later=self.pump.call,
            watch=self.pump.set_alarm,
        )
        self.pump.ask(lambda: self.pump.spawn(self._housekeeping()))

    def register(self, channel: str, topic: str, registration: Registration) -> None:
        """*registration* takes the streams of *channel* and *topic* that open from now on."""
        self.pump.ask(lambda: self.sinks.register(channel, topic, registration))

    def store(self, channel: str, topic: str, open_sink: OpenSink) -> None:
        """*open_sink* takes them, before any registration."""
        self.pump.ask(lambda: self._stores.__setitem__((channel, topic), open_sink))

    def stored_by(self, channel: str, topic: str) -> OpenSink | None:
        """Who takes them so now."""
        return self.pump.ask(lambda: self._stores.get((channel, topic)))

    def _open_sink(self, site: str, frame: Open, end_stream: EndStream) -> Sink:
        if frame.key.job in self._begun:
            self._begun[frame.key.job].add(site)
        open_sink = self._stores.get((frame.key.channel, frame.key.topic), self.sinks.open)
        return open_sink(site, frame, end_stream)

    def _context(self, site: str, job: str) -> FLContext:
        engine = self._engine()
        peer = self._peers.get((site, job))
        context: Any = engine.new_context() if engine is not None else None
        if context is not None and peer is not None:
            context.set_peer_context(peer)
        ours: FLContext = context
        return ours

    def remember(self, site: str, job: str, peer: Any) -> None:
        """*peer* is the authenticated context of *site* in *job*, one of whose streams opens now; on the loop."""
        if len(self._peers) >= self._most_peers:  # now and then, and not with each: streams that are over are forgotten
            live = {(inbound.site, inbound.key.job) for inbound in self.receiver.live()}
            self._peers = {key: peer for key, peer in self._peers.items() if key in live}
            self._most_peers = 2 * len(self._peers) + SOME_PEERS
        self._peers[site, job] = peer

    # -- runs of this process, and the ends of streams

    def begin_run(self, job: str) -> None:
        """From now on it is noted which sites open streams of *job*."""
        self.pump.ask(lambda: self._begun.setdefault(job, set()))

    def end_run(self, job: str) -> None:
        """It was of interest till here."""
        self.pump.ask(lambda: self._begun.pop(job, None))

    def have_begun(self, job: str) -> frozenset[str] | None:
        """The sites that have opened a stream of *job*; None: it does not run here."""
        return self.pump.ask(lambda: frozenset(self._begun[job]) if job in self._begun else None)

    async def _housekeeping(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            now = self.pump.now()
            for link in [link for link in self._ending if link.has_ended(now)]:
                self._ending.discard(link)
                link.finish()

    def ending(self, link: Link) -> None:
        """The process behind *link* may be gone before it can say so."""
        self._ending.add(link)

    def not_ending(self, link: Link) -> None:
        """Its stream is over."""
        self._ending.discard(link)

    def live(self, job: str | None) -> int:
        """How many stored streams (of *job*, where one is given) are not over.

        Each ends with its sender's last word, or with its idle timeout.
        """

        def count() -> int:
            keys = [inbound.key for inbound in self.receiver.live()]
            return sum((key.channel, key.topic) in self._stores and job in (None, key.job) for key in keys)

        return self.pump.ask(count)


class Link:
    """One transaction of NVFlare's: the connection of one stream, as the receiver sees it. An `Outlet`.

    Args:
        site: who sends, as the engine authenticated it.
        job: the job it sends for.
        stream_ctx: the stream's context, from the peer.
        peer: the context of *site*, for callbacks; None: nobody asks for it.
    """

    is_patient = False

    def __init__(self, hub: Hub, site: str, job: str, stream_ctx: dict[str, Any], peer: Any = None) -> None:
        self.site = site
        self.heard_at = time.monotonic()
        self.patience: float | None = None
        self._hub = hub
        self._job = job
        self._stream_ctx = stream_ctx
        self._peer = peer
        self._source: FrameSource | None = None
        self._news = threading.Event()
        self._key: StreamKey | None = None
        self.is_over = False
        self.trouble = ""  # why nothing is stored at the moment

    # -- an Outlet, on the hub's loop

    def ready(self, stream: int, source: FrameSource) -> None:
        """*source* may have frames."""
        self._source = source
        self._news.set()

    # -- NVFlare's side, on its threads

    def exchange(self, frames: list[Frame], within: float, patience: float | None = None) -> list[Frame]:
        """Give *frames* to the receiver and wait, at most *within* seconds, for what it has to say.

        Args:
            patience: of a sender whose process is ending: see `messages.ENDING`.

        Raises:
            RemoteProtocolError: the sender broke the protocol.
        """
        goal = _Goal(frames)
        answers: list[Frame] = []
        self._hub.pump.ask(lambda: self._receive(frames, patience))
        due = time.monotonic() + within
        while True:
            self._news.clear()
            answers += self._hub.pump.ask(lambda: self._answers(goal))
            left = due - time.monotonic()
            if goal.is_reached or left <= 0:
                return answers
            self._news.wait(left)

    def _receive(self, frames: list[Frame], patience: float | None) -> None:
        self.heard_at = self._hub.pump.now()
        for frame in frames:
            self._hub.receiver.receive(self, 0, self._opening(frame) if isinstance(frame, Open) else frame)
        self.patience = patience
        if patience is not None:
            self._hub.ending(self)
        else:
            self._hub.not_ending(self)

    def _opening(self, frame: Open) -> Open:
        """*frame* with what the engine knows in place of what the payload says."""
        if self._peer is not None:
            self._hub.remember(self.site, self._job, self._peer)
        channel, topic = self._stream_ctx[StreamContextKey.CHANNEL], self._stream_ctx[StreamContextKey.TOPIC]
        self._key = StreamKey(channel, topic, self._job, frame.key.name, frame.key.source)
        former = self._hub.receiver.find(self.site, self._key)
        if self._stream_ctx.get(SUCCEEDS) and former is not None and former.outlet not in (None, self):
            self._hub.receiver.connection_lost(former.outlet)
        return msgspec.structs.replace(frame, key=self._key, meta=_portable(self._stream_ctx))

    def _answers(self, goal: _Goal) -> list[Frame]:
        answers = []
        while self._source is not None and (frame := self._source.next_frame(self._hub.pump.now())) is not None:
            goal.saw(frame)
            if isinstance(frame, Ack):
                self.is_over, self.trouble = self.is_over or frame.final, frame.trouble
            answers.append(frame)
        return answers

    def lost(self) -> None:
        """The transaction is over."""
        self._hub.pump.call(lambda: self._hub.receiver.connection_lost(self))

    def end(self, rc: str, reason: str) -> None:
        """The stream is over, if it still is this link's."""

        def end() -> None:
            inbound = self._inbound()
            if inbound is not None:
                inbound.end(rc, reason)

        self._hub.pump.call(end)

    def close(self, rc: str, reason: str) -> None:
        """The stream is over, if it still is this link's, when all that came before is stored; and so is the link."""

        def close() -> None:
            inbound = self._inbound()
            if inbound is not None:
                inbound.receive(Abort(rc, reason)) if inbound.protocol is not None else inbound.end(rc, reason)
            self._hub.receiver.connection_lost(self)

        self._hub.pump.call(close)

    def _inbound(self) -> Inbound | None:
        inbound = self._hub.receiver.find(self.site, self._key) if self._key is not None else None
        return inbound if inbound is not None and inbound.outlet is self else None

    def has_ended(self, now: float) -> bool:
        """Whether the silence of a process that was about to end means that it has."""
        return self.patience is not None and now - self.heard_at > self.patience

    def finish(self) -> None:
        """The sender's process said that it may end, and nothing came after: this was the end."""
        inbound = self._inbound()
        if inbound is None or inbound.protocol is None:
            return
        with contextlib.suppress(Exception):
            inbound.receive(Eof(inbound.protocol.received, b"", inbound.protocol.segments))


class _Goal:
    """What a reply should bring: the acknowledgement of all that came, or the word that ends it."""

    def __init__(self, frames: list[Frame]) -> None:
        self._offset = max((frame.end for frame in frames if isinstance(frame, Data)), default=0)
        self._final = any(isinstance(frame, Eof) for frame in frames)
        self._opens = any(isinstance(frame, Open) for frame in frames)
        answered = (Open, Data, Heartbeat, Eof)
        self.is_reached = not any(isinstance(frame, answered) for frame in frames)

    def saw(self, frame: Frame) -> None:
        """*frame* is part of the reply."""
        if isinstance(frame, Abort | Reject | Accept):
            self.is_reached = True
        elif isinstance(frame, Ack) and not self._opens:
            self.is_reached = frame.final or (frame.offset >= self._offset and not self._final)


def _portable(stream_ctx: dict[str, Any]) -> dict[str, Any]:
    """Those items of a stream context that a frame may carry."""
    found = {}
    for key, value in stream_ctx.items():
        if (
            isinstance(key, str)
            and key not in _LOCAL_KEYS
            and isinstance(value, str | int | float | bool | bytes | list | dict | None)
        ):
            found[key] = value
    return found


_hubs: weakref.WeakKeyDictionary[Any, Hub] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def hub_of(engine: Any) -> Hub:
    """The hub of *engine*; made when first asked for."""
    with _lock:
        hub = _hubs.get(engine)
        if hub is None:
            hub = _hubs[engine] = Hub(engine)
        return hub
