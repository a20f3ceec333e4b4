"""What LogTailProducer gives an engine that pulls, by a fake clock."""

import logging

import pytest

from logstreamer.apis.shareable import ReturnCode, make_reply
from logstreamer.apis.streaming import PayloadKey
from logstreamer.drain import DRAIN_POLLS
from streamers.fakes import TailBench, acknowledged, data_of, not_ready, ok

DATA = {PayloadKey.DATA: b"line 1\n", PayloadKey.SIZE: 7, PayloadKey.EOF: False}
HEARTBEAT = {PayloadKey.HEARTBEAT: True, PayloadKey.DATA: None, PayloadKey.SIZE: 0, PayloadKey.EOF: False}
EOF = {PayloadKey.DATA: None, PayloadKey.SIZE: 0, PayloadKey.EOF: True}


def test_messages_have_the_content_that_other_implementations_expect():
    bench = TailBench(liveness_interval=10.0)
    bench.feed.write(b"line 1\n")
    bench.time.at(bench.time.now + 11, bench.stop)

    assert bench.run() == [DATA, HEARTBEAT, EOF]


def test_a_chunk_is_never_larger_than_chunk_size():
    bench = TailBench(chunk_size=4)
    bench.feed.write(b"0123456789")
    bench.stopped = True

    sizes = [message[PayloadKey.SIZE] for message in bench.run()]

    assert sizes == [4, 4, 2, 0]


def test_the_timeout_is_the_chunk_timeout_as_a_float():
    bench = TailBench(chunk_timeout=3)
    bench.feed.write(b"x")

    _, timeout = bench.producer.produce({}, bench.context)

    assert (timeout, type(timeout)) == (3.0, float)


def test_engines_that_read_the_file_themselves_cost_no_descriptor():
    bench = TailBench()

    bench.producer.close()

    assert bench.feed.opened == 0
    assert bench.producer.follow.path == "/var/log/train.log"


def test_close_lets_go_of_the_file():
    bench = TailBench()
    bench.feed.write(b"x")
    bench.produce()

    bench.producer.close()

    assert bench.feed.closed


# Heartbeats


def test_nothing_sent_for_liveness_interval_seconds_makes_a_heartbeat():
    bench = TailBench(liveness_interval=10.0, poll_interval=0.5)
    bench.feed.write(b"line 1\n")
    bench.reply(server=acknowledged(bench.produce()))
    sent = bench.time.now

    assert bench.produce() == HEARTBEAT
    assert bench.time.now == pytest.approx(sent + 10.0)
    bench.reply(server=ok())
    assert bench.produce() == HEARTBEAT
    assert bench.time.now == pytest.approx(sent + 20.0)


def test_a_line_puts_the_heartbeat_off():
    bench = TailBench(liveness_interval=10.0)
    start = bench.time.now
    bench.time.at(start + 9.0, lambda: bench.feed.write(b"line 1\n"))

    message = bench.produce()
    bench.reply(server=acknowledged(message))

    assert message == DATA
    assert bench.produce() == HEARTBEAT
    assert bench.time.now >= start + 19.0


def test_heartbeats_do_not_wait_for_a_long_poll_interval():
    bench = TailBench(liveness_interval=2.0, poll_interval=60.0)

    assert bench.produce() == HEARTBEAT
    assert bench.time.now == pytest.approx(1002.0)


# The end: stop and abort


def test_only_two_empty_reads_in_a_row_one_poll_interval_apart_end_it():
    bench = TailBench(poll_interval=0.5)
    bench.stopped = True
    reads = []
    bench.feed.on_read = lambda: reads.append(bench.time.now)

    assert bench.produce() == EOF
    assert len(reads) == 2
    assert reads[1] - reads[0] >= 0.5


def test_lines_written_by_end_of_run_handlers_just_after_the_stop_are_still_sent():
    """T18."""
    bench = TailBench(poll_interval=0.5)
    bench.feed.write(b"line 1\n")
    bench.stopped = True
    bench.time.at(bench.time.now + 0.4, lambda: bench.feed.write(b"goodbye\n"))
    bench.time.at(bench.time.now + 0.8, lambda: bench.feed.write(b"really\n"))

    assert data_of(bench.run()) == b"line 1\ngoodbye\nreally\n"


def test_an_aborted_run_drains_first():
    """N15: in a simulator the abort signal comes before the end-of-run handlers have logged."""
    bench = TailBench(poll_interval=0.5, stop_event=None)
    bench.feed.write(b"line 1\n")
    bench.abort.trigger()
    bench.time.at(bench.time.now + 0.3, lambda: bench.feed.write(b"goodbye\n"))

    messages = bench.run()

    assert data_of(messages) == b"line 1\ngoodbye\n"
    assert messages[-1] == EOF


def test_stop_event_none_means_that_only_the_abort_signal_ends_it():
    bench = TailBench(stop_event=None, liveness_interval=1000.0)
    bench.time.at(bench.time.now + 500.0, bench.abort.trigger)

    bench.run()

    assert 500.0 <= bench.time.now - 1000.0 <= 501.1


def test_a_context_without_an_abort_signal_is_fine():
    bench = TailBench()
    bench.context._abort_signal = None
    bench.stopped = True

    assert bench.produce() == EOF


def test_stop_at_eof_is_a_stop_from_the_start():
    bench = TailBench(stop_at_eof=True, stop_event=None)
    bench.feed.write(b"line 1\n")

    assert bench.run() == [DATA, EOF]


def test_a_writer_that_never_stops_cannot_hold_it(caplog):
    """T17: what the file held one bound after the stop is sent, the rest is reported with its size."""
    bench = TailBench(poll_interval=0.5, chunk_size=1000)
    bench.stopped = True
    written = []

    def write() -> None:
        written.append((bench.time.now, b"%09d\n" % len(written)))
        bench.feed.write(written[-1][1])
        bench.time.at(bench.time.now + 0.1, write)

    write()

    sent = data_of(bench.run())

    bound = 1000.0 + DRAIN_POLLS * 0.5
    assert sent == b"".join(line for _, line in written)[: len(sent)]
    assert len(sent) >= sum(len(line) for when, line in written if when < bound)
    assert bench.time.now <= bound + 1.0


def test_the_bound_counts_the_writer_not_the_link(caplog):
    """T17 on a slow link: all that was there when the bound passed is sent, and only what came later is left."""
    bench = TailBench(poll_interval=0.5, chunk_size=100)
    bench.feed.write(b"a" * 5000)
    bench.stopped = True
    sent = b""

    message = bench.produce()
    while not message[PayloadKey.EOF]:
        sent += message[PayloadKey.DATA]
        bench.time.sleep(2.0)  # the link
        bench.feed.write(b"b" * 10)
        bench.reply(server=acknowledged(message))
        message = bench.produce()

    assert sent.startswith(b"a" * 5000)
    assert len(sent) <= 5000 + 10 * 10
    left = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(left) == 1
    assert f"{bench.feed.look(0.0)} bytes that came too late are not sent" in left[0].getMessage()


# Bootstrap tolerance


def test_the_same_bytes_are_sent_again_until_the_receiver_is_ready(caplog):
    caplog.set_level(logging.DEBUG)
    bench = TailBench()
    bench.feed.write(b"line 1\n")

    for _ in range(3):
        assert bench.produce() == DATA
        bench.feed.write(b"more\n")
        assert bench.reply(server=not_ready()) is None
    assert bench.produce() == DATA
    assert bench.reply(server=ok()) is None

    assert bench.produce()[PayloadKey.DATA] == b"more\n" * 3
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}


def test_at_most_10_misses_are_tolerated(caplog):
    bench = TailBench()
    bench.feed.write(b"line 1\n")

    for _ in range(bench.producer._MAX_BOOTSTRAP_MISSES):
        bench.produce()
        assert bench.reply(server=not_ready()) is None
    bench.produce()
    result = bench.reply(server=not_ready())

    assert bench.producer._MAX_BOOTSTRAP_MISSES == 10
    assert result is not None
    assert not result
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_the_misses_span_the_minute_that_a_receiver_may_take_to_start():
    """N1: a handler that comes 60 s late is still found with the default poll interval."""
    bench = TailBench(poll_interval=0.5)
    bench.feed.write(b"line 1\n")

    for _ in range(10):
        bench.produce()
        bench.reply(server=not_ready())
    bench.produce()

    assert 60.0 <= bench.time.now - 1000.0 <= 90.0


def test_a_stop_shortens_the_pauses_but_not_the_tries():
    bench = TailBench(poll_interval=0.5)
    bench.feed.write(b"line 1\n")
    bench.stopped = True

    for _ in range(10):
        assert bench.produce() == DATA
        assert bench.reply(server=not_ready()) is None
    bench.produce()

    assert 5.0 <= bench.time.now - 1000.0 <= 10.0


def test_other_failures_are_not_tolerated_before_the_first_ok():
    bench = TailBench()
    bench.feed.write(b"line 1\n")
    bench.produce()

    result = bench.reply(server=make_reply(ReturnCode.BAD_REQUEST_DATA))

    assert result is not None
    assert not result


def test_after_the_first_ok_a_failure_is_a_failure(caplog):
    bench = TailBench()
    bench.feed.write(b"line 1\n")
    bench.produce()
    bench.reply(server=ok())
    bench.feed.write(b"line 2\n")
    bench.produce()

    result = bench.reply(server=not_ready())

    assert result is not None
    assert not result
    assert result["server"].get_return_code() == ReturnCode.EXECUTION_EXCEPTION
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_failure_of_an_optional_stream_is_not_an_error_for_the_log(caplog):
    bench = TailBench(optional=True)
    bench.feed.write(b"line 1\n")
    bench.produce()

    result = bench.reply(server=make_reply(ReturnCode.ERROR))

    assert not result
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


# Time


def test_the_wall_clock_is_not_looked_at(monkeypatch):
    """N13."""

    def forbidden() -> float:
        raise AssertionError("wall clock used")

    monkeypatch.setattr("time.time", forbidden)
    bench = TailBench()
    bench.feed.write(b"line 1\n")
    bench.stopped = True

    assert bench.run() == [DATA, EOF]
