"""ReceiverProtocol: the receiving end of one run of a stream."""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass

from logstreamer.errors import LocalProtocolError, RemoteProtocolError
from logstreamer.protocol.codec import checksum
from logstreamer.protocol.frames import (
    MAX_NAME,
    Abort,
    Accept,
    Ack,
    Data,
    Eof,
    Frame,
    Heartbeat,
    Reply,
    Segment,
    SegmentState,
)


class ReceiverState(enum.Enum):
    """Where the receiving end of a run is."""

    DETACHED = "detached"  # no connection; the idle clock runs on
    STREAMING = "streaming"
    ENDING = "ending"  # Eof came, what was received is not yet all durable
    OVER = "over"


ALLOWED: dict[ReceiverState, frozenset[type[Frame]]] = {
    ReceiverState.DETACHED: frozenset(),
    ReceiverState.STREAMING: frozenset({Segment, Data, Heartbeat, Eof, Abort}),
    ReceiverState.ENDING: frozenset({Segment, Data, Heartbeat, Eof, Abort}),
    ReceiverState.OVER: frozenset({Segment, Data, Heartbeat, Eof, Abort}),
}
"""Which frames a sender may send in which state of ours; anything else is a RemoteProtocolError.

ENDING allows what lies below the end (a resend after a cut); OVER swallows what crossed our last frame.
"""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a copy has come: durable bytes, number of segments, and the last of them."""

    durable: int = 0
    segments: int = 0
    segment: SegmentState | None = None


class ReceiverProtocol:
    """The receiving end of one run: what is taken, what is acknowledged, and when the sender counts as dead.

    The caller writes what `receive` returns, in order, and reports it by `written`. Times are monotonic seconds.

    Args:
        position: where the copy ends at the beginning of the run.
        run_start: where the run's bytes begin.
        window: most bytes received and not yet durable (>= 1).
        idle_timeout: seconds of silence that end the run; 0: none does.
    """

    def __init__(self, position: Position, *, run_start: int, window: int, idle_timeout: float, now: float) -> None:
        self.state = ReceiverState.DETACHED
        self.durable = self.received = position.durable
        self.segments = position.segments
        self.run_start = run_start
        self.window = window
        self.idle_timeout = idle_timeout
        self._idle_since = now
        self._busy = False
        self._out: deque[Frame] = deque()
        self._ack_due = False
        self._is_asked = False  # the sender waits for the ack that is due
        self._end: int | None = None
        self._trouble = ""

    # -- the connection

    def attach(self, segment: SegmentState | None, encoding: str, now: float, attempt: int = 0) -> None:
        """The sender opened the stream (again): tell it where to continue.

        Args:
            segment: the last segment of what is durable.
            encoding: how payloads shall be encoded.
            attempt: that of the Open this answers.
        """
        if self.state is ReceiverState.OVER:
            raise LocalProtocolError("a run that is over cannot be attached")
        self._out.clear()
        self._ack_due = False
        if self.state is ReceiverState.DETACHED:
            self.state = ReceiverState.STREAMING if self._end is None else ReceiverState.ENDING
        self._idle_since = now
        durable, start, segments = self.durable, self.run_start, self.segments
        self._out.append(Accept(durable, self.window, self.idle_timeout, start, segments, segment, encoding, attempt))

    def detach(self) -> None:
        """The connection is gone, or another one took over."""
        self._out.clear()
        if self.state is not ReceiverState.OVER:
            self.state = ReceiverState.DETACHED

    # -- what the sender says

    def receive(self, frame: Frame, now: float) -> Frame | None:
        """Take one frame; return what of it is new and has to be acted on, if anything.

        Raises:
            RemoteProtocolError: the sender may not send this now, or its bytes would leave a hole.
        """
        if type(frame) not in ALLOWED[self.state]:
            raise RemoteProtocolError(f"{type(frame).__name__} in state {self.state.value}")
        if self.state is ReceiverState.OVER:
            return None
        self._idle_since = now
        match frame:
            case Data():
                return self._data(frame)
            case Segment():
                return self._segment(frame)
            case Heartbeat():
                return self._heartbeat(frame)
            case Eof():
                return self._eof(frame)
            case Abort():
                self.state = ReceiverState.OVER
                return frame
        raise LocalProtocolError(f"no rule for {type(frame).__name__}")

    def _data(self, frame: Data) -> Data | None:
        if frame.offset > self.received:
            raise RemoteProtocolError(f"data at {frame.offset}, but nothing between {self.received} and there")
        if frame.end <= self.received:
            self._ack_due = self._is_asked = True
            return None
        if self._end is not None:
            raise RemoteProtocolError(f"data up to {frame.end} after the end at {self._end}")
        if frame.segments != self.segments:
            raise RemoteProtocolError(f"data of segment {frame.segments}, but {self.segments} arrived")
        if frame.end - self.durable > self.window:
            raise RemoteProtocolError(f"{frame.end - self.durable} bytes in flight, window {self.window}")
        if frame.offset < self.received:
            rest = frame.payload[self.received - frame.offset :]
            frame = Data(self.received, checksum(rest), frame.segments, rest)
        self.received = frame.end
        return frame

    def _segment(self, frame: Segment) -> Segment | None:
        if frame.index < self.segments:
            return None
        if frame.index > self.segments or frame.offset != self.received or self._end is not None:
            raise RemoteProtocolError(
                f"segment {frame.index} at {frame.offset}, expected {self.segments} at {self.received}"
            )
        self.segments += 1
        return frame

    def _heartbeat(self, frame: Heartbeat) -> Heartbeat:
        # Frames arrive in order, so a heartbeat that tells of bytes we have not seen means they were lost.
        if frame.sent > self.received:
            raise RemoteProtocolError(f"{frame.sent} bytes were sent, {self.received} arrived")
        self._check_segments(frame)
        self._ack_due = self._is_asked = True
        return frame

    def _check_segments(self, frame: Heartbeat | Eof) -> None:
        if frame.segments > self.segments:
            raise RemoteProtocolError(f"{frame.segments} segments were sent, {self.segments} arrived")

    def _eof(self, frame: Eof) -> Eof | None:
        if frame.offset != self.received:
            raise RemoteProtocolError(f"end at {frame.offset}, but {self.received} bytes arrived")
        self._check_segments(frame)
        if self._end is not None:
            self._ack_due = self._is_asked = True
            return None
        self._end = frame.offset
        self.state = ReceiverState.ENDING
        return frame

    # -- what became of it

    def written(self, offset: int) -> None:
        """Every byte below *offset* is durable now; the sender will be told."""
        if not self.durable <= offset <= self.received:
            raise LocalProtocolError(f"written up to {offset}, outside {self.durable}..{self.received}")
        self.durable = offset
        self._ack_due = True

    def stalled(self, trouble: str) -> None:
        """Nothing can be made durable for a while, because of *trouble*; "": it can again. The sender will be told."""
        if trouble != self._trouble:
            self._trouble = trouble[:MAX_NAME]
            self._ack_due = self._is_asked = True

    def busy(self) -> None:
        """Work for this run began (a callback, a slow disk): its time is not the sender's silence."""
        self._busy = True

    def idle(self, now: float) -> None:
        """The work is done: silence counts from here."""
        self._busy = False
        self.listens(now)

    def listens(self, now: float) -> None:
        """This side listens (again) since *now*: silence counts from there."""
        self._idle_since = max(self._idle_since, now)

    def reply(self, frame: Reply) -> None:
        """Answer one message of an "objects" stream."""
        if self.state in (ReceiverState.STREAMING, ReceiverState.ENDING):
            self._out.append(frame)

    def finished(self) -> None:
        """All up to the end is durable and checked: confirm it."""
        if self._end is None or self.durable != self._end:
            raise LocalProtocolError(f"finished at {self.durable}, the end is {self._end}")
        self._finish_with(Ack(self.durable, final=True))

    def abort(self, rc: str, reason: str) -> None:
        """End the run; the sender is told if it can be."""
        self._finish_with(Abort(rc, reason[:MAX_NAME]))

    def close(self) -> None:
        """End the run without a word: the sender knows from a Reply that wants no more."""
        self.state = ReceiverState.OVER
        self._ack_due = False

    def _finish_with(self, last: Frame) -> None:
        if self.state in (ReceiverState.STREAMING, ReceiverState.ENDING):
            self._out.append(last)
        self.close()

    def next_frame(self) -> Frame | None:
        """The next frame for the connection, or None. Acks are joined: only the newest is sent."""
        if self._out:
            return self._out.popleft()
        if self._ack_due and self.state in (ReceiverState.STREAMING, ReceiverState.ENDING):
            self._ack_due = self._is_asked = False
            return Ack(self.durable, trouble=self._trouble)
        return None

    @property
    def owes_ack(self) -> bool:
        """Whether more is durable than the sender was told."""
        return self._ack_due

    @property
    def may_wait(self) -> bool:
        """Whether nothing is to be said now but, at most, an ack that nobody asked for: a later one will do."""
        return self.state is ReceiverState.STREAMING and not self._out and not self._is_asked

    # -- time

    def get_timer(self) -> float | None:
        """When the sender will count as dead if nothing more comes, or None."""
        # After Eof nothing more is needed from the sender, connected or not: it cannot come too late.
        if self.idle_timeout <= 0 or self._busy or self._end is not None or self.state is ReceiverState.OVER:
            return None
        return self._idle_since + self.idle_timeout

    def is_dead(self, now: float) -> bool:
        """True when the sender has been silent for too long at *now*."""
        timer = self.get_timer()
        return timer is not None and now >= timer
