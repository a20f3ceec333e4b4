"""No reply is not an acknowledgement, and one target's failure is its own."""

import itertools
import logging

import pytest

from logstreamer.apis.outcomes import Outcomes
from logstreamer.apis.shareable import ReturnCode, make_reply
from logstreamer.apis.streaming import PayloadKey
from logstreamer.streamers.chunk import OFFSET_HEADER
from logstreamer.streamers.delivery import MAX_RESENDS
from streamers.fakes import TailBench, acknowledged, ok


def started(*targets: str, **follow) -> TailBench:
    """A bench with its first chunk out."""
    bench = TailBench(targets, chunk_size=2, **follow)
    bench.feed.write(b"aabbcc")
    return bench


def test_no_reply_at_all_sends_the_same_bytes_again():
    """N4."""
    bench = started("server")

    first = bench.produce()
    assert bench.reply() is None
    second = bench.produce()
    assert bench.reply(server=acknowledged(second)) is None

    assert first == second
    assert first is not second
    assert bench.produce()[PayloadKey.DATA] == b"bb"


def test_a_missing_reply_of_one_target_sends_the_same_bytes_again():
    """N4: the other one counts bytes, so it takes them once."""
    bench = started("a", "b")

    message = bench.produce()
    assert bench.reply(a=acknowledged(message)) is None
    assert bench.produce() == message
    assert bench.reply(a=acknowledged(message), b=acknowledged(message)) is None

    assert bench.produce()[PayloadKey.DATA] == b"bb"


def test_a_resend_never_doubles_bytes_at_a_target_that_does_not_count_them():
    """The silent target is given up instead: its trouble stays its own."""
    bench = started("stock", "silent")
    bench.stopped = True

    messages = [bench.produce()]
    while (result := bench.reply(stock=ok())) is None:
        messages.append(bench.produce())

    assert [message[PayloadKey.DATA] for message in messages] == [b"aa", b"bb", b"cc", None]
    assert not result
    assert list(result.failed) == ["silent"]
    assert result["stock"].get_return_code() == ReturnCode.OK


def test_resends_are_bounded_and_hold_one_chunk_only(caplog):
    bench = started("server")
    sends = 0

    result = None
    while result is None:
        message = bench.produce()
        bench.feed.write(b"more")
        sends += 1
        result = bench.reply()

    assert message[PayloadKey.DATA] == b"aa"
    assert sends == MAX_RESENDS + 1
    assert not result
    assert result["server"].get_return_code() == ReturnCode.COMMUNICATION_ERROR
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_resends_are_spaced_out_further_and_further():
    bench = started("server", poll_interval=0.5)
    times = []

    for _ in range(5):
        bench.produce()
        times.append(bench.time.now)
        bench.reply()

    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert all(least <= pause <= 1.25 * least + 1e-6 for least, pause in zip([0.5, 1, 2, 4], pauses, strict=True))


def test_the_count_of_resends_begins_anew_with_each_chunk():
    bench = started("server")

    for _ in range(3):
        for _ in range(MAX_RESENDS):
            message = bench.produce()
            assert bench.reply() is None
        assert bench.reply(server=acknowledged(message)) is None


@pytest.mark.parametrize("rc", [ReturnCode.COMMUNICATION_ERROR, ReturnCode.TIMEOUT])
def test_a_timeout_is_no_reply_once_the_receiver_counts_bytes(rc):
    """N3: its stall ends nothing, since a repeated chunk is taken once."""
    bench = started("server")
    bench.reply(server=acknowledged(bench.produce()))

    message = bench.produce()
    assert bench.reply(server=make_reply(rc)) is None
    assert bench.produce() == message


def test_a_timeout_is_a_failure_where_a_resend_could_double_the_bytes(caplog):
    """It says what is not acknowledged: the message under way, and what follows it."""
    bench = started("server")
    bench.produce()
    bench.reply(server=ok())

    bench.produce()
    bench.feed.write(b"later")
    result = bench.reply(server=make_reply(ReturnCode.TIMEOUT))

    assert result is not None
    assert not result
    assert "9 bytes are not acknowledged" in result["server"].get_header("reason")
    assert "9 bytes are not acknowledged" in caplog.text


def test_what_never_left_is_sent_again_to_everybody():
    """A communication error is an engine's word for that, so nothing is doubled."""
    bench = started("server")
    bench.produce()
    bench.reply(server=ok())

    message = bench.produce()
    assert bench.reply(server=make_reply(ReturnCode.COMMUNICATION_ERROR)) is None
    assert bench.produce() == message
    assert bench.reply(server=ok()) is None

    assert bench.produce()[PayloadKey.DATA] == b"cc"


def test_a_message_without_bytes_is_sent_again_after_a_timeout():
    """Twice is as good as once."""
    bench = TailBench(liveness_interval=3.0)

    assert bench.produce()[PayloadKey.HEARTBEAT]
    assert bench.reply(server=make_reply(ReturnCode.TIMEOUT)) is None
    assert bench.produce()[PayloadKey.HEARTBEAT]
    assert bench.reply(server=ok()) is None


def test_an_acknowledgement_of_less_than_was_sent_is_no_acknowledgement():
    """N10."""
    bench = started("server")
    bench.reply(server=acknowledged(bench.produce()))

    message = bench.produce()
    assert bench.reply(server=make_reply(ReturnCode.OK, {OFFSET_HEADER: 2})) is None

    assert bench.produce() == message


def test_an_acknowledgement_of_more_than_was_sent_is_a_failure():
    """N10."""
    bench = started("server")
    bench.produce()

    result = bench.reply(server=make_reply(ReturnCode.OK, {OFFSET_HEADER: 3}))

    assert result is not None
    assert not result


def test_offset_0_is_a_real_offset():
    """N19: an acknowledgement of 0 bytes is one of the first heartbeat, and not one of the first chunk."""
    bench = TailBench()
    assert bench.produce()[PayloadKey.HEARTBEAT]
    bench.reply(server=make_reply(ReturnCode.OK, {OFFSET_HEADER: 0}))
    bench.feed.write(b"aa")

    message = bench.produce()
    assert bench.reply(server=make_reply(ReturnCode.OK, {OFFSET_HEADER: 0})) is None

    assert bench.produce() == message


def test_one_targets_failure_does_not_end_the_stream_for_the_others():
    """N12, as far as an engine that sends to all targets at once allows it."""
    bench = started("a", "b", "c")
    bench.stopped = True
    sent = b""

    message = bench.produce()
    while (result := bench.reply(a=acknowledged(message), b=make_reply(ReturnCode.ERROR))) is None:
        message = bench.produce()
        if message.get_header(OFFSET_HEADER) == len(sent) + 2:
            sent += b"xx"

    assert message[PayloadKey.EOF]
    assert sorted(result.failed) == ["b", "c"]
    assert result["b"].get_return_code() == ReturnCode.ERROR
    assert result["c"].get_return_code() == ReturnCode.COMMUNICATION_ERROR
    assert not result


def test_the_stream_ends_at_once_when_all_targets_have_failed():
    bench = started("a", "b")
    bench.produce()

    result = bench.reply(a=make_reply(ReturnCode.ERROR), b=make_reply(ReturnCode.BAD_REQUEST_DATA))

    assert result is not None
    assert sorted(result.failed) == ["a", "b"]


def test_the_result_maps_each_target_to_its_reply():
    bench = started("a", "b")
    bench.stopped = True
    message = bench.produce()
    while (result := bench.reply(a=acknowledged(message), b=acknowledged(message))) is None:
        message = bench.produce()

    assert result
    assert result == {"a": acknowledged(message), "b": acknowledged(message)}


def test_targets_may_answer_by_another_name():
    """A name may stand for a group, which only the engine can resolve."""
    bench = started("@ALL")
    bench.stopped = True
    message = bench.produce()

    while (result := bench.reply(s1=acknowledged(message), s2=acknowledged(message))) is None:
        message = bench.produce()

    assert result
    assert list(result) == ["s1", "s2"]


def test_outcomes_are_falsy_when_empty_and_when_any_target_failed():
    good, bad = make_reply(ReturnCode.OK), make_reply(ReturnCode.ERROR)

    assert not Outcomes()
    assert Outcomes(a=good)
    assert not Outcomes(a=good, b=bad)
    assert Outcomes(a=good, b=bad).failed == {"b": bad}
