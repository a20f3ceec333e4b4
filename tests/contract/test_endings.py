"""Contract: stream_done_cb is called exactly once for each stream, whichever end comes first."""

from __future__ import annotations

import logging
import threading

import pytest

from conftest import wait_until
from contract.ends import live_log, numbered, register
from logstreamer import (
    FLContext,
    LogChunkConsumerFactory,
    LogStreamer,
    ReturnCode,
    Signal,
    StreamContextKey,
    dispatch_stream_done,
)
from streamers.recording import PATIENCE


def test_end_of_file_is_ok(net, recorder, tmp_path):
    register(net, recorder)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        live.stop()

    assert recorder.rcs() == [ReturnCode.OK]


def test_an_abort_of_the_receiving_run_is_task_aborted(net, recorder, tmp_path):
    signal = Signal()
    net.engine("server", abort_signal=signal)
    register(net, recorder)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        signal.trigger()
        rc, result = live.result()

    assert (rc, bool(result)) == (ReturnCode.ERROR, False)
    assert result["server"].get_return_code() == ReturnCode.TASK_ABORTED
    assert recorder.rcs() == [ReturnCode.TASK_ABORTED]


def test_a_vanished_sender_is_timeout_after_idle_timeout(net, recorder, tmp_path):
    """N16: it dies after one chunk."""
    register(net, recorder, idle_timeout=0.3)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        net.vanish("site-1")
        recorder.wait_for_done()

    assert recorder.rcs() == [ReturnCode.TIMEOUT]


def test_the_clock_runs_from_the_opening_so_a_sender_that_dies_at_once_is_noticed(net, recorder, tmp_path):
    """N16: it dies before it sent a byte."""
    register(net, recorder, idle_timeout=0.3)
    server = net.engine("server")

    with live_log(net, tmp_path / "train.log"):
        wait_until(lambda: any(inbound.protocol is not None for inbound in server.receiver.live()))
        net.vanish("site-1")
        recorder.wait_for_done()

    assert recorder.chunks == []
    assert recorder.rcs() == [ReturnCode.TIMEOUT]


def test_a_sender_that_dies_while_it_only_sends_heartbeats_is_noticed(net, recorder, tmp_path):
    """N16."""
    register(net, recorder, idle_timeout=0.3)
    server = net.engine("server")

    with live_log(net, tmp_path / "train.log"):
        wait_until(lambda: any(inbound.last_beat is not None for inbound in server.receiver.live()))
        net.vanish("site-1")
        recorder.wait_for_done()

    assert recorder.rcs() == [ReturnCode.TIMEOUT]


def test_idle_timeout_0_disables_the_clock(net, recorder, tmp_path):
    register(net, recorder, idle_timeout=0)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        [inbound] = net.engine("server").receiver.live()
        net.vanish("site-1")
        wait_until(lambda: inbound.outlet is None)

    assert inbound.get_timer() is None
    assert recorder.done == []


def test_heartbeats_keep_the_idle_clock_from_firing_and_never_reach_the_callback(net, recorder, tmp_path):
    register(net, recorder, idle_timeout=0.5)

    with live_log(net, tmp_path / "train.log", liveness_interval=0.05, idle_timeout=0.5) as live:
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        [inbound] = net.engine("server").receiver.live()
        beats = set()
        wait_until(lambda: beats.add(inbound.last_beat) or len(beats) > 15)
        live.stop()

    assert [data for data, *_ in recorder.chunks] == [b"line 1\n"]
    assert recorder.rcs() == [ReturnCode.OK]


def test_the_sender_lowers_its_heartbeat_below_a_third_of_the_idle_timeout_and_says_so_once(
    net, recorder, tmp_path, caplog
):
    """Rule 7: its own liveness_interval would be longer than the receiver's patience."""
    caplog.set_level(logging.INFO)
    register(net, recorder, idle_timeout=0.6)

    with live_log(net, tmp_path / "train.log", liveness_interval=60.0) as live:
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        [inbound] = net.engine("server").receiver.live()
        beats = set()
        wait_until(lambda: beats.add(inbound.last_beat) or len(beats) > 5)
        live.stop()

    assert recorder.rcs() == [ReturnCode.OK]
    assert len([r for r in caplog.records if "a heartbeat every" in r.getMessage()]) == 1


def test_a_sender_that_was_shut_down_and_returns_continues_where_it_stopped(net, recorder, tmp_path):
    """Promise 3: nothing twice, also for callbacks, when a site's program is restarted in good order."""
    register(net, recorder)
    with live_log(net, tmp_path / "train.log") as live:
        live.write(numbered(10))
        recorder.wait_for_data(numbered(10))
        net.shut_down("site-1")
        recorder.wait_for_done(1)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(numbered(5, 10))
        live.stop()

    assert recorder.data() == numbered(15)
    assert recorder.rcs() == [ReturnCode.TASK_ABORTED, ReturnCode.OK]


def test_what_cannot_be_read_is_a_failure_and_never_a_finished_stream(net, recorder, tmp_path):
    """ "Cannot see" is not "nothing there": the caller is told, and the receiver gets a gap."""
    register(net, recorder)
    (tmp_path / "train.log").mkdir()

    with live_log(net, tmp_path / "train.log", poll_interval=0.05) as live:
        rc, result = live.stop()

    assert rc != ReturnCode.OK
    assert not result
    assert "directory" in result["server"].get_header("reason")


def test_a_failing_chunk_callback_is_execution_exception_at_both_sides(net, recorder, tmp_path):
    def fail_on_second(data, stream_ctx, fl_ctx):
        recorder.on_chunk(data, stream_ctx, fl_ctx)
        if len(recorder.chunks) == 2:
            raise OSError("the callback's own trouble")

    register(net, recorder, chunk_received_cb=fail_on_second)

    with live_log(net, tmp_path / "train.log", chunk_size=2) as live:
        live.write(b"aabbcc")
        rc, result = live.result()

    assert (rc, bool(result)) == (ReturnCode.ERROR, False)
    assert result["server"].get_return_code() == ReturnCode.EXECUTION_EXCEPTION
    assert recorder.rcs() == [ReturnCode.EXECUTION_EXCEPTION]
    assert recorder.data() == b"aabb"


def test_a_chunk_callback_that_calls_sys_exit_ends_its_stream_and_nothing_else(net, recorder, tmp_path):
    def leave(data, stream_ctx, fl_ctx):
        raise SystemExit(3)

    register(net, recorder, chunk_received_cb=leave)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        _, result = live.result()

    assert result["server"].get_return_code() == ReturnCode.EXECUTION_EXCEPTION
    assert recorder.rcs() == [ReturnCode.EXECUTION_EXCEPTION]


def test_a_failing_done_callback_hurts_nobody(net, recorder, tmp_path):
    def fail(stream_ctx, fl_ctx):
        recorder.on_done(stream_ctx, fl_ctx)
        raise ValueError("the callback's own trouble")

    register(net, recorder, stream_done_cb=fail)

    for _ in range(2):
        with live_log(net, tmp_path / "train.log") as live:
            live.write(b"line\n")
            rc, result = live.stop()
        assert (rc, bool(result)) == (ReturnCode.OK, True)

    assert recorder.rcs() == [ReturnCode.OK, ReturnCode.OK]


def test_the_end_stream_hook_ends_the_stream_from_any_thread(net, recorder, tmp_path):
    register(net, recorder)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        stream_ctx = recorder.chunks[0][1]
        hooks = [
            threading.Thread(target=stream_ctx[StreamContextKey.END_STREAM], args=(ReturnCode.ERROR, None))
            for _ in range(8)
        ]
        for hook in hooks:
            hook.start()
        _, result = live.result()
        for hook in hooks:
            hook.join()

    assert result["server"].get_return_code() == ReturnCode.ERROR
    assert recorder.rcs() == [ReturnCode.ERROR]


def test_what_arrives_after_the_close_is_rejected_with_task_aborted(net, recorder, tmp_path):
    register(net, recorder)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        recorder.chunks[0][1][StreamContextKey.END_STREAM](ReturnCode.TASK_ABORTED, None)
        live.write(b"line 2\n")
        _, result = live.result()

    assert result["server"].get_return_code() == ReturnCode.TASK_ABORTED
    assert recorder.data() == b"line 1\n"
    assert recorder.rcs() == [ReturnCode.TASK_ABORTED]


def test_a_missing_hook_is_logged_as_an_error(caplog):
    factory = LogChunkConsumerFactory(None, 0.05, None, {})

    consumer = factory.get_consumer({}, None)
    wait_until(lambda: "END_STREAM" in caplog.text)
    consumer.finalize({}, None)

    assert [record.levelno for record in caplog.records if "END_STREAM" in record.getMessage()] == [logging.ERROR]


def test_dispatch_stream_done_calls_that_streams_once_only_callback():
    calls = []
    factory = LogChunkConsumerFactory(None, 0, lambda ctx, fl_ctx, **kwargs: calls.append((ctx, fl_ctx, kwargs)), {})
    first, second, fl_ctx = {}, {}, FLContext()
    for ctx in (first, second):
        factory.get_consumer(ctx, None)

    for ctx in (first, first, second):
        dispatch_stream_done(ctx, fl_ctx, tag=1)
    dispatch_stream_done({}, fl_ctx)

    assert [call[0] is ctx for call, ctx in zip(calls, (first, second), strict=True)] == [True, True]
    assert calls[0][1:] == (fl_ctx, {"tag": 1})


@pytest.mark.parametrize("round_", range(5))
def test_end_of_file_abort_and_timeout_race_and_exactly_one_wins(net, recorder, tmp_path, round_):
    """N17."""
    signal = Signal()
    server = net.engine("server", abort_signal=signal)
    register(net, recorder, idle_timeout=0.2)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(numbered(10))
        recorder.wait_for_data(numbered(10))
        hook = recorder.chunks[0][1][StreamContextKey.END_STREAM]
        ends = [
            live.stop_event.set,
            lambda: hook(ReturnCode.TIMEOUT, None),
            lambda: server.pump.call(lambda: server.receiver.abort_all("raced")),
        ]
        barrier = threading.Barrier(len(ends))
        threads = [
            threading.Thread(target=lambda end=end: (barrier.wait(PATIENCE), end()))
            for end in ends[round_ % 3 :] + ends[: round_ % 3]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        live.result()
        recorder.wait(lambda: not any(server.receiver.live()))

    runs = {id(ctx) for ctx, *_ in recorder.done}
    assert len(runs) == len(recorder.done) >= 1


def test_a_callback_slower_than_the_idle_timeout_is_no_timeout_and_done_comes_after_it(net, recorder, tmp_path):
    """N14."""
    entered, release, events = threading.Event(), threading.Event(), []

    def slow(data, stream_ctx, fl_ctx):
        entered.set()
        assert release.wait(PATIENCE)
        events.append("chunk")

    def on_done(stream_ctx, fl_ctx):
        events.append(LogStreamer.get_rc(stream_ctx))

    register(net, recorder, chunk_received_cb=slow, stream_done_cb=on_done, idle_timeout=0.05)

    with live_log(net, tmp_path / "train.log", chunk_timeout=0.05) as live:
        live.write(b"line 1\n")
        assert entered.wait(PATIENCE)
        release.wait(0.5)  # ten times the idle timeout passes inside the callback
        assert events == []
        release.set()
        live.stop()

    assert events == ["chunk", ReturnCode.OK]
