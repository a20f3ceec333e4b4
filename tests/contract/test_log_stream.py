"""Contract: what a log stream carries from its file to the callback."""

from __future__ import annotations

import logging
import os
import threading

import pytest

from contract.ends import live_log, numbered, register
from logstreamer import EngineError, LogStreamer, PayloadKey, ReturnCode, StreamContextKey
from streamers.recording import Recorder


def test_chunk_received_cb_gets_every_byte_once_and_in_order(net, recorder, tmp_path):
    register(net, recorder)

    with live_log(net, tmp_path / "train.log", chunk_size=1000) as live:
        for first in range(0, 20_000, 1000):
            live.write(numbered(1000, first))
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert recorder.data() == numbered(20_000)
    assert all(0 < len(data) <= 1000 for data, *_ in recorder.chunks)


def test_chunk_received_cb_gets_bytes_stream_ctx_fl_ctx_and_cb_kwargs(net, recorder, tmp_path):
    register(net, recorder, tag="mine", number=7)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        live.stop()

    [(data, stream_ctx, fl_ctx, kwargs)] = recorder.chunks
    assert type(data) is bytes
    assert type(stream_ctx) is dict
    assert fl_ctx.get_engine() is net.engine("server")
    assert fl_ctx.get_identity_name() == "server"
    assert kwargs == {"tag": "mine", "number": 7}
    assert recorder.done[0][2] == {"tag": "mine", "number": 7}
    assert recorder.done[0][0] is stream_ctx


def test_the_peer_context_names_the_authenticated_sender_and_its_job(net, recorder, tmp_path):
    register(net, recorder)

    with live_log(net, tmp_path / "train.log", stream_ctx={"site": "an impostor"}) as live:
        live.write(b"line 1\n")
        live.stop()

    for fl_ctx in (recorder.chunks[0][2], recorder.done[0][1]):
        assert fl_ctx.get_peer_context().get_identity_name() == "site-1"
        assert fl_ctx.get_peer_context().get_job_id() == "job-7"
        assert fl_ctx.get_job_id() == "job-7"


def test_stream_log_returns_ok_and_the_reply_of_each_target(net, recorder, tmp_path):
    register(net, recorder)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        rc, result = live.stop()

    assert rc == ReturnCode.OK
    assert result
    assert {target: reply.get_return_code() for target, reply in result.items()} == {"server": ReturnCode.OK}


def test_stream_log_blocks_until_the_stop_event_is_set(net, recorder, tmp_path):
    register(net, recorder)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        live.write(b"line 2\n")
        recorder.wait_for_data(b"line 1\nline 2\n")
        assert recorder.done == []
        live.stop()


def test_when_stream_log_returns_the_done_callback_has_been_called(net, recorder, tmp_path):
    register(net, recorder)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        live.stop()
        assert recorder.rcs() == [ReturnCode.OK]


def test_lines_written_after_the_stop_are_still_sent(net, recorder, tmp_path):
    """T18."""
    register(net, recorder)
    stopped = threading.Event()

    class SlowStop:
        """An event that lets the test write between the stop and the sender's last look."""

        def is_set(self):
            if stopped.is_set() and not written.is_set():
                live.write(b"after\n")
                written.set()
            return stopped.is_set()

    written = threading.Event()
    live = live_log(net, tmp_path / "train.log", stop_event=SlowStop())
    with live:
        live.write(b"before\n")
        recorder.wait_for_data(b"before\n")
        stopped.set()
        rc, _ = live.result()

    assert rc == ReturnCode.OK
    assert recorder.data() == b"before\nafter\n"


def test_stop_event_none_only_the_runs_abort_signal_ends_it(net, recorder, tmp_path):
    register(net, recorder)

    with live_log(net, tmp_path / "train.log", stop_event=None) as live:
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        live.abort.trigger()
        rc, _ = live.result()

    assert rc == ReturnCode.TASK_ABORTED
    assert recorder.rcs() == [ReturnCode.OK]


def test_an_abort_of_the_sending_side_drains_first_and_sends_eof(net, recorder, tmp_path):
    """N15."""
    register(net, recorder)
    log = tmp_path / "train.log"
    log.write_bytes(numbered(5000))
    live = live_log(net, log, stop_event=None, chunk_size=500)
    live.abort.trigger()

    with live:
        live.result()

    assert recorder.data() == numbered(5000)
    assert recorder.rcs() == [ReturnCode.OK]


def test_a_file_that_does_not_exist_yet_is_waited_for(net, recorder, tmp_path):
    """T13."""
    register(net, recorder)

    with live_log(net, tmp_path / "later" / "train.log") as live:
        live.path.parent.mkdir()
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        rc, _ = live.stop()

    assert rc == ReturnCode.OK


def test_a_file_that_never_exists_is_an_empty_stream(net, recorder, tmp_path):
    register(net, recorder)

    with live_log(net, tmp_path / "train.log") as live:
        rc, result = live.stop()

    assert (rc, bool(result)) == (ReturnCode.OK, True)
    assert recorder.chunks == []
    assert recorder.rcs() == [ReturnCode.OK]


def test_rotation_the_new_content_is_sent_from_its_beginning_after_all_of_the_old(net, recorder, tmp_path):
    """T1."""
    register(net, recorder)

    with live_log(net, tmp_path / "train.log", chunk_size=1000) as live:
        live.write(numbered(10_000))
        recorder.wait(lambda: recorder.data() != b"")
        os.rename(live.path, tmp_path / "train.log.1")
        live.write(b"new\n")
        recorder.wait_for_data(numbered(10_000) + b"new\n")
        live.stop()

    assert recorder.data() == numbered(10_000) + b"new\n"


def test_truncation_the_new_content_is_sent_from_its_beginning(net, recorder, tmp_path):
    """T7."""
    register(net, recorder)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"a first line, and a long one\n")
        recorder.wait_for_data(b"a first line, and a long one\n")
        os.truncate(live.path, 0)
        live.write(b"short\n")
        recorder.wait_for_data(b"a first line, and a long one\nshort\n")
        live.stop()


def test_stream_ctx_none_is_an_empty_one_and_the_files_base_name_is_put_into_it(net, recorder, tmp_path):
    register(net, recorder)
    mine = {}

    for stream_ctx in (None, mine):
        with live_log(net, tmp_path / "train.log", stream_ctx=stream_ctx) as live:
            live.stop()

    assert mine[PayloadKey.FILE_NAME] == "train.log"
    assert [LogStreamer.get_file_name(ctx) for ctx, *_ in recorder.done] == ["train.log", "train.log"]


def test_stream_ctx_travels_with_the_first_message(net, recorder, tmp_path):
    register(net, recorder)
    mine = {"round": 3, "tags": ["a", None, 1.5], "raw": b"\0\xff", "deep": {"er": True}}

    with live_log(net, tmp_path / "train.log", stream_ctx=dict(mine)) as live:
        live.write(b"line 1\n")
        live.stop()

    received = recorder.chunks[0][1]
    assert {key: received[key] for key in mine} == mine


def test_a_peer_cannot_put_a_hook_or_a_return_code_into_the_receivers_context(net, recorder, tmp_path):
    register(net, recorder)
    evil = {PayloadKey.STREAM_DONE_CB: "evil", StreamContextKey.RC: "evil", StreamContextKey.END_STREAM: "evil"}

    with live_log(net, tmp_path / "train.log", stream_ctx=evil) as live:
        live.write(b"line 1\n")
        live.stop()

    assert recorder.rcs() == [ReturnCode.OK]
    assert "evil" not in recorder.done[0][0].values()


def test_get_file_name_get_channel_get_topic_and_get_rc_read_it_back_on_either_side(net, recorder, tmp_path):
    register(net, recorder)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        assert LogStreamer.get_rc(recorder.chunks[0][1]) is None
        live.stop()

    for ctx in (live.stream_ctx, recorder.done[0][0]):
        assert LogStreamer.get_file_name(ctx) == "train.log"
        assert LogStreamer.get_channel(ctx) == "logs"
        assert LogStreamer.get_topic(ctx) == "train"
    assert LogStreamer.get_rc(recorder.done[0][0]) == ReturnCode.OK


def test_a_file_name_that_is_no_utf_8_can_be_followed(net, recorder, tmp_path):
    register(net, recorder)
    log = tmp_path / os.fsdecode(b"caf\xe9.log")
    log.write_bytes(b"line 1\n")

    with live_log(net, log) as live:
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert recorder.data() == b"line 1\n"


def test_two_streams_on_one_registration_never_share_state(net, recorder, tmp_path):
    register(net, recorder)
    with (
        live_log(net, tmp_path / "a.log", "site-1") as first,
        live_log(net, tmp_path / "a2" / "a.log", "site-2") as second,
    ):
        second.path.parent.mkdir()
        for number in range(50):
            first.write(b"first %d\n" % number)
            second.write(b"second %d\n" % number)
        first.stop()
        second.stop()

    contexts = {id(ctx): ctx for _, ctx, *_ in recorder.chunks}
    assert len(contexts) == 2
    received = {b"".join(data for data, ctx, *_ in recorder.chunks if ctx is context) for context in contexts.values()}
    assert received == {
        b"".join(b"first %d\n" % number for number in range(50)),
        b"".join(b"second %d\n" % number for number in range(50)),
    }
    assert recorder.rcs() == [ReturnCode.OK, ReturnCode.OK]


def test_the_same_file_streamed_twice_at_once_arrives_twice(net, recorder, tmp_path):
    register(net, recorder)
    log = tmp_path / "train.log"
    log.write_bytes(numbered(1000))

    with live_log(net, log) as first, live_log(net, log) as second:
        first.stop()
        recorder.wait_for_done(1)
        second.write(b"last\n")
        second.stop()

    contexts = [ctx for ctx, *_ in recorder.done]
    received = [b"".join(data for data, ctx, *_ in recorder.chunks if ctx is context) for context in contexts]
    assert received == [numbered(1000), numbered(1000) + b"last\n"]


def test_the_same_file_streamed_again_after_its_end_arrives_again(net, recorder, tmp_path):
    register(net, recorder)
    log = tmp_path / "train.log"
    log.write_bytes(b"line 1\n")

    for _ in range(3):
        with live_log(net, log) as live:
            live.stop()

    assert recorder.data() == b"line 1\n" * 3
    assert recorder.rcs() == [ReturnCode.OK] * 3


def test_two_topics_have_their_own_registrations(net, tmp_path):
    train, evaluate = Recorder(), Recorder()
    register(net, train)
    LogStreamer.register_stream_processing(
        net.engine("server").new_context(), "logs", "eval", evaluate.on_chunk, evaluate.on_done
    )

    with live_log(net, tmp_path / "a.log") as one, live_log(net, tmp_path / "b.log", topic="eval") as other:
        one.write(b"train\n")
        other.write(b"eval\n")
        one.stop()
        other.stop()

    assert (train.data(), evaluate.data()) == (b"train\n", b"eval\n")


def test_a_later_registration_takes_the_streams_that_open_from_then_on(net, tmp_path):
    older, newer = Recorder(), Recorder()
    register(net, older)

    with live_log(net, tmp_path / "a.log") as first:
        first.write(b"first\n")
        older.wait_for_data(b"first\n")
        register(net, newer)
        first.write(b"still the first\n")
        with live_log(net, tmp_path / "b.log") as second:
            second.write(b"second\n")
            second.stop()
        first.stop()

    assert older.data() == b"first\nstill the first\n"
    assert newer.data() == b"second\n"


def test_callbacks_may_be_left_out(net, tmp_path):
    register(net, Recorder(), chunk_received_cb=None, stream_done_cb=None)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        rc, _ = live.stop()

    assert rc == ReturnCode.OK


def test_secure_is_kept_or_the_stream_is_refused_never_sent_in_the_clear(net, recorder, tmp_path):
    register(net, recorder)

    with live_log(net, tmp_path / "train.log", secure=True) as live:
        live.write(b"secret\n")
        if net.keeps_secrets:
            live.stop()
            assert recorder.data() == b"secret\n"
        else:
            with pytest.raises(EngineError, match=net.needed_for_secrets):
                live.stop()
            assert recorder.data() == b""


@pytest.mark.parametrize(("optional", "level"), [(True, None), (False, logging.ERROR)])
def test_a_failure_of_an_optional_stream_is_no_error_for_the_callers_log(
    net, recorder, tmp_path, caplog, optional, level
):
    def fail(data, stream_ctx, fl_ctx):
        raise ValueError("the callback's own trouble")

    register(net, recorder, chunk_received_cb=fail)

    with live_log(net, tmp_path / "train.log", optional=optional) as live:
        live.write(b"line 1\n")
        rc, result = live.result()

    assert (rc, bool(result)) == (ReturnCode.ERROR, False)
    senders = [
        record
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.endswith(("engines.following", "flare.engine"))
    ]
    assert [record.levelno for record in senders] == ([level] if level else [])
