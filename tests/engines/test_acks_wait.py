"""Acks that nobody waits for are joined: each costs both sides a wake-up."""

from __future__ import annotations

from logstreamer.inbound import ACK_SECONDS, Inbound
from logstreamer.protocol.codec import checksum
from logstreamer.protocol.frames import VERSION, Accept, Ack, Data, Frame, Heartbeat, Open, StreamKey
from logstreamer.protocol.receiver import Position
from logstreamer.sinks import GO_ON, Begun

WINDOW = 4000


class TakesAll:
    """A sink that keeps nothing."""

    blocking = False

    def begin(self, frame):
        return Begun(Position(), 0, 30.0)

    def position(self):
        return Position()

    def data(self, frame):
        return GO_ON

    heartbeat = segment = data

    def commit(self):
        pass


class Wire:
    """The connection, and a clock that stands still until it is moved; it asks as soon as it is told to."""

    site = "site-1"

    def __init__(self, *, patient: bool = True) -> None:
        self.is_patient = patient
        self.now = 100.0
        self.sent: list[Frame] = []
        key = StreamKey("c", "t", "job", "a.log")
        opening = Open(VERSION, key, "run-1")
        self.inbound = Inbound(
            "site-1",
            opening,
            TakesAll(),
            runner=None,
            window=WINDOW,
            clock=lambda: self.now,
            on_change=lambda inbound: None,
            on_over=lambda inbound: None,
        )
        self.inbound.open(self, 0, opening)
        self.end = 0

    def ready(self, stream, source):
        while (frame := source.next_frame(self.now)) is not None:
            self.sent.append(frame)

    def data(self, size: int = 10) -> None:
        payload = memoryview(bytes(size))
        self.inbound.receive(Data(self.end, checksum(payload), 0, payload))
        self.end += size

    @property
    def acks(self) -> list[int]:
        return [frame.offset for frame in self.sent if isinstance(frame, Ack)]


def test_an_ack_so_soon_after_another_waits_and_is_joined():
    wire = Wire()
    assert isinstance(wire.sent[0], Accept)

    wire.data()
    wire.data()

    assert wire.acks == []
    assert wire.inbound.get_timer() == wire.now + ACK_SECONDS
    wire.now += ACK_SECONDS
    wire.inbound.handle_timer(wire.now)
    assert wire.acks == [20]
    assert wire.inbound.get_timer() == wire.now - ACK_SECONDS + 30.0


def test_one_that_comes_later_goes_at_once():
    wire = Wire()
    wire.now += ACK_SECONDS

    wire.data()

    assert wire.acks == [10]


def test_a_quarter_of_the_window_does_not_wait():
    wire = Wire()

    wire.data(WINDOW // 4)

    assert wire.acks == [WINDOW // 4]


def test_who_asks_is_answered_at_once():
    wire = Wire()
    wire.data()

    wire.inbound.receive(Heartbeat(wire.end, wire.end))

    assert wire.acks == [10]


def test_a_sender_that_sends_nothing_before_the_ack_gets_it_at_once():
    wire = Wire(patient=False)

    wire.data()

    assert wire.acks == [10]


def test_an_ack_that_waits_goes_down_with_its_connection():
    wire = Wire()
    wire.data()

    wire.inbound.detach(wire)

    assert wire.inbound.get_timer() == wire.now + 30.0
