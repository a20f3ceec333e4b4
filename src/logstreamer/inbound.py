"""Inbound: one run of one stream at the receiver, over all its connections."""

from __future__ import annotations

import enum
import logging
import os
from collections import deque
from collections.abc import Callable, Sequence

from logstreamer import attempts
from logstreamer.apis.shareable import ReturnCode
from logstreamer.attempts import Runner, Work
from logstreamer.errors import NameRefused, RemoteProtocolError, StoreError, StreamRefused
from logstreamer.outlet import Farewell, Outlet
from logstreamer.pauses import dead_after
from logstreamer.printable import printable
from logstreamer.protocol.codec import ENCODINGS
from logstreamer.protocol.frames import Abort, Accept, Ack, Data, Eof, Frame, Heartbeat, Open, Reject, Reply
from logstreamer.protocol.receiver import ReceiverProtocol, ReceiverState
from logstreamer.sinks import Begun, NotReady, Sink, Verdict

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""How long after a failed write (the disk is full) the same bytes are tried again."""

ABANDONED_SECONDS = 60.0
"""How long an object stream without an idle clock waits for a lost sender: its consumer is finalized in any case."""

ACK_SECONDS = 0.01
"""How soon after an ack the next one goes, unless a quarter of the window waits for it."""


class InboundState(enum.Enum):
    """What is known of the sender of a run."""

    OPENING = "opening"
    ATTACHED = "attached"
    DETACHED = "detached"
    STALLED = "disk full"
    OVER = "over"


class Inbound:
    """One run: takes frames from whichever connection the sender has, feeds the sink in order, answers.

    Lives on the engine's loop; only the sink's methods run elsewhere, one at a time.

    Args:
        site: the authenticated sender.
        window: most bytes received and not yet taken by the sink.
        on_over: called once, when the sink has been told that the run is over.
        resumed: when this side last went on after a pause (monotonic seconds): silence is counted from there.
    """

    encoding = ""
    may_send = True

    def __init__(
        self,
        site: str,
        frame: Open,
        sink: Sink,
        *,
        runner: Runner,
        window: int,
        clock: Callable[[], float],
        on_change: Callable[[Inbound], None],
        on_over: Callable[[Inbound], None],
        resumed: Callable[[], float] = lambda: float("-inf"),
    ) -> None:
        self.site = site
        self.key = frame.key
        self.kind = frame.kind
        self._title = printable(f"{frame.key.name} of {site}")
        self.run = ""
        self.rc: str | None = None
        self.trouble = ""
        self.reach = 0  # how far the sender's file reaches, in bytes of the stream
        self.last_data: float | None = None
        self.last_beat: float | None = None
        self.protocol: ReceiverProtocol | None = None
        self._sink = sink
        self._runner = runner
        self._window = window
        self._clock = clock
        self._on_change = on_change
        self._on_over = on_over
        self.resumed = resumed
        self.outlet: Outlet | None = None
        self.stream = 0
        self._opening: Open | None = None  # the Open that is not answered yet
        self._rejection: Reject | None = None
        self._last_reply: Reply | None = None
        self._jobs: deque[Work] = deque()
        self.busy_since: float | None = None  # the sink works on something on a worker
        self._retry_at: float | None = None
        self._acked = (0, float("-inf"))  # what was acknowledged last, and when
        self._ack_at: float | None = None  # when the ack that waits has to go
        self._lost_at: float | None = None  # when the last connection went
        self._reason = ""
        self._last_words: Callable[[], None] | None = None

    @property
    def state(self) -> InboundState:
        """What is known of the sender."""
        if self.rc is not None:
            return InboundState.OVER
        if self.trouble:
            return InboundState.STALLED
        if self.protocol is None:
            return InboundState.OPENING
        detached = self.protocol.state is ReceiverState.DETACHED and self._opening is None
        return InboundState.DETACHED if detached else InboundState.ATTACHED

    # -- connections

    def open(self, outlet: Outlet, stream: int, frame: Open) -> None:
        """The sender is there on *outlet*. The newest connection wins, see `is_held_against` for whose it may be."""
        self._fence(outlet, stream, frame.run)
        self.outlet, self.stream, self._opening = outlet, stream, frame
        self._lost_at = None
        self._work()

    def _fence(self, outlet: Outlet, stream: int, run: str) -> None:
        old, old_stream = self.outlet, self.stream
        if self.protocol is not None:
            self.protocol.detach()
        if old is not None and (old, old_stream) != (outlet, stream) and run != self.run:
            Farewell(Abort(ReturnCode.TASK_ABORTED, "another sender took this stream over")).say(old, old_stream)

    def is_held_against(self, run: str) -> bool:
        """Whether another sender than that of *run* has this stream, and is alive.

        Where two machines give themselves one name, the second would otherwise continue the copy of the first.
        """
        if self.outlet is None or self.protocol is None or self.run == run:
            return False
        assert self.last_beat is not None
        heard = max(self.last_beat, self.resumed())
        return self.busy_since is not None or self._clock() < heard + dead_after(self.protocol.idle_timeout)

    def is_on(self, outlet: Outlet, stream: int) -> bool:
        """Whether frames for *stream* of *outlet* are ours, or those of somebody who was fenced off."""
        return self.outlet is outlet and self.stream == stream

    def detach(self, outlet: Outlet) -> None:
        """A connection is gone."""
        if self.outlet is outlet:
            self.outlet = self._opening = self._ack_at = None
            self._lost_at = self._clock()
            if self.protocol is not None:
                self.protocol.detach()

    def receive(self, frame: Frame) -> None:
        """Take one frame from the sender.

        Raises:
            RemoteProtocolError: the sender may not send this now.
        """
        if isinstance(frame, Abort) and self._opening is not None:
            self._opening = None  # given up before it was answered: whatever is at work here ends after it
            self.end(frame.rc, frame.reason)
            return
        if self.protocol is None or self._opening is not None:
            raise RemoteProtocolError(f"{type(frame).__name__} before the stream was accepted")
        now = self._clock()
        self.last_beat = now
        news = self.protocol.receive(frame, now)
        if isinstance(news, Work):
            self._note(news, now)
            # Behind other work a heartbeat tells the sink nothing, and a peer could pile them up without end.
            if not (isinstance(news, Heartbeat) and self._jobs):
                self._jobs.append(news)
        self._work()

    def _note(self, news: Work, now: float) -> None:
        if isinstance(news, Data):
            self.last_data = now
            self.reach = max(self.reach, news.end)
        elif isinstance(news, Heartbeat):
            self.reach = max(news.size, news.sent)

    def next_frame(self, now: float) -> Frame | None:
        """The next frame for the sender, if any."""
        if self._rejection is not None:
            rejection, self._rejection = self._rejection, None
            return rejection
        frame = self.protocol.next_frame() if self.protocol is not None else None
        if isinstance(frame, Ack | Accept):
            self._acked, self._ack_at = (frame.offset, now), None
        return frame

    def fail(self, error: Exception) -> None:
        """A step raised *error*."""
        self.end(ReturnCode.EXECUTION_EXCEPTION, f"{type(error).__name__}: {error}")

    def _flush(self) -> None:
        if self.outlet is None:
            self._ack_at = None
        elif self.protocol is not None and self._ack_can_wait(self.protocol):
            self._ack_at = self._acked[1] + ACK_SECONDS if self.protocol.owes_ack else None
        else:
            self.outlet.ready(self.stream, self)
        self._on_change(self)

    def _ack_can_wait(self, protocol: ReceiverProtocol) -> bool:
        """Whether there is nothing to say but an ack that joins a later one: each costs both sides a wake-up."""
        offset, when = self._acked
        return (
            self._rejection is None
            and self.outlet is not None
            and self.outlet.is_patient
            and protocol.may_wait
            and protocol.durable - offset < self._window // 4
            and self._clock() < when + ACK_SECONDS
        )

    # -- work for the sink

    def _work(self) -> None:
        """Give the sink what waits for it, as far as it can take it now."""
        while self._jobs and self.busy_since is None and self.rc is None and self._retry_at is None:
            if self._sink.blocking:
                self._submit()
            else:
                self._take(attempts.attempt_all(self._sink, [self._jobs.popleft()], self._run_start()))
        if self._opening is not None and self.busy_since is None and not self._jobs and self.rc is None:
            self._begin(self._opening)
        self._flush()

    def _submit(self) -> None:
        jobs, run_start = list(self._jobs), self._run_start()
        self._jobs.clear()
        self.busy_since = self._clock()
        if self.protocol is not None:
            self.protocol.busy()
        self._runner.submit(
            lambda: attempts.attempt_all(self._sink, jobs, run_start), lambda done: self._worked(jobs, done)
        )

    def _worked(self, jobs: list[Work], done: Sequence[tuple[Work, Verdict | Exception]]) -> None:
        self.busy_since = None
        self._jobs.extendleft(reversed(jobs[len(done) :]))
        if self.protocol is not None:
            self.protocol.idle(self._clock())
        if self.rc is not None:
            self._end_sink()
            return
        self._take(done)
        self._work()

    def _take(self, done: Sequence[tuple[Work, Verdict | Exception]]) -> None:
        for job, outcome in done:
            if isinstance(outcome, StoreError):
                self._stall(job, outcome)
            elif isinstance(outcome, Verdict) and outcome.again:
                self._jobs.appendleft(job)
                self._retry_at = self._clock()
            elif isinstance(outcome, Exception):
                logger.error("stream %s: the receiver's callback failed", self._title, exc_info=outcome)
                self.end(ReturnCode.EXECUTION_EXCEPTION, f"{type(outcome).__name__}: {outcome}")
            else:
                self._judge(job, outcome)

    def _judge(self, job: Work, verdict: Verdict) -> None:
        protocol = self.protocol
        assert protocol is not None
        self.trouble = ""
        protocol.stalled("")
        if isinstance(job, Data):
            protocol.written(job.end)
        if isinstance(job, Eof) and verdict.rc in (None, ReturnCode.OK):
            self.end(ReturnCode.OK, "", protocol.finished)
        elif isinstance(job, Abort):
            self.end(job.rc, job.reason)
        elif verdict.rc is not None and verdict.replies:
            self.end(verdict.rc, verdict.reason, lambda: self._reply_and_close(protocol, verdict.replies))
        elif verdict.rc is not None:
            self.end(verdict.rc, verdict.reason)
        else:
            self._reply(protocol, verdict.replies)

    def _reply(self, protocol: ReceiverProtocol, replies: Sequence[Reply]) -> None:
        for reply in replies:
            self._last_reply = reply
            protocol.reply(reply)

    def _reply_and_close(self, protocol: ReceiverProtocol, replies: Sequence[Reply]) -> None:
        self._reply(protocol, replies)
        protocol.close()  # the last reply has told the sender

    def _stall(self, job: Work, error: StoreError) -> None:
        if not self.trouble:
            logger.warning("stream %s waits: %s", self._title, printable(str(error)))
        self.trouble = str(error)
        if self.protocol is not None:
            self.protocol.stalled(os.strerror(error.errno) if error.errno else "the receiver's store has failed")
        self._jobs.appendleft(job)
        self._retry_at = self._clock() + RETRY_SECONDS

    def _run_start(self) -> int:
        return self.protocol.run_start if self.protocol is not None else 0

    # -- beginning and end

    def _begin(self, frame: Open) -> None:
        if frame.run == self.run and self.protocol is not None:
            self._attach(frame)
            return
        if not self._sink.blocking:
            self._begun(frame, attempts.begin(self._sink, frame))
            return
        self.busy_since = self._clock()
        self._runner.submit(lambda: attempts.begin(self._sink, frame), lambda begun: self._begun(frame, begun))

    def _begun(self, frame: Open, begun: Begun | Exception) -> None:
        self.busy_since = None
        if self.rc is not None:
            self._end_sink()
        elif isinstance(begun, Exception):
            self._reject(begun)
        else:
            self.run = frame.run
            now = self._clock()
            self.protocol = ReceiverProtocol(
                begun.position,
                run_start=begun.run_start,
                window=self._window,
                idle_timeout=begun.idle_timeout,
                now=now,
            )
            self.reach = max(self.reach, begun.position.durable)
            self._work()

    def _attach(self, frame: Open) -> None:
        assert self.protocol is not None
        now = self._clock()
        self._opening = None
        self.last_beat = now
        self.encoding = next((name for name in ENCODINGS if name in frame.encodings), "")
        self.protocol.attach(self._sink.position().segment, self.encoding, now, frame.attempt)
        if self._last_reply is not None:
            self.protocol.reply(self._last_reply)  # it may have been lost with the last connection

    def _reject(self, error: Exception) -> None:
        transient = isinstance(error, NotReady) or (
            isinstance(error, StoreError) and not isinstance(error, NameRefused)
        )
        rc = ReturnCode.BAD_REQUEST_DATA if isinstance(error, NameRefused) else ReturnCode.EXECUTION_EXCEPTION
        if isinstance(error, NameRefused):
            logger.warning("stream %s cannot begin: %s", self._title, printable(str(error)))
        elif not transient and not isinstance(error, StreamRefused):
            logger.error("stream %s cannot begin", self._title, exc_info=error)
        self._rejection = Reject(rc, str(error)[:1000], transient)
        self._opening = None
        self.end(rc, str(error))

    def end(self, rc: str, reason: str, last_words: Callable[[], None] | None = None) -> None:
        """The run is over; whoever says so first wins.

        The sink is told first and the sender after it: when the sender knows, the callbacks have been called.

        Args:
            last_words: tells the sender; an Abort by default.
        """
        if self.rc is not None:
            return
        self.rc, self._reason = rc, reason
        self._last_words = last_words
        self._jobs.clear()
        self._on_change(self)
        if self.busy_since is None:
            self._end_sink()

    def _end_sink(self) -> None:
        rc, reason = self.rc or ReturnCode.ERROR, self._reason
        if not self._sink.blocking:
            self._sink_ended(rc, reason, attempts.end(self._sink, rc, reason))
            return
        self.busy_since = self._clock()
        self._runner.submit(
            lambda: attempts.end(self._sink, rc, reason), lambda error: self._sink_ended(rc, reason, error)
        )

    def _sink_ended(self, rc: str, reason: str, error: Exception | None) -> None:
        if error is not None:
            logger.error("stream %s: its end could not be kept: %s", self._title, printable(str(error)))
        if self._last_words is not None:
            self._last_words()
        elif self.protocol is not None and self.protocol.state is not ReceiverState.OVER:
            self.protocol.abort(rc, reason[:1000])
        self._flush()
        self._on_over(self)

    # -- time

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called, or None."""
        when = self._run_timer()
        return when if self._ack_at is None or (when is not None and when < self._ack_at) else self._ack_at

    def _run_timer(self) -> float | None:
        if self.rc is None and self._retry_at is not None:
            return self._retry_at
        if self.rc is not None or self.protocol is None or self.busy_since is not None:
            return None
        if self.kind == "objects" and self.protocol.idle_timeout <= 0 and self._lost_at is not None:
            return self._lost_at + ABANDONED_SECONDS
        return self.protocol.get_timer()

    def handle_timer(self, now: float) -> None:
        """Send an ack that waited; try a stalled write again; end the run of a sender that has been silent too long."""
        if self._ack_at is not None and now >= self._ack_at:
            self._ack_at = None
            if self.outlet is not None:
                self.outlet.ready(self.stream, self)
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            self._work()
        elif self._retry_at is None and self._is_silent(now):
            assert self.protocol is not None
            silence = f"nothing heard for {self.protocol.idle_timeout or ABANDONED_SECONDS:g} s"
            logger.warning("stream %s: %s, closing it", self._title, silence)
            self.end(ReturnCode.TIMEOUT, silence)

    def _is_silent(self, now: float) -> bool:
        """Whether the sender was silent for too long while this side listened."""
        when = self._run_timer()
        if when is None or now < when:
            return False
        resumed = self.resumed()
        if self._lost_at is not None:
            self._lost_at = max(self._lost_at, resumed)
        assert self.protocol is not None
        self.protocol.listens(resumed)
        return (when := self._run_timer()) is not None and now >= when
