"""Channel: all our streams to one target, over whichever connection there is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Protocol

from logstreamer.apis.shareable import ReturnCode
from logstreamer.engines.outbox import Outbox
from logstreamer.engines.pump import Pump
from logstreamer.errors import RemoteProtocolError
from logstreamer.protocol.codec import decode
from logstreamer.protocol.frames import Ack, Frame

logger = logging.getLogger(__name__)


class Session(Protocol):
    """The sending end of one stream: decides what to send; the channel only carries it."""

    @property
    def encoding(self) -> str: ...
    @property
    def may_send(self) -> bool: ...
    def attach(self, now: float) -> None: ...
    def detach(self) -> None: ...
    def receive(self, frame: Frame, now: float) -> None: ...
    def next_frame(self, now: float) -> Frame | None: ...
    def get_timer(self) -> float | None: ...
    def handle_timer(self, now: float) -> None: ...
    def abandon(self, rc: str, reason: str) -> None: ...


class Channel:
    """The sessions that send to one target. Lives on the pump's loop.

    The engine's adapter calls `connected`, takes messages from `outbox`, hands arrivals to `receive`, and calls
    `disconnected`; it keeps trying to connect while `sessions` is not empty.

    Args:
        target: the site it leads to.
    """

    def __init__(self, target: str, pump: Pump) -> None:
        self.target = target
        self.outbox = Outbox(pump.now)
        self.is_connected = False
        self.was_connected = False
        self.trouble = ""
        self._pump = pump
        self._timed: dict[int, _TimedSession] = {}
        self._ids: dict[Session, int] = {}
        self._next_id = 0
        self._wanted = asyncio.Event()

    def add(self, session: Session) -> None:
        """Carry one more session."""
        stream, self._next_id = self._next_id, self._next_id + 1
        self._ids[session] = stream
        self._timed[stream] = _TimedSession(session, self)
        self._wanted.set()
        if self.is_connected:
            session.attach(self._pump.now())
        self.touch(session)

    def remove(self, session: Session) -> None:
        """The session is over; a last frame of it still goes out."""
        timed = self._timed.pop(self._ids[session], None)
        if timed is not None:
            self._pump.drop_alarm(timed)
            self.outbox.ready(self._ids.pop(session), timed)

    def touch(self, session: Session) -> None:
        """Something happened to *session*: it may have frames to send, and another timer."""
        stream = self._ids.get(session)
        if stream is None:
            return
        if self.is_connected:
            self.outbox.ready(stream, self._timed[stream])
        self._pump.set_alarm(self._timed[stream])

    def settle(self, session: Session) -> None:
        """*session* has nothing to send for now; its timer may have changed."""
        stream = self._ids.get(session)
        if stream is not None:
            self._pump.set_alarm(self._timed[stream])

    def connected(self) -> None:
        """A connection is there: every session opens its stream on it."""
        self.outbox = Outbox(self._pump.now)
        self.is_connected = self.was_connected = True
        self.trouble = ""
        for timed in list(self._timed.values()):
            timed.session.attach(self._pump.now())
            self.touch(timed.session)

    def disconnected(self, trouble: str) -> None:
        """The connection is gone, or could not be made; *trouble* says why, for a person."""
        if trouble != self.trouble:
            logger.info("%s: %s; trying again", self.target, trouble)
        self.trouble = trouble
        self.is_connected = False
        self.outbox.close()
        for timed in list(self._timed.values()):
            timed.session.detach()
            self.touch(timed.session)

    async def pause(self, seconds: float) -> None:
        """Wait before the next attempt to connect; a new session need not wait for the last one's pause."""
        self._wanted.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wanted.wait(), seconds)

    def refused(self, trouble: str) -> None:
        """The target does not let us in. Whoever never got in gives up; a stream under way waits for better times."""
        self.disconnected(trouble)
        if not self.was_connected:
            for timed in list(self._timed.values()):
                timed.session.abandon(ReturnCode.COMMUNICATION_ERROR, trouble)

    def receive(self, message: bytes | memoryview) -> None:
        """Take one message.

        Raises:
            RemoteProtocolError: the target broke the protocol; the connection has to be closed.
        """
        stream, frame = decode(message)
        timed = self._timed.get(stream)
        if timed is None:
            if stream >= self._next_id:
                raise RemoteProtocolError(f"{type(frame).__name__} for stream {stream}, which was never opened")
            return  # the stream is over here; this frame crossed our last one on the way
        try:
            timed.session.receive(frame, self._pump.now())
        except RemoteProtocolError:
            raise
        except Exception as error:  # one stream's trouble; the others on this connection go on
            logger.error("a stream to %s failed inside the engine", self.target, exc_info=error)
            timed.fail(error)
        # An ack makes no timer earlier, and most of them find that all has been sent.
        if timed.session.may_send or not isinstance(frame, Ack):
            self.touch(timed.session)


class _TimedSession:
    """A session with what its timer needs: whoever steps it sets its alarm anew."""

    def __init__(self, session: Session, channel: Channel) -> None:
        self.session = session
        self._channel = channel
        self.get_timer: Callable[[], float | None] = session.get_timer

    @property
    def encoding(self) -> str:
        """How the session's payloads are encoded."""
        return self.session.encoding

    @property
    def may_send(self) -> bool:
        """Whether the session may have more."""
        return self.session.may_send

    def next_frame(self, now: float) -> Frame | None:
        """The session's next frame, if any."""
        frame = self.session.next_frame(now)
        if frame is None or not self.session.may_send:
            self._channel.settle(self.session)
        return frame

    def fail(self, error: Exception) -> None:
        """A step of the session raised *error*."""
        self.session.abandon(ReturnCode.EXECUTION_EXCEPTION, f"{type(error).__name__}: {error}")

    def handle_timer(self, now: float) -> None:
        """What is due may have made frames."""
        self.session.handle_timer(now)
        self._channel.touch(self.session)
