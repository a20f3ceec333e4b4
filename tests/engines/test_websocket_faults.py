"""What networks do to TCP, and what restarts do to both ends."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator

import pytest

from conftest import wait_until
from contract.ends import live_log, numbered, register
from contract.nets import TOKEN, WebSocketNet
from engines.proxy import Proxy
from logstreamer import ConfigError, EngineError, LogStreamer, ReturnCode, WebSocketEngine
from logstreamer.engines import websocket
from logstreamer.protocol.codec import ENCODINGS
from streamers.recording import LiveLog, Recorder


@pytest.fixture
def ws(no_leaks: None, monkeypatch) -> Iterator[WebSocketNet]:
    """Real servers; their senders come back quickly."""
    monkeypatch.setattr(websocket, "FIRST_RETRY", 0.01)
    monkeypatch.setattr(websocket, "LAST_RETRY", 0.1)
    net = WebSocketNet()
    yield net
    net.close()


@pytest.fixture
def proxy(ws) -> Iterator[Proxy]:
    """A bad way to the server."""
    with Proxy(ws._ports["server"]) as proxy:
        yield proxy


def through(proxy: Proxy, site: str = "site-1") -> WebSocketEngine:
    return WebSocketEngine.connect(site, {"server": proxy.url}, token=TOKEN)


def following(engine, path, **arguments) -> LiveLog:
    return LiveLog(engine, path, ("server",), **arguments)


@pytest.mark.slow
def test_a_hundred_cuts_at_random_points_neither_lose_nor_double_a_byte(ws, proxy, recorder, tmp_path):
    """N2."""
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    register(ws, recorder)
    written = 0

    with through(proxy) as site, following(site, tmp_path / "train.log", chunk_size=700, chunk_timeout=0.5) as live:
        while proxy.cuts < 100:
            cuts = proxy.cuts
            proxy.cut_after(chance.randrange(1, 20_000))
            while proxy.cuts == cuts:
                live.write(numbered(200, written))
                written += 200
                wait_until(lambda cuts=cuts, goal=9 * written: proxy.cuts > cuts or len(recorder.data()) >= goal)
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert recorder.data() == numbered(written)
    assert recorder.rcs() == [ReturnCode.OK]


def test_a_stall_longer_than_chunk_timeout_costs_nothing(ws, proxy, recorder, tmp_path, caplog):
    """N3."""
    register(ws, recorder)

    with through(proxy) as site, following(site, tmp_path / "train.log", chunk_timeout=0.05) as live:
        live.write(numbered(100))
        recorder.wait_for_data(numbered(100))
        proxy.stall()
        live.write(numbered(100, 100))
        wait_until(lambda: site._channels["server"]._timed[0].session.protocol._attempt >= 3)
        proxy.let_go()
        recorder.wait_for_data(numbered(200))
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert recorder.data() == numbered(200)
    assert [r for r in caplog.records if r.levelno > logging.INFO and r.name.startswith("logstreamer")] == []


def test_a_stall_longer_than_idle_timeout_is_one_timeout_and_a_new_run_that_continues(ws, proxy, recorder, tmp_path):
    """N3: the sender comes back by itself, nothing is lost and nothing doubled."""
    register(ws, recorder, idle_timeout=0.3)

    with through(proxy) as site, following(site, tmp_path / "train.log") as live:
        live.write(numbered(100))
        recorder.wait_for_data(numbered(100))
        proxy.stall()
        live.write(numbered(100, 100))
        recorder.wait_for_done()
        proxy.let_go()
        recorder.wait_for_data(numbered(200))
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert recorder.data() == numbered(200)
    assert recorder.rcs() == [ReturnCode.TIMEOUT, ReturnCode.OK]


def test_the_newest_connection_wins_over_one_that_is_still_half_open(ws, proxy, recorder, tmp_path):
    """N9: the sender was restarted; that the old one is gone, the receiver learns from its silence only."""
    register(ws, recorder, idle_timeout=3.0)
    site = through(proxy)

    with following(site, tmp_path / "train.log") as live:
        live.write(numbered(100))
        recorder.wait_for_data(numbered(100))
        proxy.stall()
        wait_until(lambda: len(ws.engine("server").receiver._on_outlet) == 1)
        site.shutdown_streamer()
        live.result()
    with live_log(ws, tmp_path / "train.log") as live:
        live.write(numbered(100, 100))
        recorder.wait_for_data(numbered(200))
        proxy.let_go()  # whatever the old one still had to say arrives now
        live.write(numbered(100, 200))
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert recorder.data() == numbered(300)
    assert recorder.rcs() == [ReturnCode.OK]


def test_a_second_sender_of_the_same_stream_waits_until_the_first_is_gone(ws, recorder, tmp_path):
    """N9: two live senders that claim the same stream: the second says why it waits, and mixes nothing in."""
    register(ws, recorder)
    rival = WebSocketEngine.connect("site-1", {"server": ws.engine("server").url}, token=TOKEN)

    with rival, live_log(ws, tmp_path / "train.log") as first:
        first.write(numbered(100))
        recorder.wait_for_data(numbered(100))
        with following(rival, tmp_path / "train.log") as second:
            wait_until(lambda: rival._followings)
            lane = next(iter(rival._followings)).sender.lanes[0]
            wait_until(lambda: "another sender" in lane.trouble)
            first.write(numbered(100, 100))
            recorder.wait_for_data(numbered(200))
            ws.vanish("site-1")
            second.write(numbered(100, 200))
            rc, _ = second.stop()

    assert rc == ReturnCode.OK
    assert recorder.data() == numbered(300)
    assert recorder.rcs() == [ReturnCode.OK]


def test_a_sender_that_vanished_and_returns_continues_at_the_durable_offset(ws, recorder, tmp_path):
    """N6 at engine level: a new engine, the same file."""
    register(ws, recorder)

    for round_ in range(4):
        with live_log(ws, tmp_path / "train.log") as live:
            live.write(numbered(100, 100 * round_))
            recorder.wait_for_data(numbered(100 * (round_ + 1)))
            ws.vanish("site-1")
    with live_log(ws, tmp_path / "train.log") as live:
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert recorder.data() == numbered(400)
    assert recorder.rcs() == [ReturnCode.OK]


def test_a_sender_that_returns_after_the_idle_timeout_begins_a_new_run_at_the_durable_offset(ws, recorder, tmp_path):
    """N16: one done callback for each run."""
    register(ws, recorder, idle_timeout=0.2)

    for round_ in range(3):
        with live_log(ws, tmp_path / "train.log") as live:
            live.write(numbered(100, 100 * round_))
            recorder.wait_for_data(numbered(100 * (round_ + 1)))
            ws.vanish("site-1")
            recorder.wait_for_done(round_ + 1)
    with live_log(ws, tmp_path / "train.log") as live:
        live.stop()

    assert recorder.data() == numbered(300)
    assert recorder.rcs() == [ReturnCode.TIMEOUT] * 3 + [ReturnCode.OK]


def test_a_wrong_token_is_refused_at_once_and_the_reason_is_told(ws, recorder, tmp_path):
    """W3."""
    register(ws, recorder)
    stranger = WebSocketEngine.connect("site-1", {"server": ws.engine("server").url}, token="a guess")

    with stranger, following(stranger, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        rc, result = live.result()

    assert (rc, bool(result)) == (ReturnCode.ERROR, False)
    assert result["server"].get_return_code() == ReturnCode.COMMUNICATION_ERROR
    assert "wrong token" in result["server"].get_header("reason")
    assert recorder.chunks == []


def test_a_second_stream_after_a_refusal_is_refused_as_quickly(ws, recorder, tmp_path):
    register(ws, recorder)
    stranger = WebSocketEngine.connect("site-1", {"server": ws.engine("server").url}, token="a guess")

    with stranger:
        for number in range(2):
            with following(stranger, tmp_path / f"{number}.log") as live:
                live.write(b"line 1\n")
                rc, _ = live.result()
                assert rc == ReturnCode.ERROR


def test_an_address_in_use_is_an_engine_error(ws):
    server = ws.engine("server")
    with pytest.raises(EngineError, match="cannot listen"):
        WebSocketEngine.serve("other", port=int(server.url.rsplit(":", 1)[1]), token=TOKEN)


@pytest.mark.parametrize("encodings", [ENCODINGS, ()], ids=["zstd", "plain"])
def test_bytes_are_exact_compressed_or_not(ws, recorder, tmp_path, monkeypatch, encodings):
    monkeypatch.setattr(WebSocketEngine, "_encodings", lambda self, target: encodings)
    register(ws, recorder)
    noise = random.Random(1).randbytes(300_000)

    with live_log(ws, tmp_path / "train.log") as live:
        live.write(numbered(20_000) + noise)
        recorder.wait(lambda: recorder.chunks != [])
        [inbound] = ws.engine("server").receiver.live()
        assert inbound.encoding == (encodings[0] if encodings else "")
        live.stop()

    assert recorder.data() == numbered(20_000) + noise


def test_two_sites_with_one_name_of_file_do_not_meet(ws, tmp_path):
    recorder = Recorder()
    register(ws, recorder)

    with live_log(ws, tmp_path / "a.log", "site-1") as one, live_log(ws, tmp_path / "a.log", "site-2") as other:
        one.write(b"line 1\n")
        recorder.wait(lambda: len(recorder.chunks) == 2)
        one.stop()
        other.stop()

    assert sorted(ctx.get_peer_context().get_identity_name() for _, _, ctx, _ in recorder.chunks) == [
        "site-1",
        "site-2",
    ]
    assert recorder.rcs() == [ReturnCode.OK] * 2


def test_an_unknown_target_is_a_config_error_that_names_the_known_ones(ws, tmp_path):
    with pytest.raises(ConfigError, match=r"'elsewhere'.*server, server-2, server-3"):
        LogStreamer.stream_log("logs", "train", {}, ["elsewhere"], tmp_path / "x", ws.engine("site-1").new_context())
