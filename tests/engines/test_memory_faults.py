"""A bad network, with numbered lines and exact bytes as the oracle."""

from __future__ import annotations

import random
import threading

import pytest

from conftest import wait_until
from contract.ends import live_log, numbered, register
from contract.nets import MemoryNet
from contract.objects import EchoFactory, ListProducer
from logstreamer import Faults, MemoryNetwork, ReturnCode
from logstreamer.follow_spec import FollowSpec
from streamers.recording import Recorder

FAULTS = {
    "N4 the transport swallows messages": Faults(drop=0.05),
    "N5 messages come twice": Faults(duplicate=0.2),
    "N2 the connection is cut": Faults(cut=0.03),
    "messages are slow": Faults(delay=0.002),
    "all of it": Faults(drop=0.02, duplicate=0.05, cut=0.02, delay=0.0005),
}


@pytest.fixture
def faulty(request, no_leaks):
    """A network with the faults and the seed of the test; the seed is printed where it fails."""
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    net = MemoryNet()
    net.network = MemoryNetwork(request.param, seed)
    yield net
    net.network.faults = Faults()
    net.close()


@pytest.mark.parametrize("faulty", FAULTS.values(), ids=FAULTS, indirect=True)
def test_the_copy_is_exact_and_done_is_called_once(faulty, recorder, tmp_path):
    register(faulty, recorder)

    with live_log(faulty, tmp_path / "train.log", chunk_size=300, chunk_timeout=0.05) as live:
        for first in range(0, 5000, 500):
            live.write(numbered(500, first))
        rc, result = live.stop()

    assert recorder.data() == numbered(5000)
    assert (rc, bool(result)) == (ReturnCode.OK, True)
    assert recorder.rcs() == [ReturnCode.OK]


@pytest.mark.parametrize("faulty", [FAULTS["all of it"]], ids=["all of it"], indirect=True)
def test_twenty_streams_of_three_sites_are_all_exact(faulty, tmp_path):
    recorder = Recorder()
    register(faulty, recorder)
    lives = [
        live_log(faulty, tmp_path / f"{number}.log", f"site-{number % 3}", chunk_size=500, chunk_timeout=0.05)
        for number in range(20)
    ]

    for number, live in enumerate(lives):
        live.write(numbered(300, 1000 * number))
        live.__enter__()
    for live in lives:
        live.stop_event.set()
    for live in lives:
        assert live.result()[0] == ReturnCode.OK
        live.__exit__(None, None, None)

    for number in range(20):
        assert recorder.data(f"{number}.log") == numbered(300, 1000 * number)
    assert recorder.rcs() == [ReturnCode.OK] * 20


@pytest.mark.parametrize(
    "faulty",
    [Faults(drop=0.02), Faults(duplicate=0.2), Faults(cut=0.02)],
    ids=["drop", "duplicate", "cut"],
    indirect=True,
)
def test_each_object_is_consumed_once_and_answered(faulty):
    """Objects cannot be made again: a lost one is asked for, a double one dropped."""
    factory = EchoFactory()
    faulty.engine("server").register_stream_processing("any", "objects", factory)
    site = faulty.engine("site-1")
    make_protocol = site._protocol  # a lost message is missed after 0.05 s instead of 5
    site._protocol = lambda *args: make_protocol(*args[:4], FollowSpec("", chunk_timeout=0.05))
    producer = ListProducer([{"n": n, "fill": b"x" * 1000} for n in range(200)], timeout=30.0)

    rc, _ = site.stream_objects("any", "objects", {}, ["server"], producer, site.new_context())

    assert rc == ReturnCode.OK
    assert [message["n"] for message in factory.consumers[0].messages] == list(range(200))
    assert [replies["server"]["n"] for replies in producer.replies] == list(range(200))


def test_a_connection_that_dies_with_its_window_full_costs_nothing(memory, recorder, tmp_path):
    """N11."""
    release = threading.Event()

    def block(data, stream_ctx, fl_ctx):
        assert release.wait(20)
        recorder.on_chunk(data, stream_ctx, fl_ctx)

    register(memory, recorder, chunk_received_cb=block)
    log = tmp_path / "train.log"
    log.write_bytes(numbered(1_000_000))

    with live_log(memory, log) as live:
        site = memory.engine("site-1")
        wait_until(lambda: site._followings)
        [following] = site._followings
        [lane] = following.sender.lanes
        wait_until(lambda: lane.protocol.window.in_flight > 0 and lane.protocol.room == 0)
        memory.network.cut("site-1", "server")
        release.set()
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert recorder.data() == numbered(1_000_000)
