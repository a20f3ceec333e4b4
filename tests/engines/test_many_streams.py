"""N18: many streams cost neither threads nor memory, and none of them starves."""

from __future__ import annotations

import threading

import pytest

from conftest import wait_until
from contract.ends import live_log, numbered, register
from logstreamer import LogStreamer, ReturnCode
from logstreamer.engines.pump import WORKERS
from logstreamer.follow_spec import FollowSpec
from logstreamer.protocol.frames import StreamKey
from streamers.recording import Recorder


def follow(engine, path, stop, **options):
    key = StreamKey("logs", "train", "job-7", path.name, str(path))
    return engine.follow(FollowSpec(str(path), stop, **options), key, ["server"], {"Streamer.file_name": path.name})


@pytest.mark.slow
def test_500_streams_of_one_engine_need_no_more_threads_than_one(net, tmp_path):
    recorder, stop = Recorder(), threading.Event()
    register(net, recorder)
    site = net.engine("site-1")
    before = threading.active_count()
    paths = [tmp_path / f"{number}.log" for number in range(500)]
    for number, path in enumerate(paths):
        path.write_bytes(numbered(50, 100 * number))

    followings = [follow(site, path, stop) for path in paths]
    recorder.wait(lambda: len({id(ctx) for _, ctx, *_ in recorder.chunks}) == 500)
    during = threading.active_count()
    stop.set()
    results = [following.result(30) for following in followings]

    assert {rc for rc, _ in results} == {ReturnCode.OK}
    assert during - before <= WORKERS + 1
    received = {}
    for data, ctx, *_ in recorder.chunks:
        name = LogStreamer.get_file_name(ctx)
        received[name] = received.get(name, b"") + data
    assert received == {path.name: path.read_bytes() for path in paths}
    recorder.wait_for_done(500)
    assert set(recorder.rcs()) == {ReturnCode.OK}


def test_a_thousand_short_streams_leave_nothing_in_any_table(net, tmp_path):
    recorder, stop = Recorder(), threading.Event()
    register(net, recorder)
    site, server = net.engine("site-1"), net.engine("server")
    log = tmp_path / "train.log"
    log.write_bytes(b"line 1\n")
    stop.set()

    for _ in range(20):
        followings = [follow(site, log, stop, poll_interval=0.01) for _ in range(50)]
        for following in followings:
            assert following.result(20)[0] == ReturnCode.OK

    recorder.wait_for_done(1000)
    assert recorder.data() == b"line 1\n" * 1000
    receiver, [channel] = server.receiver, site._channels.values()
    wait_until(lambda: not any(receiver.live()))
    assert receiver._waiting == {}
    assert [streams for streams in receiver._on_outlet.values() if streams] == []
    assert (site._followings, dict(site._keys), site.pump._alarms, server.pump._alarms) == (set(), {}, {}, {})
    assert (channel._ids, channel._timed) == ({}, {})


def test_a_stream_that_never_stops_does_not_starve_the_others(net, tmp_path):
    """Frames of one connection take turns, one each."""
    recorder, stop = Recorder(), threading.Event()
    register(net, recorder)
    site = net.engine("site-1")
    big, small = tmp_path / "big.log", tmp_path / "small.log"
    big.write_bytes(b"x" * (64 << 20))
    small.write_bytes(b"small\n")

    big_one = follow(site, big, stop)
    recorder.wait(lambda: recorder.chunks != [])
    small_one = follow(site, small, stop)
    recorder.wait(lambda: any(data == b"small\n" for data, *_ in recorder.chunks))
    came_first = sum(len(data) for data, *_ in recorder.chunks)
    stop.set()

    assert big_one.result(30)[0] == small_one.result(30)[0] == ReturnCode.OK
    assert came_first < 64 << 20


def test_a_receiver_that_never_takes_anything_bounds_what_its_sender_holds(net, tmp_path):
    """N10: memory does not grow with the backlog; the file is the queue."""
    recorder, release = Recorder(), threading.Event()

    def block(data, stream_ctx, fl_ctx):
        assert release.wait(30)
        recorder.on_chunk(data, stream_ctx, fl_ctx)

    register(net, recorder, chunk_received_cb=block)
    size = 32 << 20

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"x" * size)
        site = net.engine("site-1")
        wait_until(lambda: [f for f in site._followings if f.status()[0]["behind"] == size])
        [following] = site._followings
        [lane] = following.sender.lanes
        wait_until(lambda: lane.protocol.room == 0 and lane.protocol.window.in_flight > 0)
        [inbound] = net.engine("server").receiver.live()
        held = lane.protocol.window.in_flight
        assert held <= inbound._window <= 4 << 20
        release.set()
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert sum(len(data) for data, *_ in recorder.chunks) == size
