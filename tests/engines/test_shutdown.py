"""The end of an engine: whatever is under way ends with it, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from conftest import wait_until
from contract.ends import live_log, register
from contract.objects import EchoFactory, ListProducer
from logstreamer import EngineError, LogStreamer, MemoryNetwork, ReturnCode
from logstreamer.engines.pump import Pump
from streamers.recording import PATIENCE


def test_shutdown_ends_the_streams_under_way_at_both_sides(net, recorder, tmp_path):
    register(net, recorder)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        net.shut_down("site-1")
        rc, result = live.result()

    assert (rc, bool(result)) == (ReturnCode.ERROR, False)
    assert result["server"].get_return_code() == ReturnCode.TASK_ABORTED
    recorder.wait_for_done()
    assert recorder.rcs() == [ReturnCode.TASK_ABORTED]


def test_shutdown_of_the_receiver_calls_the_done_callback_and_tells_the_sender(net, recorder, tmp_path):
    register(net, recorder)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        net.shut_down("server")
        assert recorder.rcs() == [ReturnCode.TASK_ABORTED]
        _, result = live.result()

    assert result["server"].get_return_code() == ReturnCode.TASK_ABORTED


def test_shutdown_twice_and_from_many_threads_is_once(net):
    engine = net.engine("server")

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(engine.shutdown_streamer) for _ in range(8)]
        assert not wait(calls, PATIENCE).not_done
    engine.shutdown_streamer()

    assert [call.exception() for call in calls] == [None] * 8


def test_after_shutdown_every_call_says_so(net, tmp_path):
    engine = net.engine("site-1")
    engine.shutdown_streamer()

    with pytest.raises(EngineError, match="shut down"):
        LogStreamer.register_stream_processing(engine.new_context(), "logs", "train")
    with pytest.raises(EngineError, match="shut down"):
        LogStreamer.stream_log("logs", "train", {}, ["server"], tmp_path / "x", engine.new_context())
    with pytest.raises(EngineError, match="shut down"):
        engine.stream_objects("any", "objects", {}, ["server"], ListProducer([]), engine.new_context())


def test_shutdown_from_a_chunk_callback_ends_the_engine_and_calls_the_done_callback(net, recorder, tmp_path):
    server = net.engine("server")

    def on_chunk(data, stream_ctx, fl_ctx):
        recorder.on_chunk(data, stream_ctx, fl_ctx)
        server.shutdown_streamer()

    register(net, recorder, chunk_received_cb=on_chunk)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        recorder.wait_for_done()
        net.shut_down("site-1")

    assert recorder.rcs() == [ReturnCode.TASK_ABORTED]


def test_shutdown_from_the_done_callback_ends_the_engine(net, recorder, tmp_path):
    server = net.engine("server")

    def on_done(stream_ctx, fl_ctx):
        server.shutdown_streamer()
        recorder.on_done(stream_ctx, fl_ctx)

    register(net, recorder, stream_done_cb=on_done)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        live.stop_event.set()
        recorder.wait_for_done()
        net.shut_down("site-1")


def test_a_callback_that_outlasts_the_shutdown_is_still_followed_by_the_done_callback(net, recorder, tmp_path):
    entered, release = threading.Event(), threading.Event()

    def on_chunk(data, stream_ctx, fl_ctx):
        entered.set()
        assert release.wait(PATIENCE)

    register(net, recorder, chunk_received_cb=on_chunk)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        assert entered.wait(PATIENCE)
        net.shut_down("server")
        assert recorder.done == []
        release.set()
        recorder.wait_for_done()
        net.shut_down("site-1")

    assert recorder.rcs() == [ReturnCode.TASK_ABORTED]


def test_shutdown_while_a_consumer_is_slow_to_answer_does_not_hold_the_producer(net):
    release = threading.Event()
    net.engine("server").register_stream_processing(
        "any", "objects", EchoFactory(before=lambda: release.wait(PATIENCE))
    )
    site = net.engine("site-1")
    producer = ListProducer([{"n": 1}], timeout=60.0)

    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(site.stream_objects, "any", "objects", {}, ["server"], producer, site.new_context())
        assert producer.produced.wait(PATIENCE)
        net.shut_down("site-1")
        done = wait([call], 5.0).done
        release.set()
        assert done, "stream_objects outlived its engine"

    assert producer.replies[0]["server"].get_return_code() == ReturnCode.TASK_ABORTED


@pytest.mark.parametrize("tries", range(5))
def test_calls_that_race_with_the_shutdown_return_or_raise_but_never_hang(tries, no_leaks):
    for _ in range(40):
        pump = Pump("racing")
        go = threading.Barrier(5)

        def ask(pump=pump, go=go):
            go.wait(PATIENCE)
            for _ in range(50):
                try:
                    pump.ask(lambda: 7)
                except EngineError:
                    return

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        go.wait(PATIENCE)
        pump.stop()
        deadline = time.monotonic() + 5.0
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        assert not any(thread.is_alive() for thread in threads)


def test_a_stream_that_begins_during_the_shutdown_ends_with_it(no_leaks, tmp_path):
    """The last moments of an engine, in which callbacks are waited for, are still calls from other threads away."""
    with MemoryNetwork() as network:
        server, site = network.engine("server"), network.engine("site-1")
        winding, begun = threading.Event(), threading.Event()
        wind_up = site._wind_up

        async def slow_wind_up():
            winding.set()
            await wind_up()
            begun.set()
            for _ in range(20):
                await __import__("asyncio").sleep(0.01)

        site._wind_up = slow_wind_up
        context = site.new_context()

        def stream_all():
            results = []
            for number in range(10_000):
                try:
                    stop = threading.Event()
                    LogStreamer.stream_log("logs", "train", {}, ["server"], tmp_path / f"{number}", context, stop)
                except EngineError:
                    return results
            return results

        with ThreadPoolExecutor(1) as pool:
            shutdown = pool.submit(site.shutdown_streamer)
            assert winding.wait(PATIENCE)
            streams = threading.Thread(target=stream_all, daemon=True)
            streams.start()
            shutdown.result(PATIENCE)
            streams.join(5.0)
            assert not streams.is_alive()
        assert server.receiver is not None


def test_an_interrupted_stream_log_leaves_no_stream_behind(net, recorder, tmp_path):
    """KeyboardInterrupt is raised in the main thread while it waits for the end."""
    import signal

    register(net, recorder)
    site = net.engine("site-1")
    log = tmp_path / "train.log"
    log.write_bytes(b"line 1\n")

    def interrupt():
        recorder.wait_for_data(b"line 1\n")
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        LogStreamer.stream_log("logs", "train", {}, ["server"], log, site.new_context())
    thread.join()

    wait_until(lambda: not site._followings)
    recorder.wait_for_done()
    assert recorder.rcs() == [ReturnCode.TASK_ABORTED]
