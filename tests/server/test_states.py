"""The states of a stream, one rule at a time."""

from __future__ import annotations

import errno
import os

import pytest

from logstreamer.inbound import InboundState
from logstreamer.pauses import dead_after
from logstreamer.server.meter import Meter
from logstreamer.server.ranges import Unsatisfiable, parse_range
from logstreamer.server.states import ELSEWHERE, Health, Pulse, State, judge
from logstreamer.store.layout import Place
from logstreamer.store.record import StreamRecord
from logstreamer.store.sidecar import Segment, Sidecar, Trouble

NOW = 1000.0


def record(*, size=100, **known):
    """What is stored of a stream with 100 bytes, nothing special about it."""
    known.setdefault("segments", (Segment(0, "a", 0, "start"),))
    return StreamRecord.of(Sidecar(key="k", **known), Place.of("s", "j", "f"), size, 0.0, believed=True)


def pulse(**known):
    """A sender that is connected, with data and a beat one second ago."""
    plain = {
        "link": InboundState.ATTACHED, "durable": 100, "reach": 100, "last_data": NOW - 1, "last_beat": NOW - 1,
        "idle_timeout": 30.0,
    }  # fmt: skip
    return Pulse(**{**plain, **known})


@pytest.mark.parametrize(
    ("stored", "sender", "expected"),
    [
        ({}, {}, (State.LIVE, "")),
        ({}, {"last_data": NOW - 180, "last_beat": NOW - 4}, (State.QUIET, "")),
        ({}, {"last_data": None}, (State.QUIET, "")),
        ({}, {"reach": 100 + (5 << 20)}, (State.BEHIND, "5242880 bytes")),
        ({}, {"reach": 107, "last_data": NOW - 3}, (State.BEHIND, "7 bytes")),
        ({}, {"reach": 107}, (State.LIVE, "")),
        ({}, {"last_beat": NOW - 21}, (State.DEAD, "no beat for 21 s, at byte 100")),
        ({}, {"last_beat": NOW - 60, "resumed": NOW - 19}, (State.LIVE, "")),
        ({}, {"last_beat": NOW - 60, "resumed": NOW - 20}, (State.DEAD, "no beat for 20 s, at byte 100")),
        ({}, {"link": InboundState.DETACHED}, (State.QUIET, "connection lost")),
        ({}, {"link": InboundState.DETACHED, "last_beat": NOW - 21}, (State.DEAD, "no beat for 21 s, at byte 100")),
        (
            {"size": 0, "segments": ()},
            {"durable": 0, "reach": 0, "last_data": None},
            (State.WAITING, "for the file, or its first byte"),
        ),
        ({"size": 0}, {"durable": 0, "reach": 0, "last_data": None}, (State.WAITING, "nothing in the file yet")),
        ({"state": "dead"}, None, (State.DEAD, "at byte 100")),
        (
            {"state": "dead", "state_detail": "nothing heard for 30 s"},
            None,
            (State.DEAD, "nothing heard for 30 s, at byte 100"),
        ),
        (
            {"state": "dead", "state_detail": "no beat for 20 s, at byte 90"},
            None,
            (State.DEAD, "no beat for 20 s, at byte 100"),
        ),
        ({"state": "failed", "state_detail": "ERROR no"}, None, (State.FAILED, "ERROR no")),
        ({"state": "refused by site", "state_detail": "no"}, None, (State.REFUSED, "no")),
        ({"state": "stopped", "state_detail": "left open"}, None, (State.STOPPED, "left open")),
        ({"state": "unknown"}, None, (State.UNKNOWN, "its sender has not come back yet")),
        ({"state": "live"}, None, (State.UNKNOWN, ELSEWHERE)),
        ({"finished": "then", "digest": "d"}, None, (State.FINISHED, "digest ok")),
        (
            {"finished": "then", "digest": "d", "troubles": (Trouble("differs", 100, "", "then"),)},
            None,
            (State.FINISHED, "damaged, see `verify`"),
        ),
        ({"state": "dead"}, {}, (State.LIVE, "")),
    ],
)
def test_each_state(stored, sender, expected):
    """What is stored, what is known of the sender, and what a person reads."""
    health = judge(record(**stored), pulse(**sender) if sender is not None else None, NOW)

    assert (health.state, health.detail) == expected


def test_a_sender_that_does_not_come_back_to_a_new_receiver_is_dead():
    """Unless how it ended is known."""
    lost = judge(record(state="unknown"), None, NOW, is_lost=True)

    assert (lost.state, lost.detail) == (State.DEAD, "it has not come back since the receiver was started, at byte 100")
    assert judge(record(state="stopped"), None, NOW, is_lost=True).state == State.STOPPED
    assert judge(record(state="quiet"), pulse(), NOW, is_lost=True).state == State.LIVE
    assert judge(record(state="quiet"), None, NOW, is_lost=True).state == State.UNKNOWN  # it came back to another one


def test_a_full_disk_is_not_every_trouble_of_a_disk():
    """The words of the operating system tell them apart."""
    full = f"cannot append to f: {os.strerror(errno.ENOSPC)}"

    states = [
        judge(record(), pulse(link=InboundState.STALLED, trouble=trouble), NOW).state
        for trouble in (full, "cannot append to f: Input/output error")
    ]

    assert states == [State.DISK_FULL, State.STALLED]


def test_numbers_of_a_stream_without_a_sender_are_not_shown_as_live():
    """No ages, nothing behind: nobody knows."""
    assert judge(record(state="unknown"), None, NOW) == Health(
        State.UNKNOWN, "its sender has not come back yet", None, None, 100, 0
    )


@pytest.mark.parametrize(("idle_timeout", "seconds"), [(30, 20), (3, 2), (0, 20), (600, 20)])
def test_dead_is_two_heartbeats(idle_timeout, seconds):
    """Senders beat at least three times within the receiver's patience, and every ten seconds."""
    assert dead_after(idle_timeout) == seconds


def test_a_rate_is_of_the_last_seconds():
    """And nothing when nothing moved for as long."""
    meter = Meter()
    for second in range(20):
        meter.sample(min(second, 10) * 100, float(second))
        if second == 8:
            assert meter.rate() == 100.0

    assert meter.rate() == 0.0


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("", None), ("bytes=0-", (0, 100)), ("bytes=10-19", (10, 20)), ("bytes=90-1000", (90, 100)),
        ("bytes=-30", (70, 100)), ("bytes=-1000", (0, 100)), ("bytes=0-1,5-6", None), ("lines=1-2", None),
        ("bytes=20-10", None), ("bytes=-", None), (f"bytes={'9' * 5000}-", None), (f"bytes=-{'9' * 3000}", (0, 100)),
    ],
)  # fmt: skip
def test_ranges(header, part):
    """One range is understood, several and strange ones mean everything."""
    assert parse_range(header, 100) == part


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=-0", "bytes=500-600"])
def test_a_range_beyond_the_end(header):
    """Nothing of it is there: 416."""
    with pytest.raises(Unsatisfiable):
        parse_range(header, 100)
