"""Lane: one target of a followed file."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from typing import Any

from logstreamer.apis.shareable import ReturnCode, Shareable, make_reply
from logstreamer.crash import reach
from logstreamer.drain import Drain
from logstreamer.follow_spec import FollowSpec
from logstreamer.protocol.frames import MAX_PAYLOAD, Accept, Frame
from logstreamer.protocol.sender import (
    Event,
    Failed,
    Finished,
    Positioned,
    Resumed,
    SenderProtocol,
    SenderState,
)
from logstreamer.tail.cursor import Cursor
from logstreamer.tail.follower import Follower
from logstreamer.tail.types import Fingerprint, ResumePoint, SegmentStart

logger = logging.getLogger(__name__)

LEFT = "left open, to be continued"
NEVER_THERE = "there never was such a file"

GIVE_UP_SECONDS = 30.0
"""How long after the stop a target may make no progress before what it lacks is given up and reported."""

SMALL_CHUNK = 64 << 10


class LaneState(enum.Enum):
    """What a person wants to know of one target."""

    CONNECTING = "connecting"
    OPENING = "opening"
    SENDING = "sending"
    DONE = "done"
    FAILED = "failed"


class Lane:
    """One target of a followed file: its cursor in the file, its protocol, its outcome.

    Args:
        follower: of the file; shared by its lanes, and not closed here.
        on_over: called once, when the outcome is known.
    """

    def __init__(
        self,
        spec: FollowSpec,
        follower: Follower,
        target: str,
        protocol: SenderProtocol,
        on_over: Callable[[Lane], None],
    ) -> None:
        self.target = target
        self.protocol = protocol
        self.outcome: Shareable | None = None
        self.reason = ""
        self.gaps, self.lost = 0, 0  # how many, and how many bytes are known to be lost in them
        self.obstacle = ""  # what the target, which answers, has done instead of taking the stream: for `reason`
        self._unread = ""  # why the stream ended without all of the file
        self._spec = spec
        self._follower = follower
        self._on_over = on_over
        self._cursor: Cursor | None = None
        self._drain: Drain | None = None  # from the stop on
        self._look_again_at: float | None = None
        self._progress_at = 0.0
        self._lowered = False
        self._leaving: tuple[str, str] | None = None  # all was sent; this is said, and no end, when it is acknowledged

    @property
    def encoding(self) -> str:
        """How payloads are encoded on the wire."""
        return self.protocol.encoding

    @property
    def may_send(self) -> bool:
        """False: `next_frame` would find nothing now."""
        if self._drain is not None or self._cursor is None or self.protocol.has_frames:
            return True
        return not self._cursor.is_at_end

    @property
    def state(self) -> LaneState:
        """Where this target is."""
        match self.protocol.state:
            case SenderState.DETACHED:
                return LaneState.CONNECTING
            case SenderState.OPENING | SenderState.WAITING:
                return LaneState.OPENING
            case SenderState.DONE:
                return LaneState.DONE
            case SenderState.FAILED:
                return LaneState.FAILED
        return LaneState.SENDING

    @property
    def behind(self) -> int:
        """Bytes known to exist and not yet sent."""
        return self._cursor.behind if self._cursor is not None else 0

    @property
    def acked(self) -> int:
        """Bytes of the stream that are durable at the target."""
        return self.protocol.window.acked

    @property
    def trouble(self) -> str:
        """Why the target, which can be reached, takes nothing now; "" where it does."""
        return self.protocol.trouble if self.state is not LaneState.CONNECTING else ""

    @property
    def undelivered(self) -> int:
        """Bytes known to exist and not durable at the target."""
        return self.behind + self.protocol.window.in_flight

    # -- the engine's side: a session on the connection to the target

    def attach(self, now: float) -> None:
        """A connection is there."""
        self.protocol.attach(now)

    def detach(self) -> None:
        """The connection is gone."""
        self.protocol.detach()

    def receive(self, frame: Frame, now: float) -> None:
        """Take one frame from the target.

        Raises:
            RemoteProtocolError: the target may not send this now.
        """
        acked = self.protocol.window.acked
        event = self.protocol.receive(frame, now)
        if self.protocol.window.acked != acked:
            reach("sender.acked")
        if self.protocol.window.acked != acked or event is not None:
            self._progress_at = now
        if event is not None:
            self._happened(event, now)
        self._leave_when_stored()

    def _happened(self, event: Event, now: float) -> None:
        match event:
            case Positioned(accept):
                self._position(accept, now)
                self._say_lowered(accept)
            case Resumed(accept):
                self._say_lowered(accept)
            case Finished() if self._unread:
                self._end(make_reply(ReturnCode.ERROR, {"reason": self._unread}), self._unread)
            case Finished():
                self._end(make_reply(ReturnCode.OK), "")
            case Failed(rc, reason):
                self._end(make_reply(rc, {"reason": reason}), reason)

    def _position(self, accept: Accept, now: float) -> None:
        if refusal := self._spec.refusal:
            self.protocol.abort(ReturnCode.REFUSED, refusal)
            self._end(make_reply(ReturnCode.REFUSED, {"reason": refusal}), f"this site does not allow it: {refusal}")
            return
        if self._cursor is not None:
            self._cursor.close()
        reach("sender.placed")
        self._cursor = self._follower.cursor(_resume_point(accept), now)
        self._leaving = None
        if self._drain is not None:
            self._drain = self._new_drain(now)

    def _say_lowered(self, accept: Accept) -> None:
        if not self._lowered and self.protocol.heartbeat_interval < self._spec.liveness_interval:
            self._lowered = True
            logger.info(
                "%s to %s: a heartbeat every %.3g s, because the receiver waits %g s at most",
                self._spec.path,
                self.target,
                self.protocol.heartbeat_interval,
                accept.idle_timeout,
            )

    def next_frame(self, now: float) -> Frame | None:
        """The next frame for the target, read from the file when nothing else is due."""
        frame = self.protocol.next_frame()
        if frame is not None or self._cursor is None or self._leaving is not None or self.protocol.room == 0:
            return frame
        self._read(self._cursor, now)
        return self.protocol.next_frame()

    def _read(self, cursor: Cursor, now: float) -> None:
        if self._drain is not None and self._is_cut_off(self._drain, cursor, now):
            self._finish(cursor, now)
            return
        item = cursor.read(min(self._chunk_size(), MAX_PAYLOAD, self.protocol.room), now)
        if item is None:
            self._at_end(cursor, now)
            return
        self._look_again_at = None
        if self._drain is not None:
            self._drain.saw_data()
        if isinstance(item, SegmentStart):
            if item.lost != 0:
                self.gaps, self.lost = self.gaps + 1, self.lost + (item.lost or 0)
                logger.warning(
                    "%s: %s bytes lost: %s", self._spec.path, item.lost or "an unknown number of", item.detail
                )
            reach("sender.segment")
            self.protocol.send_segment(item.source, item.source_offset, item.reason, item.lost, item.detail)
        else:
            reach("sender.read")
            self.protocol.send_data(memoryview(item), now)

    def _chunk_size(self) -> int:
        spec = self._spec
        return min(spec.chunk_size, max(SMALL_CHUNK, self.protocol.window.limit // spec.chunk_parts))

    # -- the end

    def stop(self, now: float) -> None:
        """The file has got its last line, or will get few more."""
        self._progress_at = max(self._progress_at, now)
        self._drain = self._new_drain(now)

    def _new_drain(self, now: float) -> Drain:
        return Drain(now, self._spec.poll_interval, at_first_end=self._spec.stop_at_eof)

    def _is_cut_off(self, drain: Drain, cursor: Cursor, now: float) -> bool:
        if drain.needs_goal(now):
            drain.set_goal(self.protocol.window.sent + cursor.behind)
        return drain.is_cut_off(self.protocol.window.sent)

    def _at_end(self, cursor: Cursor, now: float) -> None:
        if self._drain is None:
            return
        # What cannot be looked at may hold bytes: "cannot see" is not "nothing there".
        wait = self._drain.saw_nothing(now, cursor.behind or int(self._follower.trouble is not None))
        if wait > 0:
            self._look_again_at = now + wait
        else:
            self._finish(cursor, now)

    def _finish(self, cursor: Cursor, now: float) -> None:
        self._look_again_at = None
        if self._never_was_there():
            self.abandon(ReturnCode.TASK_ABORTED, NEVER_THERE)
            return
        failure = self._spec.verdict() if self._spec.verdict is not None else ""
        if failure or self._spec.is_left_open:
            self._leaving = (ReturnCode.EXECUTION_EXCEPTION, failure) if failure else (ReturnCode.STOPPED, LEFT)
            self._leave_when_stored()
            return
        if cursor.behind:
            logger.warning("%s: ended while still written to, %d bytes not sent", self._spec.path, cursor.behind)
        trouble = self._follower.trouble
        if trouble is not None:
            self._unread = f"not all of it could be read: {trouble}"
            self.protocol.send_segment("", 0, "gap", None, self._unread)
        reach("sender.eof")
        self.protocol.send_eof(now)

    def _never_was_there(self) -> bool:
        follower = self._follower
        gone = not follower.exists and follower.trouble is None
        return self._spec.must_exist and gone and self.protocol.window.sent == 0

    def _leave_when_stored(self) -> None:
        # What was not read, or not written yet, is no loss here: the next sender begins where the copy ends.
        if self._leaving is not None and self.outcome is None and self.protocol.window.in_flight == 0:
            self.protocol.abort(*self._leaving)
            self._end(make_reply(ReturnCode.OK), "")

    def _end(self, outcome: Shareable, reason: str) -> None:
        if self.outcome is None:
            self.outcome, self.reason = outcome, reason
            self.close()
            self._on_over(self)

    def abandon(self, rc: str, reason: str) -> None:
        """Nobody sends any more: without an outcome yet, this target has failed."""
        if self.outcome is None:
            self.protocol.abort(rc, reason)
            self._end(make_reply(rc, {"reason": reason, "undelivered": self.undelivered}), reason)

    def close(self) -> None:
        """Let go of the file."""
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None

    # -- time

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called, or None."""
        if self.outcome is not None:
            return None
        times = [self.protocol.get_timer(), self._look_again_at, self._give_up_at()]
        return min((time for time in times if time is not None), default=None)

    def _give_up_at(self) -> float | None:
        return self._progress_at + GIVE_UP_SECONDS if self._drain is not None else None

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        give_up_at = self._give_up_at()
        if give_up_at is not None and now >= give_up_at:
            self._give_up(now)
            return
        if self._look_again_at is not None and now >= self._look_again_at:
            self._look_again_at = None
            self._follower.poll(now)
        if self.protocol.handle_timer(now):
            self.protocol.send_heartbeat(self.behind, now)

    def _give_up(self, now: float) -> None:
        if self._cursor is None:  # it was never reached, so nobody has counted yet what it lacks
            self._cursor = self._follower.cursor(None, now)
        is_away = self.state is LaneState.CONNECTING
        where = self.obstacle or ("could not be reached" if is_away else "acknowledged nothing")
        since = "" if self._spec.stop_at_eof else " after the stop"
        why = f" ({self.trouble})" if self.trouble else ""
        reason = f"{self.target} {where} for {GIVE_UP_SECONDS:g} s{since}{why}; {self.undelivered} bytes not delivered"
        self.abandon(ReturnCode.COMMUNICATION_ERROR, reason)

    def status(self) -> dict[str, Any]:
        """Numbers for a person: state, acked, behind."""
        return {"target": self.target, "state": self.state.value, "acked": self.acked, "behind": self.undelivered}


def _resume_point(accept: Accept) -> ResumePoint | None:
    """Where the receiver's copy ends, in the terms of our files; None: nowhere yet."""
    segment = accept.segment
    if segment is None:
        if accept.offset == 0:
            return None
        nothing = Fingerprint.of(b"")
        return ResumePoint("", 0, 0, nothing, nothing)
    return ResumePoint(
        source=segment.source,
        start=segment.source_offset,
        position=segment.source_offset + accept.offset - segment.offset,
        head=Fingerprint(segment.head_length, segment.head_digest),
        anchor=Fingerprint(segment.anchor_length, segment.anchor_digest),
    )
