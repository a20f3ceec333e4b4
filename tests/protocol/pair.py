"""Both ends of one stream, and the wire between them, without I/O and without a clock."""

from __future__ import annotations

import hashlib
import random
from collections import deque
from dataclasses import dataclass, field
from itertools import count

import xxhash

from logstreamer.errors import RemoteProtocolError
from logstreamer.protocol.codec import decode, encode
from logstreamer.protocol.frames import Abort, Ack, Data, Eof, Frame, Open, Reject, Segment, SegmentState, StreamKey
from logstreamer.protocol.receiver import Position, ReceiverProtocol, ReceiverState
from logstreamer.protocol.sender import Event, Positioned, SenderProtocol, SenderState

KEY = StreamKey("logs", "train", "job-7", "train.log", "/var/log/train.log")


class Source:
    """The sender's files as one byte sequence: what was written, and where its segments begin."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.marks: list[int] = [0]
        self.stopped = False
        self.position = 0
        self.segments = 0

    def go_to(self, offset: int, segments: int) -> None:
        assert offset <= len(self.written)
        assert segments <= len(self.marks)
        assert all(mark <= offset for mark in self.marks[:segments]), "a mark above the copy's end"
        assert all(mark >= offset for mark in self.marks[segments:]), "a mark that can no longer be set"
        self.position, self.segments = offset, segments

    def feed(self, sender: SenderProtocol, most: int, now: float) -> bool:
        """Hand the next piece to *sender*; False when there is none, or no room."""
        if sender.state is not SenderState.STREAMING:
            return False
        if self.segments < len(self.marks) and self.marks[self.segments] == self.position:
            sender.send_segment(f"file-{self.segments}", 0, "rotated", 0, "")
            self.segments += 1
            return True
        until = self.marks[self.segments] if self.segments < len(self.marks) else len(self.written)
        size = min(most, sender.room, until - self.position)
        if size > 0:
            sender.send_data(memoryview(bytes(self.written[self.position : self.position + size])), now)
            self.position += size
            return True
        if self.stopped and self.position == len(self.written):
            sender.send_eof(now)
            return True
        return False


@dataclass
class Store:
    """What the receiver has on its disk, and what it still has to put there."""

    copy: bytearray = field(default_factory=bytearray)
    marks: list[Segment] = field(default_factory=list)
    pending: deque[Frame] = field(default_factory=deque)

    def position(self) -> Position:
        return Position(len(self.copy), len(self.marks), self.last_segment())

    def last_segment(self) -> SegmentState | None:
        if not self.marks:
            return None
        mark = self.marks[-1]
        head, anchor = bytes(self.copy[mark.offset :][:1024]), bytes(self.copy[mark.offset :][-64:])
        digests = hashlib.sha256(head).digest(), hashlib.sha256(anchor).digest()
        return SegmentState(
            mark.offset, mark.source, mark.source_offset, len(head), digests[0], len(anchor), digests[1]
        )


class ProtocolPair:
    """A sender and a receiver; frames lie on the wire, encoded, until they are delivered.

    `sender` and `receiver` may be used directly. What the receiver takes is durable when `write` says so.

    Args:
        opened: connect and exchange Open and Accept at once, at time 0.
        forgetful: the receiver keeps nothing across its own restarts: it continues at Open.offset.
    """

    def __init__(
        self,
        *,
        window: int = 100,
        idle_timeout: float = 30.0,
        reply_timeout: float = 5.0,
        liveness_interval: float = 10.0,
        opened: bool = True,
        forgetful: bool = False,
    ) -> None:
        self.window = window
        self.idle_timeout = idle_timeout
        self.forgetful = forgetful
        self.ready = True  # else Open is answered by a transient Reject
        self.source = Source()
        self.store = Store()
        self.to_receiver: deque[bytes] = deque()
        self.to_sender: deque[bytes] = deque()
        self.events: list[Event] = []
        self.errors: list[str] = []
        self.connected = False
        self.now = 0.0
        self.receiver: ReceiverProtocol | None = None
        self.run = ""
        self.acks: list[int] = []  # of the receiver's current run
        self.done = 0
        self._settings = {"reply_timeout": reply_timeout, "liveness_interval": liveness_interval}
        self._runs = count(1)
        self.sender = self._new_sender()
        if opened:
            self.connect(0.0)
            self.exchange(0.0)

    def _new_sender(self) -> SenderProtocol:
        return SenderProtocol(
            KEY, new_run=lambda: f"run-{next(self._runs)}", jitter=random.Random(1).random, **self._settings
        )

    @property
    def delivered_bytes(self) -> bytes:
        """What is durable at the receiver."""
        self._catch_up()
        return bytes(self.store.copy)

    # -- the connection

    def connect(self, now: float) -> None:
        self.now = now
        self.connected = True
        self.sender.attach(now)

    def cut(self) -> None:
        """The connection dies; all that is on the wire is lost."""
        self.to_receiver.clear()
        self.to_sender.clear()
        self.connected = False
        self.sender.detach()
        if self.receiver is not None:
            self.receiver.detach()

    def reconnect(self, now: float) -> None:
        """A new connection, on which everything is exchanged and written."""
        self.connect(now)
        self.exchange(now)
        self.write()
        self.exchange(now)

    def restart_sender(self) -> None:
        self.cut()
        self.sender = self._new_sender()

    def restart_receiver(self) -> None:
        """All that was not durable is lost, and the run is forgotten."""
        self._catch_up()
        self.cut()
        self.store.pending.clear()
        self.receiver, self.run = None, ""

    # -- the wire

    def send(self) -> None:
        """Put what both ends want to say on the wire."""
        while self.connected and (frame := self.sender.next_frame()) is not None:
            self.to_receiver.append(encode(1, frame))
        while self.connected and self.receiver is not None and (frame := self.receiver.next_frame()) is not None:
            if isinstance(frame, Ack):
                self.acks.append(frame.offset)
            self.to_sender.append(encode(1, frame))

    def deliver(self, kind: type[Frame] = Frame, count: int | None = None) -> list[Frame]:
        """Let the receiver take frames until *count* of *kind* were among them (None: all); return those."""
        self.send()
        found: list[Frame] = []
        while self.to_receiver and (count is None or len(found) < count):
            _, frame = decode(self.to_receiver.popleft())
            self._at_receiver(frame)
            if isinstance(frame, kind):
                found.append(frame)
        self.send()
        return found

    def answer(self, kind: type[Frame] = Frame, count: int | None = None) -> list[Frame]:
        """Let the sender take frames until *count* of *kind* were among them (None: all); return those."""
        self.send()
        found: list[Frame] = []
        while self.to_sender and (count is None or len(found) < count):
            _, frame = decode(self.to_sender.popleft())
            self._at_sender(frame)
            if isinstance(frame, kind):
                found.append(frame)
        self.send()
        return found

    def exchange(self, now: float) -> None:
        """Deliver everything both ways until nothing is left to say."""
        self.now = now
        self.send()
        while self.to_receiver or self.to_sender:
            self.deliver()
            self.answer()

    # -- what an engine and the code around the protocol do

    def _at_receiver(self, frame: Frame) -> None:
        if isinstance(frame, Open):
            self._opened(frame)
        elif self.receiver is not None and self.receiver.state is not ReceiverState.DETACHED:
            taken = self.receiver.receive(frame, self.now)
            if isinstance(taken, Data | Segment | Eof):
                self.store.pending.append(taken)

    def _opened(self, frame: Open) -> None:
        if not self.ready:
            self.to_sender.append(encode(1, Reject("EXECUTION_EXCEPTION", "nobody takes it yet", transient=True)))
            return
        if self.receiver is None or self.run != frame.run or self.receiver.state is ReceiverState.OVER:
            position = self._begin(frame)
            self.run, self.acks = frame.run, []
            self.receiver = ReceiverProtocol(
                position,
                run_start=position.durable,
                window=self.window,
                idle_timeout=self.idle_timeout,
                now=self.now,
            )
        self.receiver.window = self.window
        self.receiver.attach(self.store.last_segment(), "", self.now, frame.attempt)

    def _begin(self, frame: Open) -> Position:
        forgot = self.receiver is None
        self.write()
        self.store.pending.clear()
        if self.forgetful and forgot:
            del self.store.copy[frame.offset :]
            del self.store.marks[frame.segments :]
        return self.store.position()

    def _at_sender(self, frame: Frame) -> None:
        event = self.sender.receive(frame, self.now)
        if event is not None:
            self.events.append(event)
        if isinstance(event, Positioned):
            self.source.go_to(event.accept.offset, event.accept.segments)

    def write(self, most: int = 1 << 40) -> None:
        """Make up to *most* bytes of what was taken durable, in order; at the end, check and finish."""
        self._catch_up()
        while self.store.pending and self.receiver is not None:
            frame = self.store.pending[0]
            if isinstance(frame, Data):
                if most <= 0:
                    return
                most -= self._append(frame, most)
                self.receiver.written(len(self.store.copy))
            else:
                self.store.pending.popleft()
                self._take(frame)

    def _append(self, frame: Data, most: int) -> int:
        piece, rest = frame.payload[:most], frame.payload[most:]
        self.store.copy += piece
        if rest:
            self.store.pending[0] = Data(frame.offset + len(piece), 0, frame.segments, rest)
        else:
            self.store.pending.popleft()
        return len(piece)

    def _take(self, frame: Frame) -> None:
        assert self.receiver is not None
        if isinstance(frame, Segment):
            assert frame.index == len(self.store.marks)
            self.store.marks.append(frame)
        elif isinstance(frame, Eof) and self.receiver.state is not ReceiverState.OVER:
            received = self.store.copy[self.receiver.run_start :]
            assert frame.digest in (b"", xxhash.xxh3_128_digest(received))
            self.receiver.finished()
            self.done += 1

    def _catch_up(self) -> None:
        """A test called `receiver.written` itself."""
        while self.receiver is not None and len(self.store.copy) < self.receiver.durable:
            frame = self.store.pending[0]
            if isinstance(frame, Data):
                self._append(frame, self.receiver.durable - len(self.store.copy))
            else:
                self._take(self.store.pending.popleft())

    # -- time

    def tick(self, now: float) -> None:
        """Time passes for both ends."""
        self.now = now
        if self.sender.handle_timer(now):
            self.sender.send_heartbeat(len(self.source.written) - self.source.position, now)
        if self.receiver is not None and self.receiver.is_dead(now):
            self.receiver.abort("TIMEOUT", "nothing heard")

    def guarded(self, step: str, *args: object) -> bool:
        """Call the method *step* as an engine would: an error of the protocol costs the connection.

        Returns:
            Whether there was none.
        """
        try:
            getattr(self, step)(*args)
        except RemoteProtocolError as error:
            self.errors.append(str(error))
            self.cut()
            return False
        return True

    def settle(self, ticks: int) -> int:
        """Let both ends work without faults until the sender is done; return how many ticks that took."""
        self.ready = self.source.stopped = True
        for tick in range(ticks):
            if self.sender.state is SenderState.DONE:
                return tick
            if not self.connected:
                self.connect(self.now)
            while self.source.feed(self.sender, 1 << 16, self.now):
                pass
            self.guarded("exchange", self.now)
            self.write()
            self.guarded("exchange", self.now)
            timers = [self.sender.get_timer(), self.receiver.get_timer() if self.receiver else None]
            self.tick(max(self.now, min((time for time in timers if time is not None), default=self.now)))
        raise AssertionError(f"still {self.sender.state.value} after {ticks} ticks")


def abort_of(frames: list[Frame]) -> list[Abort]:
    return [frame for frame in frames if isinstance(frame, Abort)]
