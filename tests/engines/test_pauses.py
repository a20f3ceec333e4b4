"""A receiver that was stopped for a while does not blame its senders."""

from __future__ import annotations

from logstreamer.apis.shareable import ReturnCode
from logstreamer.pauses import Pauses
from logstreamer.protocol.frames import VERSION, Heartbeat, Open, StreamKey
from logstreamer.protocol.receiver import Position
from logstreamer.receiver import Receiver
from logstreamer.sinks import GO_ON, Begun

IDLE_TIMEOUT = 30.0
KEY = StreamKey("c", "t", "job", "a.log")


class Sink:
    """Takes everything, and remembers how it was ended."""

    blocking = False

    def __init__(self) -> None:
        self.ends: list[str] = []

    def begin(self, frame):
        return Begun(Position(), 0, IDLE_TIMEOUT)

    def position(self):
        return Position()

    def heartbeat(self, frame):
        return GO_ON

    def commit(self):
        pass

    def end(self, rc, reason):
        self.ends.append(rc)


class Desk:
    """A receiver with one sender, and a clock that is moved; what asks for the time gets it once a second."""

    site, is_patient = "site-1", False

    def __init__(self) -> None:
        self.now = 100.0
        self.sink = Sink()
        self.timed: set = set()
        self.receiver = Receiver(
            lambda site, frame, end_stream: self.sink,
            runner=None,
            clock=lambda: self.now,
            later=lambda function: function(),
            watch=self.timed.add,
        )
        self.receiver.receive(self, 0, Open(VERSION, KEY, "run-1"))

    def ready(self, stream, source):
        while source.next_frame(self.now) is not None:
            pass

    def beat(self):
        self.receiver.receive(self, 0, Heartbeat(0, 0, 0))

    def tick(self):
        # In any order: whoever is called first has to know.
        for item in sorted(self.timed, key=lambda item: item is not self.receiver.find(self.site, KEY)):
            when = item.get_timer()
            if when is not None and when <= self.now:
                item.handle_timer(self.now)

    def pass_seconds(self, seconds: int):
        for _ in range(seconds):
            self.now += 1
            self.tick()


def test_silence_in_a_pause_of_the_receiver_is_not_the_senders():
    desk = Desk()
    desk.beat()
    desk.now += 3600
    desk.tick()
    run = desk.receiver.find("site-1", KEY)

    assert desk.sink.ends == []
    assert run.get_timer() == desk.now + IDLE_TIMEOUT
    assert run.is_held_against("run-2")

    desk.beat()
    desk.pass_seconds(29)
    assert desk.sink.ends == []


def test_a_sender_that_fell_silent_is_closed_once_whatever_the_receiver_did():
    """The clock begins anew after the pause, and only then."""
    desk = Desk()
    desk.beat()
    desk.pass_seconds(20)
    desk.now += 11
    desk.tick()
    assert desk.sink.ends == []
    desk.pass_seconds(29)
    assert desk.sink.ends == []
    desk.pass_seconds(60)

    assert desk.sink.ends == [ReturnCode.TIMEOUT]


def test_a_tick_that_is_a_little_late_changes_nothing():
    desk = Desk()
    desk.beat()
    for _ in range(10):
        desk.now += 3
        desk.tick()

    assert desk.sink.ends == [ReturnCode.TIMEOUT]


def test_a_machine_that_was_suspended_has_paused():
    """The monotonic clock stands still meanwhile, so another one has to tell."""
    now, elapsed = 100.0, 100.0
    pauses = Pauses(lambda: now, lambda: True, lambda: elapsed)
    now, elapsed = 101.0, 101.0
    assert pauses.resumed() == float("-inf")
    now, elapsed = 102.0, 3600.0
    assert pauses.resumed() == 102.0


def test_nobody_looks_at_the_clock_for_nothing():
    desk = Desk()
    desk.receiver.abort_all("the end")

    assert [item.get_timer() for item in desk.timed] == [None, None]
