"""What a network and the clock do to a stream, over whole engines that pull."""

from __future__ import annotations

import logging
import random
import threading
import time

import pytest

from logstreamer.apis.shareable import ReturnCode, Shareable, make_reply
from logstreamer.apis.streaming import PayloadKey, StreamContextKey
from logstreamer.streamers import LogStreamer
from streamers.pull_engine import Fault, PullNetwork
from streamers.recording import PATIENCE, LiveLog
from streamers.test_log_streamer import register


def lines(count: int) -> bytes:
    return b"".join(b"%07d\n" % number for number in range(count))


@pytest.mark.parametrize("fault", [Fault.LOSE_MESSAGE, Fault.LOSE_REPLY, Fault.DUPLICATE])
def test_a_fault_of_the_network_neither_loses_nor_doubles_a_byte(fault, recorder, tmp_path):
    """N4, N5: every third message, the first among them, but not the last reply, which nobody could ask for again."""
    sent = []

    def rule(target: str, number: int) -> Fault | None:
        sent.append(number)
        return fault if number % 3 == 0 and number < 60 else None

    net = PullNetwork(rule)
    register(net, recorder)
    log = tmp_path / "train.log"
    log.write_bytes(lines(1000))

    with LiveLog(net.engine("site-1"), log, chunk_size=100, poll_interval=0.001) as live:
        rc, _ = live.stop()

    assert len(sent) > 60
    assert rc == ReturnCode.OK
    assert recorder.data() == lines(1000)
    assert recorder.rcs() == [ReturnCode.OK]


def test_random_faults_end_in_the_exact_bytes_or_in_a_failure_that_is_told(recorder, tmp_path):
    """N4, N5: never a wrong byte, never OK for a part."""
    chance = random.Random(7)

    def rule(target: str, number: int) -> Fault | None:
        return chance.choice([*Fault]) if chance.random() < 0.3 else None

    net = PullNetwork(rule)
    register(net, recorder)
    results = []
    for number in range(20):
        log = tmp_path / f"{number}.log"
        log.write_bytes(lines(200))
        with LiveLog(net.engine("site-1"), log, chunk_size=100, poll_interval=0.001) as live:
            rc, result = live.stop()
        results.append(rc)
        received = recorder.data(log.name)
        assert lines(200).startswith(received)
        assert rc != ReturnCode.OK or (received == lines(200) and result)

    assert ReturnCode.OK in results


def test_a_stalled_link_does_not_end_the_stream(recorder, tmp_path):
    """N3: a few timeouts in a row, after the receiver has shown that it counts bytes."""
    net = PullNetwork(lambda target, number: Fault.TIMEOUT if 3 <= number < 8 else None)
    register(net, recorder)
    log = tmp_path / "train.log"
    log.write_bytes(lines(200))

    with LiveLog(net.engine("site-1"), log, chunk_size=100, poll_interval=0.001) as live:
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert recorder.data() == lines(200)


def test_the_end_that_nobody_confirmed_is_not_called_ok(recorder, tmp_path):
    """N4: all bytes are there, but the receiver's last word was lost with the stream it belonged to."""
    net = PullNetwork(lambda target, number: Fault.LOSE_REPLY if number == 2 else None)
    register(net, recorder)
    log = tmp_path / "train.log"
    log.write_bytes(b"aabb")

    with LiveLog(net.engine("site-1"), log, chunk_size=2, poll_interval=0.001) as live:
        rc, result = live.stop()

    assert recorder.data() == b"aabb"
    assert rc == ReturnCode.ERROR
    assert not result


def test_one_dead_target_does_not_end_the_stream_for_the_healthy_one(recorder, tmp_path):
    """N12, as far as an engine that sends to all targets at once allows it."""
    net = PullNetwork(lambda target, number: Fault.LOSE_MESSAGE if target == "dead" else None)
    register(net, recorder)
    log = tmp_path / "train.log"
    log.write_bytes(lines(100))

    with LiveLog(net.engine("site-1"), log, ("server", "dead"), chunk_size=100, poll_interval=0.001) as live:
        rc, result = live.stop()

    assert recorder.data() == lines(100)
    assert recorder.rcs() == [ReturnCode.OK]
    assert rc == ReturnCode.ERROR
    assert result["server"].get_return_code() == ReturnCode.OK
    assert result["dead"].get_return_code() == ReturnCode.COMMUNICATION_ERROR


@pytest.mark.parametrize("messages", [0, 1, 3])
def test_a_sender_that_dies_is_noticed_once_with_rc_timeout_and_in_time(messages, net, recorder):
    """N16: at once after opening, after one chunk, during heartbeats."""
    register(net, recorder, idle_timeout=0.3)
    server = net.engine("server")
    stream = _OpenStream(net)
    started = time.monotonic()
    stream.send(Shareable({PayloadKey.DATA: b"x", PayloadKey.SIZE: 1, PayloadKey.EOF: False}))
    for _ in range(messages):
        stream.send(Shareable({PayloadKey.HEARTBEAT: True, PayloadKey.DATA: None, PayloadKey.SIZE: 0}))

    recorder.wait_for_done()

    assert 0.3 <= time.monotonic() - started <= 5.0
    server.shutdown_streamer()
    assert recorder.rcs() == [ReturnCode.TIMEOUT]
    assert stream.send(Shareable()).get_return_code() == ReturnCode.TASK_ABORTED


class _OpenStream:
    """A sender without a producer: it says what the test says, and falls silent."""

    def __init__(self, net: PullNetwork, number: int | None = None) -> None:
        self._server = net.engine("server")
        self._sender = net.engine("site-1").new_context()
        self._stream = next(net.streams) if number is None else number
        self._ctx = {StreamContextKey.CHANNEL: "logs", StreamContextKey.TOPIC: "train"}

    def send(self, message: Shareable) -> Shareable:
        from streamers.pull_engine import _Envelope

        return self._server.receive(_Envelope(self._stream, 0, dict(self._ctx), message, self._sender))


def test_a_callback_slower_than_the_idle_timeout_is_no_timeout(net, recorder):
    """N14: and the done callback never comes before it has returned."""
    started, release = threading.Event(), threading.Event()

    def slow(data, stream_ctx, fl_ctx, **kwargs):
        started.set()
        assert release.wait(PATIENCE)
        recorder.on_chunk(data, stream_ctx, fl_ctx)

    register(net, recorder, chunk_received_cb=slow, idle_timeout=0.02)
    stream = _OpenStream(net)
    message = Shareable({PayloadKey.DATA: b"x", PayloadKey.SIZE: 1, PayloadKey.EOF: False})
    thread = threading.Thread(target=stream.send, args=(message,))
    thread.start()
    assert started.wait(PATIENCE)
    witness = _OpenStream(net)  # opened later, times out meanwhile: so the clocks were looked at
    started.clear()
    witness.send(Shareable({PayloadKey.HEARTBEAT: True}))
    recorder.wait_for_done()
    assert len(recorder.done) == 1
    assert recorder.chunks == []

    release.set()
    thread.join()
    recorder.wait_for_done(2)

    assert recorder.data() == b"x"
    assert recorder.rcs() == [ReturnCode.TIMEOUT, ReturnCode.TIMEOUT]


def test_end_of_file_abort_and_timeout_race_for_the_done_callback_and_exactly_one_wins(net, recorder):
    """N17."""
    rounds = 100
    register(net, recorder, idle_timeout=0.01)
    server = net.engine("server")
    for number in range(1000, 1000 + rounds):
        stream = _OpenStream(net, number)
        stream.send(Shareable({PayloadKey.DATA: b"x", PayloadKey.SIZE: 1, PayloadKey.EOF: False}))
        start = threading.Barrier(4)
        eof = Shareable({PayloadKey.DATA: None, PayloadKey.SIZE: 0, PayloadKey.EOF: True})
        racers = [
            lambda stream=stream, eof=eof: stream.send(eof),
            lambda number=number: server.end(number, ReturnCode.TASK_ABORTED),
            lambda number=number: server.end(number, ReturnCode.TIMEOUT),
        ]

        def run(racer, start=start):
            start.wait()
            racer()

        threads = [threading.Thread(target=run, args=(racer,)) for racer in racers]
        for thread in threads:
            thread.start()
        start.wait()
        for thread in threads:
            thread.join()
        recorder.wait_for_done(number - 999)

    server.shutdown_streamer()
    assert len(recorder.done) == rounds


def test_a_writer_that_never_stops_cannot_hold_the_stop(net, recorder, tmp_path, caplog):
    """T17, with a real file and a real clock."""
    register(net, recorder)
    enough = threading.Event()
    log = tmp_path / "train.log"
    log.touch()

    def write() -> None:
        with log.open("ab", buffering=0) as file:
            number = 0
            while not enough.is_set():
                file.write(b"%07d\n" % number)
                number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with LiveLog(net.engine("site-1"), log) as live:
            recorder.wait(lambda: recorder.data() != b"")
            started = time.monotonic()
            rc, _ = live.stop()
            took = time.monotonic() - started
    finally:
        enough.set()
        writer.join()

    assert rc == ReturnCode.OK
    assert took < 30.0
    received = recorder.data()
    assert log.read_bytes().startswith(received)
    assert [r.levelno for r in caplog.records if "came too late are not sent" in r.getMessage()] in (
        [],  # it happened to be all read at the very moment
        [logging.WARNING],
    )


def test_our_own_log_records_may_go_to_the_file_we_follow(net, recorder, tmp_path):
    """T19: no feedback, at DEBUG and with a FileHandler on the root logger, through all that a stream can meet."""
    log = tmp_path / "train.log"
    handler, root = logging.FileHandler(log), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    ready = threading.Event()
    net.faults = lambda target, number: (
        (ready.set() if number == 4 else None) or (Fault.LOSE_REPLY if number in (6, 12) else None)
    )
    try:
        with LiveLog(net.engine("site-1"), log, liveness_interval=0.01) as live:
            logging.getLogger("job").info("first")
            assert ready.wait(PATIENCE)
            register(net, recorder)
            logging.getLogger("job").info("second")
            recorder.wait(lambda: b"second\n" in recorder.data())
            quiet = threading.Event()
            net.faults = _after(50, quiet)
            assert quiet.wait(PATIENCE)
            size = log.stat().st_size
            net.faults = _after(50, again := threading.Event())
            assert again.wait(PATIENCE)
            assert log.stat().st_size == size
            rc, _ = live.stop()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()

    assert rc == ReturnCode.OK
    assert log.read_bytes().startswith(recorder.data())
    assert len(recorder.data().splitlines()) < 40


def _after(count: int, event: threading.Event):
    """A rule without faults that sets *event* after *count* messages."""
    left = [count]

    def rule(target: str, number: int) -> None:
        left[0] -= 1
        if left[0] <= 0:
            event.set()

    return rule


def test_a_missing_end_stream_hook_is_logged_as_an_error(net, recorder):
    messages, logged = [], threading.Event()
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: (messages.append(record.getMessage()), logged.set())
    logger = logging.getLogger("logstreamer.streamers")
    logger.addHandler(handler)
    net.engine("server").gives_hook = False
    register(net, recorder, idle_timeout=0.01)

    _OpenStream(net).send(Shareable({PayloadKey.HEARTBEAT: True}))

    assert logged.wait(PATIENCE)
    logger.removeHandler(handler)
    assert messages == ["an idle log stream cannot be ended: its context has no END_STREAM hook"]


def test_a_stock_receiver_is_served_too(net, recorder, tmp_path):
    """One that neither knows offsets nor sends them back."""
    register(net, recorder)
    server = net.engine("server")
    receive = server.receive

    def stock(envelope):
        envelope.message.headers.clear()
        return make_reply(receive(envelope).get_return_code())

    server.receive = stock
    log = tmp_path / "train.log"
    log.write_bytes(lines(100))

    with LiveLog(net.engine("site-1"), log, chunk_size=100) as live:
        rc, result = live.stop()

    assert (rc, list(result)) == (ReturnCode.OK, ["server"])
    assert recorder.data() == lines(100)
    assert LogStreamer.get_rc(recorder.done[0][0]) == ReturnCode.OK
