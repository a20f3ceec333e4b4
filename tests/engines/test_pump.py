"""The loop's alarms."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest
import uvloop

from conftest import PATIENCE
from logstreamer.engines.pump import Pump


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def pump(request: pytest.FixtureRequest, no_leaks: None) -> Iterator[Pump]:
    pump = Pump("test", request.param)
    yield pump
    pump.stop()


class Clockwork:
    """Something with a timer, set by hand."""

    def __init__(self) -> None:
        self.due: float | None = None
        self.rung = threading.Event()

    def get_timer(self) -> float | None:
        return self.due

    def handle_timer(self, now: float) -> None:
        self.due = None
        self.rung.set()

    def fail(self, error: Exception) -> None:
        raise error


@pytest.mark.parametrize("first", [0.0, 60.0], ids=["due", "later"])
def test_an_alarm_that_is_due_can_be_set_again(pump: Pump, first: float):
    item = Clockwork()

    def set_twice() -> None:
        item.due = pump.now() + first
        pump.set_alarm(item)
        item.due = pump.now() - 1.0
        pump.set_alarm(item)

    pump.ask(set_twice)

    assert item.rung.wait(PATIENCE)


def test_an_alarm_that_is_due_can_be_dropped(pump: Pump):
    item = Clockwork()

    def set_and_drop() -> None:
        item.due = pump.now()
        pump.set_alarm(item)
        pump.drop_alarm(item)

    pump.ask(set_and_drop)

    assert pump.ask(item.rung.is_set) is False


def test_many_alarms_of_one_moment_ring_once_each(pump: Pump):
    items = [Clockwork() for _ in range(1000)]
    moment = pump.now() + 0.05

    def set_all() -> None:
        for item in items:
            item.due = moment
            pump.set_alarm(item)

    pump.ask(set_all)

    assert all(item.rung.wait(PATIENCE) for item in items)
    assert pump.ask(lambda: pump._alarms) == {}


class Eager(Clockwork):
    """Wants to be called again and again, at a moment that is over."""

    calls = 0

    def handle_timer(self, now: float) -> None:
        self.calls += 1
        if self.rung.is_set():
            self.due = None


def test_an_eager_one_keeps_nobody_waiting(pump: Pump):
    eager, patient = Eager(), Clockwork()

    def set_both() -> None:
        patient.due = eager.due = pump.now()
        pump.set_alarm(patient)
        pump.set_alarm(eager)

    pump.ask(set_both)

    assert patient.rung.wait(PATIENCE)
    assert eager.calls > 0
    eager.rung.set()


def test_alarms_that_were_dropped_leave_nothing(pump: Pump):
    """A short stream's heartbeat would be due long after it: ten thousand of them in that time are nothing to keep."""

    def set_and_drop() -> int:
        for number in range(10_000):
            item = Clockwork()
            item.due = pump.now() + 60.0 + number
            pump.set_alarm(item)
            pump.drop_alarm(item)
        return len(pump._moments) + len(pump._due)

    assert pump.ask(set_and_drop) < 1000


def test_one_that_always_wants_to_be_called_at_once_silences_nobody(pump: Pump):
    eager, patient = Eager(), Clockwork()

    def set_both() -> None:
        eager.due = float("-inf")
        patient.due = pump.now() + 0.05
        pump.set_alarm(eager)
        pump.set_alarm(patient)

    pump.ask(set_both)

    assert patient.rung.wait(PATIENCE)
    eager.rung.set()


class Broken(Clockwork):
    """Cannot even fail."""

    def handle_timer(self, now: float) -> None:
        self.due = None
        raise ValueError("a bug")


def test_an_alarm_that_breaks_silences_nobody(pump: Pump):
    broken, patient = Broken(), Clockwork()
    complaints: list[object] = []

    def set_both() -> None:
        pump.loop.set_exception_handler(lambda loop, context: complaints.append(context["exception"]))
        broken.due = patient.due = pump.now()
        pump.set_alarm(broken)
        pump.set_alarm(patient)

    logging.getLogger("logstreamer.engines.pump").disabled = True  # what it says is no leak here
    try:
        pump.ask(set_both)
        assert patient.rung.wait(PATIENCE)
    finally:
        logging.getLogger("logstreamer.engines.pump").disabled = False
    assert [str(one) for one in complaints] == ["a bug"]
