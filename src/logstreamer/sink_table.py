"""SinkTable: who takes which stream at this side, and how far the streams that nobody stores have come."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from logstreamer.apis.context import FLContext
from logstreamer.apis.shareable import ReturnCode
from logstreamer.errors import EngineError
from logstreamer.protocol.frames import Data, Eof, Heartbeat, Open, Segment, StreamKey
from logstreamer.protocol.receiver import Position
from logstreamer.receiver import EndStream, OpenSink
from logstreamer.sinks import GO_ON, Begun, ConsumerSink, NotReady, Registration, Sink, Verdict
from logstreamer.trace import CopyTrace

FAREWELL_SECONDS = 30.0
"""How long a sender may take to hear once more that its stream is finished."""

REMEMBERED = 10_000
"""How many ended streams are remembered, the latest ones."""

Key = TypeVar("Key")
Value = TypeVar("Value")
StreamId = tuple[str, StreamKey]


class SinkTable:
    """Registrations by channel and topic, and what has to be remembered between two runs of a stream.

    Args:
        new_context: `new_context(site, job)`: the FLContext for a stream of the authenticated *site*.
    """

    def __init__(self, new_context: Callable[[str, str], FLContext]) -> None:
        self._new_context = new_context
        self._registrations: dict[tuple[str, str], Registration] = {}
        self._others: OpenSink | None = None
        self._broken_off: Recent[StreamId, CopyTrace] = Recent(REMEMBERED)
        self._finished: Recent[tuple[StreamId, str], Position] = Recent(REMEMBERED)

    def register(self, channel: str, topic: str, registration: Registration) -> None:
        """*registration* takes the streams of *channel* and *topic* that open from now on."""
        self._registrations[channel, topic] = registration

    def take_others(self, open_sink: OpenSink) -> None:
        """*open_sink* takes the streams that nobody registered for."""
        self._others = open_sink

    def open(self, site: str, frame: Open, end_stream: EndStream) -> Sink:
        """The sink for one run."""
        stream = (site, frame.key)
        finished = self._finished.get((stream, frame.run))
        if finished is not None:
            return FinishedSink(finished)
        registration = self._registrations.get((frame.key.channel, frame.key.topic))
        if registration is not None:
            return self._consumer_sink(stream, frame, registration, end_stream)
        if self._others is not None:
            return self._others(site, frame, end_stream)
        return AbsentSink(f"nobody is registered for channel {frame.key.channel!r} and topic {frame.key.topic!r} yet")

    def _consumer_sink(
        self, stream: StreamId, frame: Open, registration: Registration, end_stream: EndStream
    ) -> ConsumerSink:
        trace = self._broken_off.pop(stream) if frame.kind == "log" else None
        if trace is None:
            trace = CopyTrace(frame.offset, frame.segments)

        def on_end(run: str, rc: str) -> None:
            if rc == ReturnCode.OK:
                self._finished.put((stream, run), trace.position())
            elif rc != ReturnCode.EXECUTION_EXCEPTION:  # what a callback could not take, it gets from the beginning
                self._broken_off.put(stream, trace)

        return ConsumerSink(registration, trace, self._new_context(*_names(stream)), end_stream, on_end)


def _names(stream: StreamId) -> tuple[str, str]:
    site, key = stream
    return site, key.job


class Recent(Generic[Key, Value]):
    """A dict of the latest *most* entries."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[Key, Value] = OrderedDict()

    def put(self, key: Key, value: Value) -> None:
        """Remember *value*; forget the oldest entry where there are too many."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def get(self, key: Key) -> Value | None:
        """The value, if it is still remembered."""
        return self._entries.get(key)

    def pop(self, key: Key) -> Value | None:
        """The value, if it is still remembered; it no longer is."""
        return self._entries.pop(key, None)


class FinishedSink:
    """Confirms once more the end of a run whose last acknowledgement was lost."""

    blocking = False

    def __init__(self, position: Position) -> None:
        self._position = position

    def begin(self, frame: Open) -> Begun:
        return Begun(self._position, self._position.durable, FAREWELL_SECONDS)

    def position(self) -> Position:
        return self._position

    def segment(self, frame: Segment) -> Verdict:
        return self.data(frame)

    def data(self, frame: Data | Segment) -> Verdict:
        raise EngineError("the stream is finished")

    def commit(self) -> None:
        """Nothing was taken."""

    def heartbeat(self, frame: Heartbeat) -> Verdict:
        return GO_ON

    def eof(self, frame: Eof, run_start: int) -> Verdict:
        return GO_ON

    def end(self, rc: str, reason: str) -> None:
        """Nothing to let go of."""


class AbsentSink(FinishedSink):
    """Turns a stream away for now."""

    def __init__(self, reason: str) -> None:
        super().__init__(Position())
        self._reason = reason

    def begin(self, frame: Open) -> Begun:
        raise NotReady(self._reason)
