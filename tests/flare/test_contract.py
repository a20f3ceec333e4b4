"""The contract over NVFlare's ObjectStreamer, between two processes on cellnet.

The servers, with the callbacks of a test, are in this process; the sites that send in another one, where LogStreamer,
FileStreamer or a test's producer runs on NVFlare's engine (see `apart`).
"""

from __future__ import annotations

import pytest

from contract.ends import live_log, numbered, register
from contract.objects import ListProducer
from contract.test_bootstrap import *  # noqa: F403
from contract.test_endings import *  # noqa: F403
from contract.test_file_stream import *  # noqa: F403
from contract.test_log_stream import *  # noqa: F403
from contract.test_objects import *  # noqa: F403
from contract.test_objects import stream
from contract.test_registration import *  # noqa: F403
from contract.test_targets import *  # noqa: F403
from logstreamer.lane import GIVE_UP_SECONDS

NOT_ON_NVFLARE = (
    # NVFlare's engines end with their processes and tell nobody: see the two tests below for what holds instead.
    "test_a_sender_that_was_shut_down_and_returns_continues_where_it_stopped",
    "test_idle_timeout_0_disables_the_clock",
    # Its engine keeps the transaction of an object stream whose sender is gone, and asks no consumer about it. Logs
    # have their idle timeout.
    "test_a_sender_that_vanishes_is_noticed_by_a_consumer_without_an_idle_clock_too",
    # It sends no message where there is none, so the receiver never hears of the stream.
    "test_a_stream_of_no_messages_ends_well_at_both_ends",
    # A target without a cell is TIMEOUT there; that nobody is registered is shown below.
    "test_nobody_registered_is_execution_exception_and_nobody_there_communication_error",
    # It encodes a reply when it has left our hands: the sender hears nothing, which is TIMEOUT.
    "test_a_reply_that_cannot_travel_is_execution_exception_at_both_sides",
    # A limit of our own engines.
    "test_a_reply_of_more_than_1_mib_is_execution_exception_and_not_a_dead_connection",
    # An idle timeout of 50 ms is less than a message and its reply take: test_cellnet has 2 s.
    "test_a_callback_slower_than_the_idle_timeout_is_no_timeout_and_done_comes_after_it",
)
for name in NOT_ON_NVFLARE:
    del globals()[name]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


@pytest.fixture(autouse=True)
def impatient(request: pytest.FixtureRequest) -> None:
    """As in the contract's tests of several targets."""
    if "net" in request.fixturenames:
        seconds = 1.0 if request.function.__module__ == "contract.test_targets" else GIVE_UP_SECONDS
        request.getfixturevalue("net").far().calls.call("far", "give_up_after", seconds)


def test_a_sender_that_was_killed_and_returns_continues_where_it_stopped(net, recorder, tmp_path):
    """Promise 3, kill -9: nothing is lost and nothing comes twice, also for callbacks."""
    register(net, recorder, idle_timeout=2.0)  # two thirds of it after its last word a sender may be followed
    with live_log(net, tmp_path / "train.log") as live:
        live.write(numbered(10))
        recorder.wait_for_data(numbered(10))
        net.vanish("site-1")

    with live_log(net, tmp_path / "train.log") as live:
        live.write(numbered(5, 10))
        live.stop()

    assert recorder.data() == numbered(15)
    assert recorder.rcs()[-1] == "OK"


def test_idle_timeout_0_waits_for_a_killed_sender(net, recorder, tmp_path):
    """There is no clock for it."""
    register(net, recorder, idle_timeout=0)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        recorder.wait_for_data(b"line 1\n")
        net.vanish("site-1")

    [inbound] = net.engine("server").receiver.live()
    assert inbound.get_timer() is None
    assert recorder.done == []


def test_a_stream_of_objects_that_nobody_registered_for_is_execution_exception(net):
    """After the time that its first message has."""
    net.engine("server")
    producer = ListProducer([{"n": 1}], timeout=0.5)

    rc, result = stream(net, producer)

    assert (rc, result) == ("ERROR", False)
    assert producer.replies[0]["server"].get_return_code() == "EXECUTION_EXCEPTION"
    assert len(producer.replies) == 1
