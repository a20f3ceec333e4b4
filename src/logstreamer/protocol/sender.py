"""SenderProtocol: the sending end of one stream to one receiver."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import xxhash

from logstreamer.errors import LocalProtocolError, RemoteProtocolError
from logstreamer.protocol.backoff import Backoff
from logstreamer.protocol.codec import checksum
from logstreamer.protocol.frames import (
    MAX_NAME,
    VERSION,
    Abort,
    Accept,
    Ack,
    Data,
    Eof,
    Frame,
    Heartbeat,
    Kind,
    Open,
    Reason,
    Reject,
    Reply,
    Segment,
    StreamKey,
)
from logstreamer.protocol.window import MAX_WINDOW, SendWindow


class SenderState(enum.Enum):
    """Where the sending end of a stream is."""

    DETACHED = "detached"  # no connection
    OPENING = "opening"  # Open sent, no answer yet
    WAITING = "waiting"  # turned away for now, Open will be sent again
    STREAMING = "streaming"
    ENDING = "ending"  # Eof sent, not yet confirmed
    DONE = "done"
    FAILED = "failed"


_OVER = frozenset({SenderState.DONE, SenderState.FAILED})

ALLOWED: dict[SenderState, frozenset[type[Frame]]] = {
    SenderState.DETACHED: frozenset(),
    SenderState.OPENING: frozenset({Accept, Reject, Ack, Reply, Abort}),
    SenderState.WAITING: frozenset({Accept, Reject, Ack, Reply, Abort}),
    SenderState.STREAMING: frozenset({Accept, Ack, Reply, Abort}),
    SenderState.ENDING: frozenset({Accept, Ack, Reply, Abort}),
    SenderState.DONE: frozenset({Accept, Reject, Ack, Reply, Abort}),
    SenderState.FAILED: frozenset({Accept, Reject, Ack, Reply, Abort}),
}
"""Which frames a receiver may send in which state of ours. Frames that crossed ours on the way (an Ack that met our
second Open, anything after the end) are allowed and have no effect; whatever is not listed is a RemoteProtocolError."""

MIN_HEARTBEAT = 0.01
"""Least seconds between two heartbeats, however impatient the receiver says it is."""

TRANSIENT = frozenset({"TIMEOUT", "COMMUNICATION_ERROR"})
"""Return codes of Abort after which the stream goes on in a new run: the receiver had not heard us for too long, or has
to look anew at what it holds."""


@dataclass(frozen=True, slots=True)
class Positioned:
    """The receiver's copy ends at *accept.offset*, outside of what we hold: read from there on."""

    accept: Accept


@dataclass(frozen=True, slots=True)
class Resumed:
    """The receiver continues within what we hold; the missing part is on its way already."""

    accept: Accept


@dataclass(frozen=True, slots=True)
class Replied:
    """The reply to a message of an "objects" stream."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Finished:
    """The receiver has confirmed the end of the stream."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The stream is over without having reached its end."""

    rc: str
    reason: str


Event = Positioned | Resumed | Replied | Finished | Failed


class SenderProtocol:
    """The sending end of one stream to one receiver: what to send, resend and wait for.

    Frames come in by `receive`, go out by `next_frame`; times are monotonic seconds given by the caller.

    Args:
        key: which stream this is.
        new_run: makes a name nobody else has, for each run.
        jitter: numbers in [0, 1), e.g. random.random.
        liveness_interval: the longest silence before a heartbeat (> 0).
        reply_timeout: how long the receiver may say nothing while something is due before Open is sent again (> 0).
    """

    def __init__(
        self,
        key: StreamKey,
        *,
        new_run: Callable[[], str],
        jitter: Callable[[], float],
        liveness_interval: float = 10.0,
        reply_timeout: float = 5.0,
        kind: Kind = "log",
        meta: dict[str, Any] | None = None,
        encodings: Sequence[str] = (),
    ) -> None:
        self.key = key
        self.run = new_run()
        self.state = SenderState.DETACHED
        self.window = SendWindow()
        self.encoding = ""
        self.trouble = ""  # why the receiver takes nothing now, in its own words
        self.heartbeat_interval = liveness_interval
        self._new_run = new_run
        self._kind: Kind = kind
        self._meta = meta or {}
        self._encodings = list(encodings)
        self._liveness_interval = liveness_interval
        self._reply_timeout = reply_timeout
        self._out: deque[Frame] = deque()
        self._placed = False  # an Accept has said where the stream begins for us
        self._segments = 0
        self._attempt = 0
        self._introduced = False  # an Open has left on this connection; nothing may go before it
        self._eof = False
        self._reply_due = False
        self._next_reply = 0
        self._digest: xxhash.xxh3_128 | None = None
        self._digest_start = 0
        self._backoff = Backoff(0.1, 2.0, jitter)
        self._resync = Backoff(reply_timeout, 8 * reply_timeout, lambda: 0.0, factor=2.0)
        self._reopen_at: float | None = None
        self._silent_until: float | None = None  # when the receiver's silence becomes too long
        self._last_beat = 0.0

    # -- the connection

    def attach(self, now: float) -> None:
        """A connection is there: open the stream on it."""
        if self.state in _OVER:
            return
        if self.state is not SenderState.DETACHED:
            raise LocalProtocolError(f"attached twice, in state {self.state.value}")
        self._backoff.reset()
        self._open(now)

    def detach(self) -> None:
        """The connection is gone; what was in flight is sent again on the next one, as far as it is missing there."""
        self._out.clear()
        self._introduced = False
        self._reopen_at = self._silent_until = None
        if self.state not in _OVER:
            self.state = SenderState.DETACHED

    def _open(self, now: float) -> None:
        self._out.clear()
        self._attempt += 1
        self._out.append(
            Open(
                VERSION,
                self.key,
                self.run,
                self.window.acked,
                self.window.first_segment(self._segments),
                self._kind,
                self._meta,
                self._encodings,
                self._attempt,
            )
        )
        self.state = SenderState.OPENING
        self._reopen_at = None
        self._silent_until = now + self._resync.delay()

    # -- what the receiver says

    def receive(self, frame: Frame, now: float) -> Event | None:
        """Take one frame.

        Raises:
            RemoteProtocolError: the receiver may not send this now.
        """
        if type(frame) not in ALLOWED[self.state]:
            raise RemoteProtocolError(f"{type(frame).__name__} in state {self.state.value}")
        if self.state in _OVER:
            return None
        self._heard(now)
        match frame:
            case Accept():
                # One that answers an earlier Open tells of a place that may have been left since.
                expected = self.state is SenderState.OPENING and frame.attempt in (0, self._attempt)
                return self._accepted(frame, now) if expected else None
            case Reject():
                return self._rejected(frame, now)
            case Ack():
                return self._acked(frame)
            case Reply():
                return self._replied(frame)
            case Abort():
                return self._aborted(frame, now)
        raise LocalProtocolError(f"no rule for {type(frame).__name__}")

    def _heard(self, now: float) -> None:
        if self._reply_due:
            return  # acks of our heartbeats do not bring back a Reply that was lost
        self._resync.reset()
        if self._silent_until is not None:
            self._silent_until = now + self._resync.delay()

    def _accepted(self, frame: Accept, now: float) -> Event:
        self.state = SenderState.STREAMING
        self.trouble = ""
        self.encoding = frame.encoding if frame.encoding in self._encodings else ""
        # Rule 7: three heartbeats within the receiver's patience, so that a single late one never looks like death.
        limit = frame.idle_timeout / 3 if frame.idle_timeout > 0 else self._liveness_interval
        self.heartbeat_interval = max(MIN_HEARTBEAT, min(self._liveness_interval, limit))
        self._last_beat = now
        self._backoff.reset()
        if self._placed and self.window.continues(frame, self._segments):
            self.window.ack(frame.offset)
            self.window.limit = min(frame.window, MAX_WINDOW)
            self._out.extend(self.window.unacked(frame.segments))
            self._rebase_digest(frame)
            if self._eof:
                self._queue_eof()
            return Resumed(frame)
        self._placed, self._eof = True, False
        self._segments = frame.segments
        self.window = SendWindow(frame.offset, min(frame.window, MAX_WINDOW))
        self._digest = None
        self._rebase_digest(frame)
        return Positioned(frame)

    def _rebase_digest(self, frame: Accept) -> None:
        """Let the digest cover [frame.run_start, sent): Eof's digest is of the bytes of the receiver's run."""
        if self._digest is not None and self._digest_start == frame.run_start:
            return
        self._digest, self._digest_start = None, frame.run_start
        if frame.run_start == frame.offset:
            self._digest = xxhash.xxh3_128()
            for held in self.window.unacked(self._segments):
                if isinstance(held, Data):
                    self._digest.update(held.payload)

    def _rejected(self, frame: Reject, now: float) -> Event | None:
        if not frame.transient:
            return self._fail(frame.rc, frame.reason)
        self.trouble = frame.reason
        if self.state is SenderState.OPENING:
            self._wait_to_reopen(now + self._backoff.delay())
        return None

    def _acked(self, frame: Ack) -> Event | None:
        if self.state not in (SenderState.STREAMING, SenderState.ENDING):
            return None
        self.window.ack(frame.offset)
        self.trouble = frame.trouble
        if frame.final:
            if self.state is not SenderState.ENDING or frame.offset != self.window.sent:
                raise RemoteProtocolError(f"final ack of {frame.offset} before the end at {self.window.sent}")
            self.state = SenderState.DONE
            self._silent_until = None
            return Finished()
        if self.window.in_flight == 0 and self.state is SenderState.STREAMING and not self._reply_due:
            self._silent_until = None
        return None

    def _replied(self, frame: Reply) -> Event | None:
        # After a reconnect the receiver repeats its last reply, which we may have had.
        if self.state is not SenderState.STREAMING or frame.index < self._next_reply:
            return None
        self._next_reply = frame.index + 1
        self._reply_due = False
        self._silent_until = None
        return Replied(frame)

    def _aborted(self, frame: Abort, now: float) -> Event | None:
        if frame.rc not in TRANSIENT or self._kind == "objects":
            return self._fail(frame.rc, frame.reason)
        self.run = self._new_run()
        self._wait_to_reopen(now + self._backoff.delay())
        return None

    def _wait_to_reopen(self, when: float) -> None:
        self._out.clear()
        self.state = SenderState.WAITING
        self._reopen_at, self._silent_until = when, None

    def _fail(self, rc: str, reason: str) -> Failed:
        self._out.clear()
        self.state = SenderState.FAILED
        self._reopen_at = self._silent_until = None
        return Failed(rc, reason)

    # -- what we say

    @property
    def room(self) -> int:
        """Bytes that `send_data` takes now; 0 when nothing may be sent."""
        return self.window.room if self.state is SenderState.STREAMING else 0

    @property
    def has_frames(self) -> bool:
        """Whether frames wait for the connection."""
        return bool(self._out)

    def send_segment(self, source: str, source_offset: int, reason: Reason, lost: int | None, detail: str) -> None:
        """The bytes that follow come from *source*, see `Segment`."""
        self._check_streaming("a segment")
        frame = Segment(self._segments, self.window.sent, source, source_offset, reason, lost, detail)
        self._segments += 1
        self.window.push(frame)
        self._out.append(frame)

    def send_data(self, payload: memoryview, now: float) -> None:
        """Send *payload* (1 .. MAX_PAYLOAD bytes, at most `room`), which is kept until it is acknowledged."""
        self._check_streaming("data")
        if not 0 < len(payload) <= self.room:
            raise LocalProtocolError(f"{len(payload)} bytes with room for {self.room}")
        frame = Data(self.window.sent, checksum(payload), self._segments, payload)
        if self._digest is not None:
            self._digest.update(payload)
        self.window.push(frame)
        self._out.append(frame)
        self._expect_answer(now)

    def send_heartbeat(self, behind: int, now: float) -> None:
        """Say that we live, and that *behind* more bytes (>= 0) could be read now than were sent."""
        if self.state not in (SenderState.STREAMING, SenderState.ENDING):
            raise LocalProtocolError(f"a heartbeat in state {self.state.value}")
        # It overtakes what waits for room, and tells of no more than has left.
        sent, segments = self._reached()
        self._out.appendleft(Heartbeat(sent, self.window.sent + behind, segments))
        self._last_beat = now
        if self.state is SenderState.ENDING and not any(isinstance(frame, Eof) for frame in self._out):
            self._queue_eof()  # a lost one would never be missed: its silence looks like a slow disk
        self._expect_answer(now)

    def send_eof(self, now: float) -> None:
        """The stream ends here; it is over when the receiver has confirmed it."""
        self._check_streaming("the end")
        self._eof = True
        self._queue_eof()
        self._expect_answer(now)

    def abort(self, rc: str, reason: str) -> None:
        """Give the stream up; the receiver is told if it can be. Nothing happens when it is over already."""
        if self.state in _OVER:
            return
        self._fail(rc, reason)
        if self._introduced:
            self._out.append(Abort(rc, reason[:MAX_NAME]))

    def close(self) -> None:
        """The stream is over by what both sides know: a Reply that wants no more."""
        self._out.clear()
        self.state = SenderState.DONE
        self._silent_until = None

    def expect_reply(self, now: float) -> None:
        """The receiver owes a Reply: its silence is watched from now on."""
        self._reply_due = True
        self._expect_answer(now)

    def next_frame(self) -> Frame | None:
        """The next frame for the connection, or None."""
        if not self._out or not self._may_leave(self._out[0]):
            return None
        frame = self._out.popleft()
        self._introduced = self._introduced or isinstance(frame, Open)
        return frame

    def _may_leave(self, frame: Frame) -> bool:
        # Only bytes sent again into a window that has shrunk may have to wait.
        return not isinstance(frame, Data) or frame.end - self.window.acked <= self.window.limit

    def _reached(self) -> tuple[int, int]:
        """Offset and number of segments behind the frames that have left."""
        offset, segments = self.window.sent, self._segments
        for frame in reversed(self._out):
            if isinstance(frame, Data):
                offset = frame.offset
            elif isinstance(frame, Segment):
                segments = frame.index
        return offset, segments

    def _queue_eof(self) -> None:
        self.state = SenderState.ENDING
        digest = self._digest.digest() if self._digest is not None else b""
        self._out.append(Eof(self.window.sent, digest, self._segments))

    def _expect_answer(self, now: float) -> None:
        if self._silent_until is None:
            self._silent_until = now + self._resync.delay()

    def _check_streaming(self, what: str) -> None:
        if self.state is not SenderState.STREAMING:
            raise LocalProtocolError(f"{what} in state {self.state.value}")

    # -- time

    @property
    def heartbeat_at(self) -> float | None:
        """When the next heartbeat is due; sooner while an answer is due, so that a living receiver can say so."""
        if self.state not in (SenderState.STREAMING, SenderState.ENDING):
            return None
        if self._silent_until is not None:
            return self._last_beat + min(self.heartbeat_interval, self._reply_timeout / 2)
        # The makers of objects beat for themselves: our beat would hide that one of them hangs.
        return self._last_beat + self.heartbeat_interval if self._kind == "log" else None

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called, or None."""
        when = self.heartbeat_at
        for other in (self._reopen_at, self._silent_until):
            if other is not None and (when is None or other < when):
                when = other
        return when

    def handle_timer(self, now: float) -> bool:
        """Do what is due at *now*; True asks the caller to call `send_heartbeat`."""
        if self._reopen_at is not None and now >= self._reopen_at:
            self._open(now)
        elif self._silent_until is not None and now >= self._silent_until:
            # Nothing came although something is due: a frame was lost on the way. Open asks where the receiver is.
            self._open(now)
        beat = self.heartbeat_at
        return beat is not None and now >= beat
