"""Faults between two processes on NVFlare's cellnet that its own stream does not survive; see `faults`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import wait_until
from contract.ends import live_log, numbered, register
from flare.apart import ApartNet
from flare.faults import step_clock
from logstreamer import pauses
from logstreamer.flare.messages import SUCCEEDS
from streamers.recording import Recorder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

ROUNDS = 8


@pytest.fixture
def true_clock() -> Iterator[None]:
    """The wall clock is right again after the test."""
    yield
    step_clock(0.0)


def follow_through(net: ApartNet, recorder: Recorder, log: Path, kind: str) -> None:
    """A log that grows while a fault of *kind* happens again and again: all of it arrives, once and in order."""
    register(net, recorder)
    net.engine("site-1")
    net.far().calls.call("far", "break_", "site-1", kind)
    with live_log(net, log, chunk_timeout=0.4) as live:
        for number in range(ROUNDS):
            live.write(numbered(100, 100 * number))
            recorder.wait(lambda number=number: len(recorder.data()) >= 9 * 100 * (number + 1))
        rc, _ = live.stop()

    assert net.far().calls.call("far", "mend") >= 2
    assert rc == "OK"
    assert recorder.data() == numbered(100 * ROUNDS)
    assert recorder.rcs() == ["OK"]


@pytest.mark.parametrize("kind", ["no send", "no reply"])
def test_n4_a_send_that_failed_inside_is_no_acknowledgement(net, recorder, tmp_path, kind):
    """NVFlare answers it with `{}` for replies, which its own producers take for success."""
    follow_through(net, recorder, tmp_path / "train.log", kind)


@pytest.mark.parametrize("kind", ["twice", "swallowed", "swapped"])
def test_n5_messages_that_come_twice_or_not_at_all_or_in_another_order(net, recorder, tmp_path, kind):
    """NVFlare accepts all three: it checks no sequence after the first message."""
    follow_through(net, recorder, tmp_path / "train.log", kind)


@pytest.mark.parametrize("side", ["sender", "receiver"])
@pytest.mark.parametrize("step", [60.0, -60.0, 86_400.0, -86_400.0])
def test_n13_a_wall_clock_that_is_stepped_ends_nothing(net, recorder, tmp_path, true_clock, side, step):
    """No timeout, and no heartbeat is missed."""
    register(net, recorder, idle_timeout=3.0)
    with live_log(net, tmp_path / "train.log", liveness_interval=0.2) as live:
        live.write(numbered(10))
        recorder.wait_for_data(numbered(10))
        [inbound] = net.engine("server").receiver.live()

        step_clock(step) if side == "receiver" else net.far().calls.call("far", "step_clock", step)

        beats = set()
        wait_until(lambda: beats.add(inbound.last_beat) or len(beats) > 4)
        live.write(numbered(10, 10))
        recorder.wait_for_data(numbered(20))
        rc, _ = live.stop()

    assert rc == "OK"
    assert recorder.rcs() == ["OK"]


def test_a_stream_that_succeeds_a_dead_one_does_not_wait_for_it(net, recorder, tmp_path, monkeypatch):
    """The site knows that its job's process has ended; the receiver would give it a while to come back."""
    monkeypatch.setattr(pauses, "BEAT_SECONDS", 1000.0)
    register(net, recorder, idle_timeout=3600)
    with live_log(net, tmp_path / "train.log") as live:
        live.write(numbered(10))
        recorder.wait_for_data(numbered(10))
        net.vanish("site-1")

    with live_log(net, tmp_path / "train.log", stream_ctx={SUCCEEDS: True}) as live:
        live.write(numbered(5, 10))
        rc, _ = live.stop()

    assert rc == "OK"
    assert recorder.data() == numbered(15)
    assert SUCCEEDS not in recorder.done[-1][0]
