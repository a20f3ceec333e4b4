"""ObjectLane: one target of an object stream; one message at a time, each with its reply."""

from __future__ import annotations

from concurrent.futures import Future

from logstreamer.apis.shareable import ReturnCode, Shareable, make_reply
from logstreamer.objects import decode_shareable
from logstreamer.protocol.frames import Frame
from logstreamer.protocol.sender import (
    Event,
    Failed,
    Finished,
    Positioned,
    Replied,
    Resumed,
    SenderProtocol,
    SenderState,
)

PIECE = 64 << 10
"""Most bytes of a message in one frame."""


class ObjectLane:
    """Sends messages to one target and collects the replies. Lives on the pump's loop; futures cross threads.

    A message that found no receiver at all may be replaced by the next one; one that may have arrived is never
    skipped: its stream is given up instead, because a hole among objects cannot be told.
    """

    def __init__(self, target: str, protocol: SenderProtocol) -> None:
        self.target = target
        self.protocol = protocol
        self.over = Future[str]()
        self._rest = memoryview(b"")  # of the message under way
        self._index = -1
        self._reply: Future[Shareable] | None = None
        self._placed = False
        self._is_finishing = False  # no more messages will come, and the target does not know yet
        self._refusal: Shareable | None = None

    @property
    def encoding(self) -> str:
        """How payloads are encoded on the wire."""
        return self.protocol.encoding

    @property
    def may_send(self) -> bool:
        """Always asked: messages are few."""
        return True

    def send(self, message: bytes) -> Future[Shareable]:
        """Send *message*; the future gets its reply, or one that says why there is none."""
        future: Future[Shareable] = Future()
        if self._refusal is None and self._reply is not None and self._placed:
            self.abandon(ReturnCode.TIMEOUT, "the message before was never answered")
        if self._refusal is not None:
            future.set_result(self._refusal)
            return future
        if self._reply is None:
            self._index += 1
        self._rest, self._reply = memoryview(message), future
        return future

    def finish(self, now: float) -> Future[str]:
        """No more messages: the future gets the return code with which the target ended the stream."""
        self._is_finishing = True
        self._say_end(now)
        return self.over

    def _say_end(self, now: float) -> None:
        if self._is_finishing and not self.over.done() and self.protocol.state is SenderState.STREAMING:
            self.protocol.send_eof(now)

    def abandon(self, rc: str, reason: str) -> None:
        """End the stream to this target; the target is told."""
        if not self.over.done():
            self.protocol.abort(rc, reason)
            self._end(make_reply(rc, {"reason": reason}))

    @property
    def silence(self) -> str:
        """The return code for a message that got no reply in time: who was it that said nothing?"""
        if self._placed:
            return ReturnCode.TIMEOUT
        if self.protocol.state is SenderState.DETACHED:
            return ReturnCode.COMMUNICATION_ERROR
        return ReturnCode.EXECUTION_EXCEPTION  # there, but nobody is registered: the contract's "not ready"

    # -- a session of the channel

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
        event = self.protocol.receive(frame, now)
        if event is not None:
            self._happened(event, now)

    def _happened(self, event: Event, now: float) -> None:
        match event:
            case Positioned():
                if self._placed:
                    self.abandon(ReturnCode.COMMUNICATION_ERROR, "the target lost the messages it had taken")
                self._placed = True
                self._say_end(now)
            case Resumed():
                if self._reply is not None:
                    self.protocol.expect_reply(now)
                self._say_end(now)
            case Replied(reply):
                if reply.index == self._index and self._reply is not None:
                    self._answer(decode_shareable(reply.payload), reply.go_on)
            case Finished():
                self._end(make_reply(ReturnCode.OK))
            case Failed(rc, reason):
                self._end(make_reply(rc, {"reason": reason}))

    def _answer(self, reply: Shareable, go_on: bool) -> None:
        future, self._reply = self._reply, None
        if future is not None and not future.done():
            future.set_result(reply)
        if not go_on:
            self.protocol.close()
            self._end(reply)

    def _end(self, outcome: Shareable) -> None:
        self._refusal = outcome
        future, self._reply = self._reply, None
        if future is not None and not future.done():
            future.set_result(outcome)
        if not self.over.done():
            self.over.set_result(outcome.get_return_code())

    def next_frame(self, now: float) -> Frame | None:
        """The next frame for the target: a piece of the message under way when nothing else is due."""
        frame = self.protocol.next_frame()
        room = min(PIECE, self.protocol.room)
        if frame is not None or not len(self._rest) or room == 0:
            return frame
        piece, self._rest = self._rest[:room], self._rest[room:]
        self.protocol.send_data(piece, now)
        if not len(self._rest):
            self.protocol.expect_reply(now)
        return self.protocol.next_frame()

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called, or None."""
        return self.protocol.get_timer()

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        if self.protocol.handle_timer(now):
            self.protocol.send_heartbeat(len(self._rest), now)
