"""Contract: the receiver may not have registered yet. N1."""

from __future__ import annotations

import logging
import threading

import pytest

from contract.ends import live_log, numbered, register
from logstreamer import ReturnCode


def quiet(caplog) -> bool:
    """No line of ours above INFO."""
    return [
        r.getMessage() for r in caplog.records if r.levelno > logging.INFO and r.name.startswith("logstreamer")
    ] == []


@pytest.mark.parametrize("delay", [0.2, pytest.param(2.0, marks=pytest.mark.slow)])
def test_a_receiver_that_registers_late_loses_not_a_byte_and_costs_no_error_line(
    net, recorder, tmp_path, caplog, delay
):
    caplog.set_level(logging.INFO)
    net.engine("server")

    with live_log(net, tmp_path / "train.log") as live:
        live.write(numbered(1000))
        threading.Event().wait(delay)
        register(net, recorder)
        live.write(numbered(1000, 1000))
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert recorder.data() == numbered(2000)
    assert quiet(caplog)


@pytest.mark.parametrize("delay", [0.2, pytest.param(2.0, marks=pytest.mark.slow)])
def test_an_engine_that_appears_late_loses_not_a_byte_and_costs_no_error_line(net, recorder, tmp_path, caplog, delay):
    caplog.set_level(logging.INFO)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(numbered(1000))
        threading.Event().wait(delay)
        register(net, recorder)
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert recorder.data() == numbered(1000)
    assert quiet(caplog)


def test_a_receiver_that_registers_after_the_stop_still_gets_it_all(net, recorder, tmp_path):
    net.engine("server")

    with live_log(net, tmp_path / "train.log") as live:
        live.write(numbered(1000))
        live.stop_event.set()
        threading.Event().wait(0.3)
        register(net, recorder)
        rc, _ = live.result()

    assert rc == ReturnCode.OK
    assert recorder.data() == numbered(1000)


def test_after_the_first_ok_a_failure_is_a_failure(net, recorder, tmp_path):
    def fail_on_second(data, stream_ctx, fl_ctx):
        recorder.on_chunk(data, stream_ctx, fl_ctx)
        if len(recorder.chunks) == 2:
            raise ValueError("the callback's own trouble")

    register(net, recorder, chunk_received_cb=fail_on_second)

    with live_log(net, tmp_path / "train.log", chunk_size=2) as live:
        live.write(b"aabb")
        rc, _ = live.result()

    assert rc == ReturnCode.ERROR
    assert len(recorder.chunks) == 2
