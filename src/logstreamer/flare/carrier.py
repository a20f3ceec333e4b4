"""Carrier: one followed file on its way to one target, over NVFlare's pull loop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from logstreamer.apis.shareable import ReturnCode
from logstreamer.errors import RemoteProtocolError
from logstreamer.flare import messages
from logstreamer.flare.job_end import JobEnd
from logstreamer.flare.pace import Pace
from logstreamer.follow_spec import FollowSpec
from logstreamer.lane import Lane
from logstreamer.protocol.codec import decode, encode
from logstreamer.protocol.frames import Frame
from logstreamer.protocol.sender import SenderProtocol, SenderState
from logstreamer.sender import Sender
from logstreamer.tail import Follower, create_wakeup
from logstreamer.tail.watching import Watching

logger = logging.getLogger(__name__)

MAX_BODY = 2 << 20
"""Encoded bytes after which no further frame joins a message: cellnet's cost is per message, up to about here."""

AWAITED_RETRY = 1.0
"""The longest pause in seconds before the next try, while the end of a run waits for the first answer."""

STOP_POLL = 0.2
"""Longest sleep in seconds: a stop that nobody can announce is seen this soon."""

ENDING_POLL = 0.02
ENDING_BEAT = 0.5
"""The same, and the pause between two heartbeats, while the process that writes the file ends."""

MAX_MISSES = 40
"""How often a target may be not ready before it is given up, if it has never answered: a minute and a half at least."""

OWN_MISSES = 5
"""How often nobody may be registered at a target before its stand-in is asked, by turns: a receiver may be late."""

MAX_ABORTS = 3
"""How often in a row a target may answer that its run is aborted before that is believed."""


class Carrier:
    """Steps a Lane when NVFlare asks for a message or has replies. One thread at a time uses it.

    Args:
        protocol: of the stream to *target*.
        abort_signal: of the sending run; what the file holds is still sent.
        has_left: whether this process has left NVFlare's network for good.
        stand_in: takes the stream if nobody is registered at *target*; "": nobody does.
        clock: monotonic seconds.

    Attributes:
        address: where the transaction under way goes: to the target, or to its stand-in.
    """

    def __init__(
        self,
        spec: FollowSpec,
        target: str,
        protocol: SenderProtocol,
        abort_signal: Any,
        has_left: Callable[[], bool] = lambda: False,
        stand_in: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target = self.address = target
        self._stand_in = stand_in
        self._is_unregistered = False  # nobody was registered at the address
        self.is_stock = False  # NVFlare's own receiver answered: it reads chunks only
        self.trouble = ""  # why the transaction under way is no good any more; "": it is
        self._clock = clock
        self._end = spec.stop_event if isinstance(spec.stop_event, JobEnd) else None
        self._has_left = has_left
        self._asked = 0
        self._beat_at = 0.0
        now = clock()
        self._sender = Sender(spec, abort_signal, now)
        self.lane: Lane = self._sender.add_lane(target, protocol, lambda lane: None)
        self._wakeup = create_wakeup()
        self._watching = Watching(self._sender.follower, self._wakeup, self._sender.wake)
        self._pace = Pace(now)
        self._contacted = False  # the target has answered, some time
        self._is_first = True
        self._misses = self._aborts = 0

    @property
    def reply_timeout(self) -> float:
        """How long the reply to a message may take, in seconds."""
        return float(self._sender.spec.chunk_timeout)

    @property
    def stopped(self) -> bool:
        """Whether the end has been asked for."""
        return self._sender.stopped_at is not None

    @property
    def is_over(self) -> bool:
        """Whether the stream has its outcome, and the target has been told of it as far as it can be."""
        return self.lane.outcome is not None and (bool(self.trouble) or not self.lane.protocol.has_frames)

    def begin(self) -> None:
        """A transaction begins: what NVFlare's engine calls a stream, and we a connection."""
        if self._is_unregistered and self._stand_in and not self._contacted and self._misses >= OWN_MISSES:
            self.address = self.target if self.address == self._stand_in else self._stand_in
        self.trouble, self._is_first, self._is_unregistered = "", True, False
        self.lane.attach(self._clock())

    def end(self) -> None:
        """The transaction is over."""
        self.lane.detach()

    def close(self) -> None:
        """Let go of the file."""
        self._stop_watching()
        self._sender.close()

    def _stop_watching(self) -> None:
        if self._end is not None:
            self._end.over()
        self._watching.close()
        self._wakeup.close()

    @property
    def follower(self) -> Follower:
        """Of the file; while no receiver of ours has answered, it holds all that was there since the start."""
        return self._sender.follower

    # -- out

    def next_message(self) -> Any:
        """The next message; blocks until there is one. None: the stream has its outcome and nothing is left to say."""
        while True:
            self._rest_in_peace()
            now = self._clock()
            self._step(now)
            frames = [] if self._must_wait(now) else self._collect(now)
            if frames:
                return self._message(frames)
            if self.lane.outcome is not None:
                return None
            self._note_delivered()
            self._sleep(now)

    def _rest_in_peace(self) -> None:
        """The process ends and its cell is gone. Every try, and the end of the transaction too, would put a line of
        NVFlare's into the log that has just been delivered; the receiver knows without us."""
        while self._end is not None and self._end.is_ending and self._has_left():
            self._end.over()
            time.sleep(1.0)

    @property
    def _is_ending(self) -> bool:
        return self._end is not None and self._end.is_ending

    def _note_delivered(self) -> None:
        if self._end is not None and self.lane.protocol.state is SenderState.STREAMING and not self.lane.undelivered:
            self._end.delivered(self._asked)

    def pause(self, seconds: float) -> None:
        """Wait between two transactions, at most *seconds*; the file is looked at all the same."""
        begun = self._clock()
        due = begun + seconds
        while (now := self._clock()) < due and self.lane.outcome is None:
            if self._end is not None and self._end.is_awaited and not self._contacted:
                due = min(due, begun + AWAITED_RETRY)
            self._step(now)
            self._wakeup.wait(min(due - now, STOP_POLL))

    def _step(self, now: float) -> None:
        self._asked = self._end.asked() if self._end is not None else 0
        due = self._sender.get_timer()
        if (due is not None and due <= now) or not self.stopped:
            self._sender.poll(now)
            if self._end is not None:
                self._end.follows()
        if self._is_ending and now >= self._beat_at and self.lane.protocol.state is SenderState.STREAMING:
            self._beat_at = now + ENDING_BEAT
            self.lane.protocol.send_heartbeat(self.lane.behind, now)
        due = self.lane.get_timer()
        if due is not None and due <= now:
            self.lane.handle_timer(now)

    def _must_wait(self, now: float) -> bool:
        if self.stopped or self._is_first or self._is_ending:
            return False
        return self._pace.is_early(now) and self.lane.behind < MAX_BODY

    def _collect(self, now: float) -> list[bytes]:
        frames: list[bytes] = []
        size = 0
        while size < MAX_BODY and (frame := self.lane.next_frame(now)) is not None:
            frames.append(encode(0, frame, self.lane.encoding))
            size += len(frames[-1])
        return frames

    def _message(self, frames: list[bytes]) -> Any:
        body = messages.pack(frames)
        make = messages.first_message if self._is_first else messages.frames_message
        self._is_first = False
        message = make(body)
        self._pace.sent(self._clock())
        message.set_header(messages.REPLY_WITHIN, self._sender.spec.chunk_timeout / 3)
        if self._end is not None and self._end.is_ending:
            message.set_header(messages.ENDING, self._end.patience)
        return message

    def _sleep(self, now: float) -> None:
        self._watching.update()
        self._wakeup.refresh()
        times = [now + (ENDING_POLL if self._is_ending else STOP_POLL), self._sender.get_timer(), self.lane.get_timer()]
        if self._must_wait(now):
            times.append(self._pace.next_at)
        due = min(when for when in times if when is not None)
        self._wakeup.wait(max(0.0, due - now))
        if self._must_wait(self._clock()):  # news of the file change nothing before that
            time.sleep(max(0.0, min(self._pace.next_at - self._clock(), STOP_POLL)))

    # -- in

    def take_reply(self, reply: Any) -> None:
        """Look at the target's reply to the last message; None: there was none. It may change every attribute."""
        self.lane.obstacle = ""
        if reply is None:
            self._fail_transaction("no reply")
            return
        rc, frames = str(reply.get_return_code(ReturnCode.OK)), messages.frames_of(reply)
        if frames is not None:
            self._note_contact()
            self._take_frames(frames)
        elif rc == ReturnCode.OK and not self._contacted:
            self._found_stock()
        else:
            self._refused(rc)

    def _note_contact(self) -> None:
        if not self._contacted and self.address != self.target:
            logger.info("%s takes the log: nobody is registered at %s", self.address, self.target)
        if not self._contacted and self._end is not None:
            self._end.taken(self.address, True)
        self._contacted, self._misses, self._aborts = True, 0, 0

    def _take_frames(self, data: bytes) -> None:
        now = self._clock()
        try:
            received: list[Frame] = [decode(message)[1] for message in messages.unpack(data)]
            for frame in received:
                self.lane.receive(frame, now)
        except RemoteProtocolError as error:
            self._fail_transaction(f"it broke the protocol ({error})")

    def _found_stock(self) -> None:
        self.is_stock = True
        if self._end is not None:
            self._end.taken(self.address, False)
        logger.info("%s has NVFlare's own receiver: no checksums, no resume", self.address)
        self._stop_watching()  # the producer of chunks goes on with the file

    def _refused(self, rc: str) -> None:
        self._is_unregistered = rc == ReturnCode.EXECUTION_EXCEPTION
        self.lane.obstacle = "had nobody registered" if self._is_unregistered else ""
        self._aborts = self._aborts + 1 if rc == ReturnCode.TASK_ABORTED else 0
        if self._aborts >= MAX_ABORTS:
            left = f"{self.lane.undelivered} bytes are" if self._contacted else "what it does not have is"
            self.lane.abandon(rc, f"the run of {self.target} was aborted; {left} not delivered")
        self._fail_transaction("nobody is registered there" if self._is_unregistered else f"it answered {rc}")

    def _fail_transaction(self, trouble: str) -> None:
        if not self._contacted:
            self._misses += 1
        if self._misses >= MAX_MISSES and self.lane.outcome is None:
            reason = f"{self.target} was not ready after {self._misses} tries ({trouble})"
            self.lane.abandon(ReturnCode.COMMUNICATION_ERROR, reason)
        self.trouble = trouble
