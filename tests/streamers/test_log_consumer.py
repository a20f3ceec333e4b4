"""The receiving side of a log stream, message by message."""

from __future__ import annotations

import threading

import pytest

from logstreamer.apis.context import FLContext
from logstreamer.apis.shareable import ReturnCode, Shareable
from logstreamer.apis.streaming import ObjectConsumer, PayloadKey, StreamContextKey
from logstreamer.streamers import LogChunkConsumerFactory, dispatch_stream_done
from logstreamer.streamers.chunk import OFFSET_HEADER, Chunk
from logstreamer.streamers.idle import IdleClock, IdleWatcher
from logstreamer.streamers.log_consumer import LogChunkConsumer, only_once

PATIENCE = 20.0
FL_CTX = FLContext(identity_name="server")


@pytest.fixture
def consumer(recorder):
    """A consumer without a clock."""
    return LogChunkConsumer({}, recorder.on_chunk, 0, {"tag": "mine"})


def give(consumer, message, fl_ctx=FL_CTX):
    go_on, reply = consumer.consume(message, {}, fl_ctx)
    return go_on, reply.get_return_code()


def chunk(data, offset=None, eof=False, size=None):
    """A message, with our offset header where one is given."""
    message = Shareable()
    message[PayloadKey.DATA] = data
    message[PayloadKey.SIZE] = len(data or b"") if size is None else size
    message[PayloadKey.EOF] = eof
    if offset is not None:
        message.set_header(OFFSET_HEADER, offset)
    return message


# Messages


def test_each_data_chunk_reaches_the_callback_once_in_order(consumer, recorder):
    for data in (b"a", b"b", b"c"):
        assert give(consumer, chunk(data)) == (True, ReturnCode.OK)

    assert [(data, fl_ctx, kwargs) for data, _, fl_ctx, kwargs in recorder.chunks] == [
        (data, FL_CTX, {"tag": "mine"}) for data in (b"a", b"b", b"c")
    ]


def test_heartbeats_never_reach_the_callback(consumer, recorder):
    assert give(consumer, Chunk(0, heartbeat=True).to_message()) == (True, ReturnCode.OK)
    assert give(consumer, Shareable({PayloadKey.HEARTBEAT: True})) == (True, ReturnCode.OK)

    assert recorder.chunks == []


def test_the_end_of_file_ends_it_and_what_arrives_later_is_rejected(consumer, recorder):
    assert give(consumer, chunk(b"a")) == (True, ReturnCode.OK)
    assert give(consumer, chunk(b"b", eof=True)) == (False, ReturnCode.OK)
    assert give(consumer, chunk(b"c")) == (False, ReturnCode.TASK_ABORTED)

    assert recorder.data() == b"ab"


def test_after_finalize_everything_is_rejected_with_task_aborted(consumer, recorder):
    consumer.finalize({}, None)

    assert give(consumer, chunk(b"a")) == (False, ReturnCode.TASK_ABORTED)
    assert recorder.chunks == []


@pytest.mark.parametrize(("data", "size"), [(b"abc", 4), (b"abc", 0), (b"", 1), (None, 7)])
def test_a_chunk_whose_size_disagrees_with_its_size_field_is_a_value_error_with_both_sizes(
    consumer, recorder, data, size
):
    with pytest.raises(ValueError, match=f"carries {len(data or b'')} bytes.*says {size}$"):
        give(consumer, chunk(data, size=size))

    assert recorder.chunks == []


@pytest.mark.parametrize("message", [chunk("text"), chunk(5, size=1), chunk(b"a", "0"), chunk(b"a", -1)])
def test_nonsense_is_a_value_error(consumer, recorder, message):
    with pytest.raises(ValueError, match="must be"):
        give(consumer, message)

    assert recorder.chunks == []


def test_a_failing_callback_propagates_and_is_not_called_again(recorder):
    def fail(data, stream_ctx, fl_ctx):
        recorder.on_chunk(data, stream_ctx, fl_ctx)
        raise OSError("disk full")

    consumer = LogChunkConsumer({}, fail, 0, {})

    with pytest.raises(OSError, match="disk full"):
        give(consumer, chunk(b"a"))

    assert give(consumer, chunk(b"b")) == (False, ReturnCode.TASK_ABORTED)
    assert recorder.data() == b"a"


# N5


def test_a_chunk_that_is_delivered_twice_is_taken_once(consumer, recorder):
    give(consumer, chunk(b"abc", 0))

    assert give(consumer, chunk(b"abc", 0)) == (True, ReturnCode.OK)
    assert give(consumer, chunk(b"cde", 2)) == (True, ReturnCode.OK)
    assert give(consumer, chunk(None, 5, eof=True)) == (False, ReturnCode.OK)
    assert recorder.data() == b"abcde"


def test_a_chunk_that_is_missing_is_noticed_never_a_hole(consumer, recorder):
    give(consumer, chunk(b"abc", 0))

    with pytest.raises(ValueError, match="begins at offset 6, but only 3 bytes were received"):
        give(consumer, chunk(b"ghi", 6))

    assert recorder.data() == b"abc"


def test_a_missing_last_chunk_is_noticed_at_the_end_of_file(consumer):
    give(consumer, chunk(b"abc", 0))

    with pytest.raises(ValueError, match="begins at offset 6"):
        give(consumer, chunk(None, 6, eof=True))


def test_a_missing_first_chunk_is_noticed(consumer, recorder):
    """N19: offset 0 is a real offset, the one where a stream begins."""
    with pytest.raises(ValueError, match="only 0 bytes"):
        give(consumer, chunk(b"b", 1))


def test_an_end_of_file_before_what_was_received_is_noticed(consumer):
    give(consumer, chunk(b"abc", 0))

    with pytest.raises(ValueError, match="ends at offset 2"):
        give(consumer, chunk(None, 2, eof=True))


def test_replies_say_how_many_bytes_were_taken(consumer):
    for data, offset, taken in ((b"", 0, 0), (b"abc", 0, 3), (b"abc", 0, 3), (b"d", 3, 4)):
        _, reply = consumer.consume(chunk(data, offset), {}, FL_CTX)
        assert reply.get_header(OFFSET_HEADER) == taken


def test_a_chunk_that_comes_again_while_its_callback_runs_is_neither_taken_nor_acknowledged(recorder):
    started, release = threading.Event(), threading.Event()

    def slow(data, stream_ctx, fl_ctx):
        recorder.on_chunk(data, stream_ctx, fl_ctx)
        started.set()
        release.wait(PATIENCE)

    consumer = LogChunkConsumer({}, slow, 0, {})
    thread = threading.Thread(target=give, args=(consumer, chunk(b"a", 0)))
    thread.start()
    assert started.wait(PATIENCE)

    assert give(consumer, chunk(b"a", 0)) == (True, ReturnCode.TIMEOUT)
    release.set()
    thread.join()

    assert give(consumer, chunk(b"a", 0)) == (True, ReturnCode.OK)
    assert recorder.data() == b"a"


# The idle timeout


class Ended:
    """An END_STREAM hook that remembers."""

    def __init__(self) -> None:
        self.calls = []
        self.event = threading.Event()

    def __call__(self, rc, fl_ctx):
        self.calls.append((rc, fl_ctx))
        self.event.set()


def idle_consumer(ended, timeout=0.05, callback=None, fl_ctx=None):
    """A consumer with a watcher of its own."""
    ctx = {StreamContextKey.END_STREAM: ended} if ended else {}
    return LogChunkConsumer(ctx, callback, timeout, {}, fl_ctx, IdleWatcher())


def test_silence_closes_the_stream_through_the_engines_end_stream_hook():
    ended = Ended()
    consumer = idle_consumer(ended)
    give(consumer, chunk(b"a"))

    assert ended.event.wait(PATIENCE)
    assert ended.calls == [(ReturnCode.TIMEOUT, FL_CTX)]
    assert give(consumer, chunk(b"b")) == (False, ReturnCode.TASK_ABORTED)


def test_a_sender_that_dies_at_once_is_noticed_even_when_no_fl_context_has_been_seen():
    """N16: then the callback gets None."""
    ended = Ended()
    consumer = idle_consumer(ended)

    assert ended.event.wait(PATIENCE)
    assert ended.calls == [(ReturnCode.TIMEOUT, None)]
    assert consumer.take_idle_clock() == 0.05


def test_the_context_the_stream_was_opened_with_is_the_last_one_seen_until_another_comes():
    ended = Ended()
    opening = FLContext()
    consumer = idle_consumer(ended, fl_ctx=opening)

    assert ended.event.wait(PATIENCE)
    assert ended.calls == [(ReturnCode.TIMEOUT, opening)]
    consumer.finalize({}, None)


def test_a_missing_hook_is_logged_as_an_error(caplog):
    consumer = idle_consumer(None, timeout=0.001)

    settle(consumer, 0.01)

    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == [
        "an idle log stream cannot be ended: its context has no END_STREAM hook"
    ]


def settle(consumer, seconds):
    """Wait until the watcher has looked at all clocks that are due within *seconds*."""
    called = threading.Event()
    consumer._watcher.watch(IdleClock(seconds, consumer._monotonic(), called.set))
    assert called.wait(PATIENCE)


def test_no_timeout_while_a_callback_runs_and_never_done_before_it_returned():
    """N14: a callback slower than the idle timeout, with looks at the clock meanwhile."""
    ended, ended_meanwhile = Ended(), []

    def slow(data, stream_ctx, fl_ctx):
        for _ in range(3):
            settle(consumer, 0.06)
        ended_meanwhile.extend(ended.calls)

    consumer = idle_consumer(ended, timeout=0.05, callback=slow)
    before = consumer._monotonic()

    assert give(consumer, chunk(b"a")) == (True, ReturnCode.OK)

    assert ended_meanwhile == []
    assert consumer._monotonic() - before > 0.15
    assert ended.event.wait(PATIENCE)


def test_an_idle_timeout_of_0_disables_it():
    consumer = idle_consumer(Ended(), timeout=0)

    assert consumer._watcher.threads == 0
    assert consumer.take_idle_clock() == 0


def test_finalize_and_end_of_file_stop_the_clock():
    for finish in (lambda c: c.finalize({}, None), lambda c: give(c, chunk(None, eof=True))):
        consumer = idle_consumer(Ended(), timeout=1000.0)
        finish(consumer)
        assert consumer._watcher._heap == []


def test_an_engine_with_a_clock_of_its_own_takes_it_over(recorder):
    ended = Ended()
    consumer = idle_consumer(ended, timeout=1000.0, callback=recorder.on_chunk)

    assert consumer.take_idle_clock() == 1000.0

    assert consumer._watcher._heap == []
    assert give(consumer, chunk(b"a")) == (True, ReturnCode.OK)
    assert recorder.data() == b"a"


def test_the_hook_and_the_callbacks_run_under_no_lock(recorder):
    """They may come back into the consumer, from any thread."""
    done = threading.Event()

    def end_stream(rc, fl_ctx):
        thread = threading.Thread(target=consumer.finalize, args=({}, fl_ctx))
        thread.start()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert give(consumer, chunk(b"a")) == (False, ReturnCode.TASK_ABORTED)
        done.set()

    consumer = idle_consumer(end_stream)

    assert done.wait(PATIENCE)


def test_a_thousand_streams_share_one_thread():
    """N18."""
    before = threading.active_count()
    factory = LogChunkConsumerFactory(None, 1000.0, None, {})

    consumers = [factory.get_consumer({}, None) for _ in range(1000)]

    assert threading.active_count() <= before + 1
    for consumer in consumers:
        consumer.finalize({}, None)


# The done callback and its factory


def test_each_stream_has_its_own_consumer_and_its_own_done_callback(recorder):
    factory = LogChunkConsumerFactory(recorder.on_chunk, 0, recorder.on_done, {})
    first, second = {"id": 1}, {"id": 2}

    consumers = [factory.get_consumer(ctx, FL_CTX) for ctx in (first, second)]
    for ctx in (first, second, first):
        dispatch_stream_done(ctx, None, tag="mine")

    assert consumers[0] is not consumers[1]
    assert all(isinstance(consumer, ObjectConsumer) for consumer in consumers)
    assert [(ctx["id"], fl_ctx, kwargs) for ctx, fl_ctx, kwargs in recorder.done] == [
        (1, None, {"tag": "mine"}),
        (2, None, {"tag": "mine"}),
    ]


def test_dispatch_stream_done_returns_what_the_callback_returns_the_first_time():
    ctx = {}
    LogChunkConsumerFactory(None, 0, lambda stream_ctx, fl_ctx: "mine", {}).get_consumer(ctx, None)

    assert dispatch_stream_done(ctx, None) == "mine"
    assert dispatch_stream_done(ctx, None) is None


def test_dispatch_stream_done_without_a_callback_does_nothing():
    assert dispatch_stream_done({}, None) is None


def test_what_a_peer_puts_in_place_of_the_done_callback_is_dropped():
    ctx = {PayloadKey.STREAM_DONE_CB: "__import__('os')"}

    LogChunkConsumerFactory(None, 0, None, {}).get_consumer(ctx, None)

    assert PayloadKey.STREAM_DONE_CB not in ctx


def test_only_once_lets_exactly_one_of_many_threads_through():
    """N17."""
    for _ in range(50):
        calls, start = [], threading.Barrier(16)
        function = only_once(calls.append)

        def race(number, function=function, start=start):
            start.wait()
            function(number)

        threads = [threading.Thread(target=race, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(calls) == 1
