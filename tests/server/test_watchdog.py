"""D7: a receiver that exists and answers, and in which nothing moves, says so. One rule at a time, without a clock."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from logstreamer.inbound import InboundState
from logstreamer.server.states import is_full
from logstreamer.server.watchdog import PROGRESS_SECONDS, Watchdog


class Run(SimpleNamespace):
    """As much of an `Inbound` as the watchdog sees; 10 of 100 bytes are stored."""

    __hash__ = object.__hash__

    def __init__(self, **known: object) -> None:
        super().__init__(**{"state": InboundState.ATTACHED, "reach": 100, "trouble": "", "busy_since": None, **known})
        self.protocol = SimpleNamespace(durable=10)


class Bench:
    """A watchdog that looks once a second; `pass_seconds` lets time go by."""

    def __init__(self, *runs: Run) -> None:
        self.now = 1000.0
        self.refused: float | None = None
        self.watchdog = Watchdog(lambda: runs, lambda: self.now, lambda: self.refused, is_full)
        self.watchdog.look(self.now)

    def pass_seconds(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.now += 1
            self.watchdog.look(self.now)

    @property
    def reasons(self) -> list[tuple[str, int, float]]:
        return [(reason.reason, reason.streams, reason.seconds) for reason in self.watchdog.reasons()]


def test_d07_bytes_that_should_come_and_do_not():
    """A connected sender is behind, and what is stored does not grow."""
    bench = Bench(Run(), Run())
    bench.pass_seconds(PROGRESS_SECONDS - 1)
    assert bench.reasons == []

    bench.pass_seconds(1)
    assert bench.reasons == [("no progress", 2, PROGRESS_SECONDS)]


def test_d07_slow_is_not_stuck():
    """One byte in that time is progress."""
    run = Run()
    bench = Bench(run)
    for _ in range(10):
        bench.pass_seconds(PROGRESS_SECONDS - 1)
        run.protocol.durable += 1
        bench.pass_seconds(1)
        assert bench.reasons == []


@pytest.mark.parametrize(
    "known", [{"reach": 10}, {"state": InboundState.DETACHED}, {"state": InboundState.OPENING, "reach": 0}]
)
def test_d07_nothing_to_store_or_no_sender_is_not_the_receivers_fault(known):
    """A dead sender is for `ls` to tell."""
    bench = Bench(Run(**known))
    bench.pass_seconds(1000)
    assert bench.reasons == []


def test_d07_a_disk_that_is_full_is_told_at_once():
    """And for how long."""
    run = Run(state=InboundState.STALLED, trouble=f"cannot write s/j/f: {os.strerror(28)}")
    bench = Bench(run, Run(state=InboundState.STALLED, trouble="cannot write s/j/g: Input/output error"), Run(reach=0))
    assert bench.reasons == [("disk full", 1, 0.0), ("stalled", 1, 0.0)]
    bench.pass_seconds(7)
    assert bench.reasons == [("disk full", 1, 7.0), ("stalled", 1, 7.0)]
    run.trouble, run.reach = "", 10
    assert bench.reasons == [("stalled", 1, 7.0)]


def test_d07_a_write_or_sync_that_does_not_return():
    """As of a disk that hangs."""
    bench = Bench(Run(busy_since=1000.0, reach=10))
    bench.pass_seconds(PROGRESS_SECONDS)
    assert bench.reasons == [("sink", 1, PROGRESS_SECONDS)]


def test_d07_streams_that_cannot_begin_have_no_run():
    """Their senders ask again and again."""
    bench = Bench()
    bench.refused = 1000.0
    bench.pass_seconds(4)
    assert bench.reasons == [("cannot begin", 0, 4.0)]
    bench.pass_seconds(1)
    assert bench.reasons == []
