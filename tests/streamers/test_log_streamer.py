"""The contract of LogStreamer, sentence by sentence, over whatever engine `net` gives."""

from __future__ import annotations

import logging
import os
import threading

import pytest

from logstreamer.apis.context import FLContext
from logstreamer.apis.shareable import ReturnCode
from logstreamer.apis.streaming import PayloadKey, StreamContextKey
from logstreamer.errors import ConfigError
from logstreamer.streamers import LogStreamer
from streamers.recording import LiveLog


def register(net, recorder, **arguments):
    LogStreamer.register_stream_processing(
        net.engine("server").new_context(),
        "logs",
        "train",
        **{"chunk_received_cb": recorder.on_chunk, "stream_done_cb": recorder.on_done, **arguments},
    )


# Registration


@pytest.mark.parametrize("engine", [None, object()])
def test_the_engine_must_be_a_streamable_engine_else_a_runtime_error_names_the_type_it_got(engine):
    with pytest.raises(RuntimeError, match=f"StreamableEngine but got {type(engine)}"):
        LogStreamer.register_stream_processing(FLContext(engine), "logs", "train")
    with pytest.raises(RuntimeError, match=f"StreamableEngine but got {type(engine)}"):
        LogStreamer.stream_log("logs", "train", {}, ["server"], "train.log", FLContext(engine))


def test_registration_returns_none(net):
    assert LogStreamer.register_stream_processing(net.engine("server").new_context(), "logs", "train") is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"idle_timeout": "30"}, TypeError, "idle_timeout must be a number but got str"),
        ({"idle_timeout": True}, TypeError, "idle_timeout must be a number but got bool"),
        ({"idle_timeout": -1}, ValueError, "idle_timeout must not be negative but got -1"),
        ({"chunk_received_cb": "f"}, TypeError, "chunk_received_cb must be callable but got str"),
        ({"stream_done_cb": 3}, TypeError, "stream_done_cb must be callable but got int"),
        ({"consumed_cb": print}, ValueError, "cb_kwargs must not be named consumed_cb"),
        ({"factory": 1}, ValueError, "cb_kwargs must not be named factory"),
    ],
)
def test_a_wrong_registration_argument_is_named(net, recorder, arguments, error, message):
    with pytest.raises(error, match=message):
        register(net, recorder, **arguments)


# Arguments of stream_log


@pytest.mark.parametrize("name", ["chunk_size", "chunk_timeout", "poll_interval", "liveness_interval", "idle_timeout"])
def test_wrong_type_is_a_type_error_wrong_value_a_value_error_the_argument_named(net, name):
    for value, error in ((object(), TypeError), (True, TypeError), (-1, ValueError)):
        with pytest.raises(error, match=f"^{name} must"):
            LogStreamer.stream_log(
                "logs", "train", {}, ["server"], "x.log", net.engine("site-1").new_context(), **{name: value}
            )


def test_arguments_are_checked_in_the_contracts_order_before_the_engine_is_looked_at():
    order = ["chunk_size", "chunk_timeout", "poll_interval", "liveness_interval", "idle_timeout"]
    wrong = dict.fromkeys(order, -1)

    for name in order:
        with pytest.raises(ConfigError, match=f"^{name} must"):
            LogStreamer.stream_log("logs", "train", {}, ["server"], "x.log", FLContext("no engine"), **wrong)
        del wrong[name]
    with pytest.raises(ConfigError, match="less than idle_timeout"):
        LogStreamer.stream_log("logs", "train", {}, ["server"], "x.log", FLContext("no engine"), idle_timeout=1)
    with pytest.raises(RuntimeError, match="<class 'str'>"):
        LogStreamer.stream_log("logs", "train", {}, ["server"], "x.log", FLContext("no engine"))


@pytest.mark.parametrize(("liveness", "idle"), [(10.0, 10.0), (12.5, 7.5)])
def test_an_idle_timeout_of_at_most_liveness_interval_is_a_value_error_that_shows_both_values(net, liveness, idle):
    with pytest.raises(ValueError, match="less than idle_timeout") as caught:
        LogStreamer.stream_log(
            "logs",
            "train",
            {},
            ["server"],
            "x.log",
            net.engine("site-1").new_context(),
            liveness_interval=liveness,
            idle_timeout=idle,
        )

    assert str(liveness) in str(caught.value)
    assert str(idle) in str(caught.value)


@pytest.mark.parametrize("unset", [None, 0])
def test_chunk_size_and_chunk_timeout_given_as_none_or_0_mean_the_default(net, recorder, tmp_path, unset):
    register(net, recorder)
    log = tmp_path / "train.log"
    log.write_bytes(b"x" * (64 * 1024 + 1))

    with LiveLog(net.engine("site-1"), log, chunk_size=unset, chunk_timeout=unset, idle_timeout=0) as live:
        live.stop()

    assert [len(data) for data, *_ in recorder.chunks] == [64 * 1024, 1]


# The stream


def test_it_returns_ok_and_the_reply_of_each_target(net, recorder, tmp_path):
    register(net, recorder)

    with LiveLog(net.engine("site-1"), tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        rc, result = live.stop()

    assert rc == ReturnCode.OK
    assert list(result) == ["server"]
    assert result["server"].get_return_code() == ReturnCode.OK


def test_it_blocks_until_stop_event_is_set_and_everything_has_been_sent(net, recorder, tmp_path):
    register(net, recorder)
    lines = [b"%06d\n" % number for number in range(2000)]

    with LiveLog(net.engine("site-1"), tmp_path / "train.log", chunk_size=100) as live:
        for line in lines[:1000]:
            live.write(line)
        recorder.wait_for_data(b"".join(lines[:1000]))
        assert recorder.done == []
        live.write(b"".join(lines[1000:]))
        live.stop()

    assert recorder.data() == b"".join(lines)
    assert recorder.rcs() == [ReturnCode.OK]


def test_it_returns_when_the_run_is_aborted_and_drains_first(net, recorder, tmp_path):
    """N15."""
    register(net, recorder)
    log = tmp_path / "train.log"
    log.write_bytes(b"line 1\n")
    live = LiveLog(net.engine("site-1"), log, stop_event=None, poll_interval=0.2)
    live.abort.trigger()

    with live:
        recorder.wait_for_data(b"line 1\n")
        live.write(b"written by an end-of-run handler\n")
        live.result()

    assert recorder.data() == b"line 1\nwritten by an end-of-run handler\n"


def test_the_callback_gets_bytes_stream_ctx_fl_ctx_and_cb_kwargs(net, recorder, tmp_path):
    register(net, recorder, tag="mine")

    with LiveLog(net.engine("site-1"), tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        live.stop()

    [(data, stream_ctx, fl_ctx, kwargs)] = recorder.chunks
    assert type(data) is bytes
    assert isinstance(stream_ctx, dict)
    assert fl_ctx.get_peer_context().get_identity_name() == "site-1"
    assert fl_ctx.get_job_id() == "job-7"
    assert kwargs == {"tag": "mine"}
    [(done_ctx, _, done_kwargs)] = recorder.done
    assert done_ctx is stream_ctx
    assert done_kwargs == {"tag": "mine"}


def test_get_file_name_channel_topic_and_rc_read_the_context_back_on_either_side(net, recorder, tmp_path):
    register(net, recorder)

    with LiveLog(net.engine("site-1"), tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        live.stop()

    for ctx in (live.stream_ctx, recorder.done[0][0]):
        assert LogStreamer.get_file_name(ctx) == "train.log"
        assert LogStreamer.get_channel(ctx) == "logs"
        assert LogStreamer.get_topic(ctx) == "train"
    assert LogStreamer.get_rc(recorder.done[0][0]) == ReturnCode.OK
    assert LogStreamer.get_rc({}) is None


def test_stream_ctx_none_is_an_empty_one_and_the_callers_own_is_used_otherwise(net, recorder, tmp_path):
    register(net, recorder)
    log = tmp_path / "train.log"
    log.write_bytes(b"x")

    for stream_ctx in (None, {}, {"mine": 1}):
        with LiveLog(net.engine("site-1"), log, stream_ctx=stream_ctx) as live:
            live.stop()
        if stream_ctx is not None:
            assert stream_ctx[PayloadKey.FILE_NAME] == "train.log"

    assert recorder.done[0][0][PayloadKey.FILE_NAME] == "train.log"
    assert recorder.done[2][0]["mine"] == 1


def test_the_file_may_be_given_as_a_path(net, recorder, tmp_path):
    register(net, recorder)
    log = tmp_path / "train.log"
    log.write_bytes(b"x")

    with LiveLog(net.engine("site-1"), log, file_name=log) as live:
        live.stop()

    assert LogStreamer.get_file_name(recorder.done[0][0]) == "train.log"


def test_a_file_that_does_not_exist_yet_is_waited_for(net, recorder, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    register(net, recorder)

    with LiveLog(net.engine("site-1"), tmp_path / "later" / "train.log") as live:
        live.path.parent.mkdir()
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert [r.levelno for r in caplog.records if "does not exist yet" in r.getMessage()] in ([], [logging.INFO])


def test_rotation_is_followed_the_new_content_comes_after_all_of_the_old(net, recorder, tmp_path):
    """T1."""
    register(net, recorder)

    with LiveLog(net.engine("site-1"), tmp_path / "train.log", chunk_size=1000) as live:
        live.write(b"old\n" * 5000)
        recorder.wait(lambda: recorder.data() != b"")
        os.rename(live.path, tmp_path / "train.log.1")
        live.write(b"new\n")
        recorder.wait_for_data(b"old\n" * 5000 + b"new\n")
        live.stop()

    assert recorder.data() == b"old\n" * 5000 + b"new\n"


def test_a_rotation_right_before_the_stop_loses_nothing(net, recorder, tmp_path):
    """T18: the follower keeps to the old file for a grace period, longer than two empty reads take."""
    register(net, recorder)

    with LiveLog(net.engine("site-1"), tmp_path / "train.log") as live:
        live.write(b"old\n")
        recorder.wait_for_data(b"old\n")
        os.rename(live.path, tmp_path / "train.log.1")
        live.write(b"new\n")
        live.stop()

    assert recorder.data() == b"old\nnew\n"


def test_truncation_is_followed_the_new_content_is_sent_from_its_beginning(net, recorder, tmp_path):
    """T7."""
    register(net, recorder)

    with LiveLog(net.engine("site-1"), tmp_path / "train.log") as live:
        live.write(b"a long first line\n")
        recorder.wait_for_data(b"a long first line\n")
        os.truncate(live.path, 0)
        live.write(b"short\n")
        recorder.wait_for_data(b"a long first line\nshort\n")
        live.stop()

    assert recorder.rcs() == [ReturnCode.OK]


def test_what_was_truncated_away_unread_is_a_warning(net, recorder, tmp_path, caplog):
    register(net, recorder)
    release = threading.Event()

    def slow(data, stream_ctx, fl_ctx, **kwargs):
        recorder.on_chunk(data, stream_ctx, fl_ctx, **kwargs)
        assert release.wait(20)

    register(net, recorder, chunk_received_cb=slow)
    log = tmp_path / "train.log"
    log.write_bytes(b"a" * 10_000)

    with LiveLog(net.engine("site-1"), log, chunk_size=1000) as live:
        recorder.wait(lambda: len(recorder.chunks) == 1)
        log.write_bytes(b"new\n")
        release.set()
        recorder.wait(lambda: recorder.data().endswith(b"new\n"))
        live.stop()

    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(recorder.data()) < 10_000
    assert any("gone before they could be read" in text for text in warnings), warnings


def test_heartbeats_keep_a_quiet_stream_open_and_never_reach_the_callback(net, recorder, tmp_path):
    register(net, recorder, idle_timeout=0.5)
    server = net.engine("server")

    with LiveLog(net.engine("site-1"), tmp_path / "train.log", liveness_interval=0.05, idle_timeout=0.5) as live:
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        seen = threading.Event()
        _watch_messages(server, 30, seen)
        assert seen.wait(20)
        assert recorder.done == []
        live.stop()

    assert [data for data, *_ in recorder.chunks] == [b"line 1\n"]
    assert recorder.rcs() == [ReturnCode.OK]


def _watch_messages(engine, count, event):
    receive = engine.receive

    def counting(envelope):
        nonlocal count
        count -= 1
        if count == 0:
            event.set()
        return receive(envelope)

    engine.receive = counting


def test_two_streams_on_one_registration_never_share_state(net, recorder, tmp_path):
    register(net, recorder)
    first = LiveLog(net.engine("site-1"), tmp_path / "a.log")
    second = LiveLog(net.engine("site-2"), tmp_path / "b.log")

    with first, second:
        for number in range(100):
            first.write(b"a%d\n" % number)
            second.write(b"b%d\n" % number)
        first.stop()
        second.stop()

    assert recorder.data("a.log") == b"".join(b"a%d\n" % number for number in range(100))
    assert recorder.data("b.log") == b"".join(b"b%d\n" % number for number in range(100))
    assert recorder.rcs() == [ReturnCode.OK, ReturnCode.OK]


def test_a_failing_callback_ends_the_stream_with_execution_exception(net, recorder, tmp_path):
    def fail_on_second(data, stream_ctx, fl_ctx):
        recorder.on_chunk(data, stream_ctx, fl_ctx)
        if len(recorder.chunks) == 2:
            raise OSError("disk full")

    register(net, recorder, chunk_received_cb=fail_on_second)

    with LiveLog(net.engine("site-1"), tmp_path / "train.log", chunk_size=2) as live:
        live.write(b"aabbcc")
        rc, result = live.result()

    assert rc == ReturnCode.ERROR
    assert not result
    assert recorder.rcs() == [ReturnCode.EXECUTION_EXCEPTION]


def test_callbacks_may_be_left_out(net, recorder, tmp_path):
    register(net, recorder, chunk_received_cb=None, stream_done_cb=None)

    with LiveLog(net.engine("site-1"), tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert recorder.done == []


def test_secure_and_optional_are_the_engines_to_see(net, recorder, tmp_path):
    register(net, recorder)

    with LiveLog(net.engine("site-1"), tmp_path / "train.log", secure=True) as live:
        live.stop()

    assert net.secure == [True]


# Before the receiver is ready


def test_a_receiver_that_registers_late_loses_not_a_byte_and_costs_no_error_line(net, recorder, tmp_path, caplog):
    """N1."""
    caplog.set_level(logging.DEBUG)
    server, missed = net.engine("server"), threading.Event()
    _watch_messages(server, 3, missed)

    with LiveLog(net.engine("site-1"), tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        assert missed.wait(20)
        register(net, recorder)
        live.write(b"line 2\n")
        recorder.wait_for_data(b"line 1\nline 2\n")
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    ours = [r for r in caplog.records if r.name.startswith("logstreamer.streamers")]
    assert ours
    assert all(record.levelno <= logging.INFO for record in ours)


def test_a_receiver_that_never_registers_is_an_error_in_the_end(net, tmp_path, caplog):
    with LiveLog(net.engine("site-1"), tmp_path / "train.log", poll_interval=0.001) as live:
        live.write(b"line 1\n")
        rc, result = live.result()

    assert rc == ReturnCode.ERROR
    assert not result
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert net.engine("server").messages == 11


# The end from the receiving side


def test_what_arrives_after_the_close_is_rejected_with_task_aborted(net, recorder, tmp_path):
    register(net, recorder)

    with LiveLog(net.engine("site-1"), tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        recorder.chunks[0][1][StreamContextKey.END_STREAM](ReturnCode.TIMEOUT, None)
        live.write(b"line 2\n")
        rc, result = live.result()

    assert rc == ReturnCode.ERROR
    assert result["server"].get_return_code() == ReturnCode.TASK_ABORTED
    assert recorder.data() == b"line 1\n"
    assert recorder.rcs() == [ReturnCode.TIMEOUT]
