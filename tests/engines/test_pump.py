"""The loop's alarms."""

from __future__ import annotations

import asyncio
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
