"""What strangers and broken peers may send: only their own connection suffers. W1, W2, W3, N10."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from conftest import wait_until
from contract.ends import live_log, numbered, register
from contract.nets import TOKEN, WebSocketNet
from logstreamer import ReturnCode
from logstreamer.engines.endpoint import INGEST_PATH, SITE_HEADER, SUBPROTOCOL
from logstreamer.protocol.codec import checksum, decode, encode
from logstreamer.protocol.frames import Accept, Ack, Data, Eof, Heartbeat, Open, Reject, Reply, Segment, StreamKey
from streamers.recording import Recorder

KEY = StreamKey("logs", "train", "job-7", "evil.log", "evil")


@pytest.fixture
def ws(no_leaks: None) -> Iterator[WebSocketNet]:
    net = WebSocketNet()
    yield net
    net.close()


@pytest.fixture
def peer(ws):
    """Connections that speak WebSocket, and whatever the test wants on top of it."""
    connections = contextlib.ExitStack()

    def dial(site="evil", token=TOKEN, **headers):
        port = ws._ports["server"]
        dialled = connect(
            f"ws://127.0.0.1:{port}{INGEST_PATH}",
            additional_headers={"Authorization": f"Bearer {token}", SITE_HEADER: site, **headers},
            subprotocols=[SUBPROTOCOL],
            compression=None,
            max_queue=None,
            proxy=None,
            logger=logging.getLogger("tests.peer"),
        )
        return connections.enter_context(dialled)

    with connections:
        yield dial


def answer(connection):
    return decode(connection.recv(timeout=10))[1]


def is_closed(connection) -> bool:
    """The connection ends, whatever still comes before."""
    try:
        while True:
            connection.recv(timeout=10)
    except ConnectionClosed:
        return True


def opened(connection, stream=0, key=KEY, **fields):
    connection.send(encode(stream, Open(1, key, f"run-{stream}", **fields)))
    return answer(connection)


BROKEN = {
    "random bytes": lambda: random.Random(3).randbytes(200),
    "nothing at all": lambda: b"",
    "a text message": lambda: "hello",
    "a header that is longer than its message": lambda: b"\0\0\0\0\0\xff\xff\x91",
    "an unknown kind of frame": lambda: b"\0\0\0\0\0\0\x02\x91\x63",
    "a frame for a stream that was never opened": lambda: encode(7, Ack(0)),
    "a frame only receivers send": lambda: encode(0, Accept(0, 1, 0.0)),
    "data above the durable offset": lambda: encode(0, Data(5, 3244421341483603138, 0, memoryview(b""))),
    "a segment that leaves a hole": lambda: encode(0, Segment(5, 0, "x", 0, "start")),
    "an end behind the bytes": lambda: encode(0, Eof(99)),
    "a heartbeat of bytes that never came": lambda: encode(0, Heartbeat(99, 99)),
    "a reply": lambda: encode(0, Reply(0, True)),
}


@pytest.mark.parametrize("message", BROKEN.values(), ids=BROKEN)
def test_what_breaks_the_protocol_closes_that_connection_and_no_other(ws, recorder, tmp_path, peer, message, caplog):
    register(ws, recorder)

    with live_log(ws, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        evil = peer()
        assert isinstance(opened(evil), Accept)
        evil.send(message())
        assert is_closed(evil)
        live.write(b"line 2\n")
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert recorder.data() == b"line 1\nline 2\n"
    complaints = [r for r in caplog.records if r.levelno >= logging.WARNING and r.name.startswith("logstreamer")]
    assert [r.levelname for r in complaints] == ["WARNING"]


def test_a_version_from_the_future_is_rejected_with_a_reason(ws, recorder, peer):
    register(ws, recorder)
    evil = peer()

    evil.send(encode(0, Open(99, KEY, "run")))
    rejection = answer(evil)

    assert isinstance(rejection, Reject)
    assert not rejection.transient
    assert "version 1" in rejection.reason


def test_a_site_name_that_would_forge_a_line_of_our_log_is_refused(ws, peer):
    ws.engine("server")
    with pytest.raises(InvalidStatus) as refusal:
        peer(site="%1b%5b2Jevil%0ainjected")
    assert refusal.value.response.status_code == 400


def test_bytes_beyond_the_window_close_the_connection(ws, recorder, peer):
    """Memory is not the peer's to take."""
    release = threading.Event()
    register(ws, recorder, chunk_received_cb=lambda *args: release.wait(20))
    evil = peer()
    accept = opened(evil)
    evil.send(encode(0, Segment(0, 0, "x", 0, "start")))
    payload = memoryview(b"x" * (1 << 19))
    try:
        for offset in range(0, accept.window + (2 << 20), len(payload)):
            evil.send(encode(0, Data(offset, checksum(payload), 1, payload)))
        assert is_closed(evil)
    except ConnectionClosed:
        pass
    finally:
        release.set()


def test_heartbeats_without_end_do_not_pile_up_behind_a_slow_callback(ws, recorder, peer):
    """Memory is not the peer's to take."""
    release = threading.Event()
    register(ws, recorder, chunk_received_cb=lambda *args: release.wait(20))
    evil = peer()
    opened(evil)
    evil.send(encode(0, Segment(0, 0, "x", 0, "start")))
    evil.send(encode(0, Data(0, checksum(b"x"), 1, memoryview(b"x"))))
    [inbound] = ws.engine("server").receiver.live()
    wait_until(lambda: inbound.busy_since is not None)
    for _ in range(5000):
        evil.send(encode(0, Heartbeat(1, 1, 1)))
    assert evil.ping().wait(20)

    assert len(inbound._jobs) < 100
    release.set()


def test_10_000_opens_cost_the_others_nothing(ws, recorder, tmp_path, peer):
    """W2."""
    register(ws, recorder)
    evil = peer()

    with live_log(ws, tmp_path / "train.log") as live:
        live.write(numbered(100))
        for number in range(10_000):
            key = StreamKey("nobody", "registered", "", str(number))
            evil.send(encode(number, Open(1, key, "run")))
            if number % 500 == 499:
                for _ in range(500):
                    assert isinstance(answer(evil), Reject)
        live.write(numbered(100, 100))
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert recorder.data() == numbered(200)
    wait_until(lambda: not any(ws.engine("server").receiver.live()))


@pytest.mark.parametrize(
    ("token", "site", "status"), [("a guess", "evil", 401), (TOKEN, "", 400), (TOKEN, "x" * 300, 400)]
)
def test_a_stranger_is_turned_away_before_the_connection_stands(ws, peer, token, site, status):
    """W3."""
    ws.engine("server")
    with pytest.raises(InvalidStatus) as refused:
        peer(site=site, token=token)

    assert refused.value.response.status_code == status


def test_a_site_that_leaves_with_its_streams_open_is_forgotten_after_its_idle_timeout(ws, peer):
    recorder = Recorder()
    register(ws, recorder, idle_timeout=2.0)
    evil = peer()
    for number in range(50):
        assert isinstance(opened(evil, number, StreamKey("logs", "train", "", str(number))), Accept)
    evil.close()

    recorder.wait_for_done(50)
    receiver = ws.engine("server").receiver

    assert recorder.rcs() == [ReturnCode.TIMEOUT] * 50
    wait_until(lambda: not any(receiver.live()))
    assert (receiver._on_outlet, receiver._opened) == ({}, {})


def test_no_token_is_written_down(ws, recorder, tmp_path, caplog):
    """Not for debugging either: such a log is what people send along with a question."""
    caplog.set_level(logging.DEBUG)
    register(ws, recorder)
    with live_log(ws, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        live.stop()

    assert caplog.records
    assert TOKEN not in caplog.text
