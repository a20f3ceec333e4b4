"""Receiver: every stream that arrives at this side, from its opening to its end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from logstreamer.apis.shareable import ReturnCode
from logstreamer.attempts import Runner
from logstreamer.errors import RemoteProtocolError
from logstreamer.inbound import Inbound
from logstreamer.outlet import Farewell, Outlet
from logstreamer.pauses import Pauses
from logstreamer.protocol.frames import VERSION, Frame, Open, Reject, StreamKey
from logstreamer.sinks import Sink

logger = logging.getLogger(__name__)

WINDOW_BUDGET = 256 << 20
"""Bytes in flight towards one receiver, shared among its streams."""

MAX_WINDOW = 4 << 20
MIN_WINDOW = 64 << 10

MAX_STREAMS = 20_000
"""Most live runs of one receiver; further ones are asked to come back later."""

EndStream = Callable[[str, object], None]
OpenSink = Callable[[str, Open, EndStream], Sink]
"""`open_sink(site, frame, end_stream)`: a sink for one run; it may raise NotReady or a StoreError in `begin`."""

StreamId = tuple[str, StreamKey]


class Receiver:
    """The table of live runs: attaches connections to them and fences older ones off.

    Lives on the engine's loop.

    Args:
        open_sink: who takes a stream.
        later: runs a function on the engine's loop, from any thread.
        watch: looks at the timer of a run (again): its `handle_timer` is called when it asks for it.
    """

    def __init__(
        self,
        open_sink: OpenSink,
        *,
        runner: Runner,
        clock: Callable[[], float],
        later: Callable[[Callable[[], None]], None],
        watch: Callable[[Inbound | Pauses], None],
    ) -> None:
        self._open_sink = open_sink
        self._runner = runner
        self._clock = clock
        self._later = later
        self._watch = watch
        self._live: dict[StreamId, Inbound] = {}
        self._pauses = Pauses(clock, lambda: bool(self._live))
        self._waiting: dict[StreamId, tuple[Outlet, int, Open]] = {}  # Opens that wait for an older run's end
        self._on_outlet: dict[Outlet, dict[int, Inbound]] = {}
        self._opened: dict[Outlet, int] = {}  # the highest stream id each connection has opened

    # -- connections and frames

    def receive(self, outlet: Outlet, stream: int, frame: Frame) -> None:
        """Take one frame of one connection.

        Raises:
            RemoteProtocolError: the peer broke the protocol; the connection has to be closed.
        """
        if isinstance(frame, Open):
            self._open(outlet, stream, frame)
            return
        if stream > self._opened.get(outlet, -1):
            raise RemoteProtocolError(f"{type(frame).__name__} for stream {stream}, which was never opened")
        # Frames for a stream that is over, or that another connection holds now, crossed our last one on the way.
        inbound = self._on_outlet.get(outlet, {}).get(stream)
        if inbound is not None and inbound.is_on(outlet, stream):
            inbound.receive(frame)

    def connection_lost(self, outlet: Outlet) -> None:
        """A connection is gone; its streams wait for the next one."""
        self._opened.pop(outlet, None)
        for key in [key for key, waiting in self._waiting.items() if waiting[0] is outlet]:
            del self._waiting[key]
        for inbound in self._on_outlet.pop(outlet, {}).values():
            inbound.detach(outlet)
            self._watch(inbound)

    def _open(self, outlet: Outlet, stream: int, frame: Open) -> None:
        if frame.version != VERSION:
            reason = f"this receiver speaks version {VERSION} of the protocol, not {frame.version}"
            Farewell(Reject(ReturnCode.BAD_REQUEST_DATA, reason)).say(outlet, stream)
            return
        self._opened[outlet] = max(stream, self._opened.get(outlet, -1))
        key = (outlet.site, frame.key)
        inbound = self._live.get(key)
        if inbound is not None and self._is_spent(inbound, frame):
            self._waiting[key] = (outlet, stream, frame)
            inbound.end(ReturnCode.TASK_ABORTED, "its sender began anew")
            return
        if inbound is not None and inbound.is_held_against(frame.run):
            reason = "another sender of this site is sending this stream"
            Farewell(Reject(ReturnCode.ERROR, reason, transient=True)).say(outlet, stream)
            return
        if inbound is None:
            if len(self._live) >= MAX_STREAMS:
                Farewell(Reject(ReturnCode.ERROR, "too many streams", transient=True)).say(outlet, stream)
                return
            inbound = self._live[key] = self._new_inbound(outlet.site, frame)
            self._watch(self._pauses)
        self._on_outlet.setdefault(outlet, {})[stream] = inbound
        inbound.open(outlet, stream, frame)

    @staticmethod
    def _is_spent(inbound: Inbound, frame: Open) -> bool:
        """Whether *frame* needs a run of its own: the old one is over, or its objects cannot be made again."""
        return inbound.rc is not None or (
            "objects" in (inbound.kind, frame.kind) and inbound.run not in ("", frame.run)
        )

    def _new_inbound(self, site: str, frame: Open) -> Inbound:
        inbound: Inbound

        def end_stream(rc: str, fl_ctx: object = None) -> None:
            self._later(lambda: inbound.end(rc, "ended by the consumer"))

        share = WINDOW_BUDGET // (len(self._live) + 1)
        inbound = Inbound(
            site,
            frame,
            self._open_sink(site, frame, end_stream),
            runner=self._runner,
            window=max(MIN_WINDOW, min(MAX_WINDOW, share)),
            clock=self._clock,
            on_change=self._watch,
            on_over=self._over,
            resumed=self._pauses.resumed,
        )
        return inbound

    def _over(self, inbound: Inbound) -> None:
        key = (inbound.site, inbound.key)
        self._watch(inbound)
        if self._live.get(key) is inbound:
            del self._live[key]
            if not self._live:
                self._watch(self._pauses)
        streams = self._on_outlet.get(inbound.outlet, {}) if inbound.outlet is not None else {}
        if streams.get(inbound.stream) is inbound:
            del streams[inbound.stream]
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            self._open(*waiting)

    # -- all of them

    def find(self, site: str, key: StreamKey) -> Inbound | None:
        """The run of *key* from *site* that is not over, if there is one."""
        return self._live.get((site, key))

    def live(self) -> Iterable[Inbound]:
        """The runs that are not over."""
        return self._live.values()

    def resumed(self) -> float:
        """When this side last went on after a pause in which it heard nobody (monotonic seconds)."""
        return self._pauses.resumed()

    def leave_all(self) -> None:
        """This side goes away for a while: forget every run without ending it, so that its sender comes back to it.

        The sinks are told nothing; who opened what is behind them closes it.
        """
        self._live.clear()
        self._waiting.clear()
        self._on_outlet.clear()

    def abort_all(self, reason: str) -> None:
        """End every run as aborted; each stream's callback is told."""
        for inbound in list(self._live.values()):
            inbound.end(ReturnCode.TASK_ABORTED, reason)
