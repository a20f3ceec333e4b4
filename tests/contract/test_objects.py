"""Contract: any object stream works, not only logs: a user's own producer, consumer and factory."""

from __future__ import annotations

import os
import threading

import pytest

from contract.ends import register
from contract.objects import EchoConsumer, EchoFactory, ListProducer
from logstreamer import ConfigError, LogStreamer, ObjectConsumer, PayloadKey, ReturnCode, Shareable, Signal
from streamers.recording import PATIENCE, Recorder


def serve(net, factory, server="server", **options):
    net.engine(server).register_stream_processing("any", "objects", factory, **options)


def stream(net, producer, targets=("server",), stream_ctx=None, site="site-1", **options):
    engine = net.engine(site)
    context = engine.new_context(job_id="job-7", **options)
    return engine.stream_objects("any", "objects", {} if stream_ctx is None else stream_ctx, targets, producer, context)


def test_messages_and_replies_travel_both_ways_with_their_headers(net):
    factory, done = EchoFactory(), Recorder()
    serve(net, factory, stream_done_cb=done.on_done, tag="mine")
    first = Shareable({"number": 1, "nothing": None, "raw": b"\0\xff", "deep": {"list": [1, 2.5, "x"]}})
    first.set_header("mine", "header")
    producer = ListProducer([first, {"number": 2}])

    rc, result = stream(net, producer)

    assert rc == ReturnCode.OK
    assert result is producer.replies
    [consumer] = factory.consumers
    assert [dict(message) for message in consumer.messages] == [dict(first), {"number": 2}]
    assert consumer.messages[0].get_header("mine") == "header"
    replies = [reply["server"] for reply in producer.replies]
    assert [dict(reply) for reply in replies] == [dict(first), {"number": 2}]
    assert [reply.get_header("count") for reply in replies] == [1, 2]
    done.wait_for_done()
    assert done.rcs() == [net.ended_by_sender]
    assert done.done[0][2] == {"tag": "mine"}


def test_a_stream_of_no_messages_ends_well_at_both_ends(net):
    factory, done = EchoFactory(), Recorder()
    serve(net, factory, stream_done_cb=done.on_done)

    rc, _ = stream(net, ListProducer([]))

    assert rc == ReturnCode.OK
    done.wait_for_done()
    assert done.rcs() == [ReturnCode.OK]
    [consumer] = factory.consumers
    assert consumer.finalized == [ReturnCode.OK]


def test_a_factory_that_makes_no_consumer_is_an_error_at_the_receiver_too(net, caplog):
    serve(net, EchoFactory(lambda: None))
    producer = ListProducer([{"n": 1}])

    stream(net, producer)

    assert producer.replies[0]["server"].get_return_code() == ReturnCode.EXECUTION_EXCEPTION
    assert any(record.levelname == "ERROR" and "cannot begin" in record.message for record in caplog.records)


def test_a_message_of_5_mib_is_whole(net):
    factory = EchoFactory(Sizes)
    serve(net, factory)
    big = os.urandom(5 << 20)
    producer = ListProducer([{"big": big}, {"big": b""}])

    rc, _ = stream(net, producer)

    assert rc == ReturnCode.OK
    assert factory.consumers[0].messages[0]["big"] == big
    assert producer.replies[0]["server"]["size"] == 5 << 20


@pytest.mark.parametrize(("size", "rc"), [(1_000_000, ReturnCode.OK), (1 << 20, ReturnCode.EXECUTION_EXCEPTION)])
def test_a_reply_of_more_than_1_mib_is_execution_exception_and_not_a_dead_connection(net, size, rc):
    """A known limitation: a message may be longer than a frame, a reply may not."""
    serve(net, EchoFactory())
    producer = ListProducer([{"big": b"x" * size}])

    stream(net, producer)

    assert producer.replies[0]["server"].get_return_code() == rc


def test_get_consumer_is_called_once_for_each_stream_and_return_consumer_after_finalize(net):
    factory = EchoFactory()
    serve(net, factory)

    for _ in range(2):
        factory.is_returned.clear()
        stream(net, ListProducer([{"n": 1}, {"n": 2}]))
        assert factory.is_returned.wait(PATIENCE)

    assert len(factory.consumers) == 2
    assert factory.returned == [(consumer, [net.ended_by_sender]) for consumer in factory.consumers]
    assert [len(consumer.messages) for consumer in factory.consumers] == [2, 2]


def test_the_stream_context_is_one_plain_dict_for_each_stream(net):
    factory = EchoFactory()
    serve(net, factory)

    stream(net, ListProducer([{"n": 1}]), stream_ctx={"round": 3})

    [ctx] = factory.contexts
    assert ctx["round"] == 3
    assert (LogStreamer.get_channel(ctx), LogStreamer.get_topic(ctx)) == ("any", "objects")


def test_consumed_cb_gets_the_outcome_of_each_message(net):
    factory, consumed = EchoFactory(), []
    serve(net, factory, consumed_cb=lambda outcome, ctx, fl_ctx, **kwargs: consumed.append((outcome, kwargs)), tag=1)

    stream(net, ListProducer([{"n": 1}, {"n": 2}]))

    assert [(outcome[0], outcome[1]["n"], kwargs) for outcome, kwargs in consumed] == [
        (True, 1, {"tag": 1}),
        (True, 2, {"tag": 1}),
    ]


def test_a_producer_that_raises_aborts_the_stream_and_its_caller_sees_the_error(net):
    factory, done = EchoFactory(), Recorder()
    serve(net, factory, stream_done_cb=done.on_done)

    with pytest.raises(ZeroDivisionError, match="mine"):
        stream(net, ListProducer([{"n": 1}, ZeroDivisionError("mine")]))

    done.wait_for_done()
    assert done.rcs() == [ReturnCode.TASK_ABORTED]
    assert factory.consumers[0].finalized == [ReturnCode.TASK_ABORTED]


def test_a_none_message_ends_the_stream(net):
    factory, done = EchoFactory(), Recorder()
    serve(net, factory, stream_done_cb=done.on_done)

    rc, result = stream(net, ListProducer([{"n": 1}, None, {"n": 2}]))

    assert (rc, result) == (ReturnCode.OK, None)
    assert len(factory.consumers[0].messages) == 1
    done.wait_for_done()
    assert done.rcs() == [net.ended_by_sender]


def test_a_consumer_that_ends_early_ends_the_stream_with_its_own_reply(net):
    factory, done = EchoFactory(limit=2), Recorder()
    serve(net, factory, stream_done_cb=done.on_done)
    producer = ListProducer([{"n": n} for n in range(5)])

    stream(net, producer)

    assert [message["n"] for message in factory.consumers[0].messages] == [0, 1]
    assert producer.replies[1]["server"]["n"] == 1
    done.wait_for_done()
    assert done.rcs() == [ReturnCode.OK]


def test_a_consumer_that_raises_is_execution_exception_at_both_sides(net):
    def fail():
        raise ValueError("the consumer's own trouble")

    factory, done = EchoFactory(before=fail), Recorder()
    serve(net, factory, stream_done_cb=done.on_done)
    producer = ListProducer([{"n": 1}])

    rc, result = stream(net, producer)

    assert (rc, result) == (ReturnCode.ERROR, False)
    assert producer.replies[0]["server"].get_return_code() == ReturnCode.EXECUTION_EXCEPTION
    done.wait_for_done()
    assert done.rcs() == [ReturnCode.EXECUTION_EXCEPTION]
    assert factory.consumers[0].finalized == [ReturnCode.EXECUTION_EXCEPTION]


class Sizes(EchoConsumer):
    """Answers with the size of what came."""

    def consume(self, shareable, stream_ctx, fl_ctx):
        go_on, _ = super().consume(shareable, stream_ctx, fl_ctx)
        return go_on, Shareable(size=len(shareable["big"]))


class BadReply(ObjectConsumer):
    """Its reply cannot travel."""

    def __init__(self) -> None:
        self.finalized: list[str] = []

    def consume(self, shareable, stream_ctx, fl_ctx):
        return True, Shareable(mine=object())

    def finalize(self, stream_ctx, fl_ctx):
        self.finalized.append(stream_ctx["__RC__"])


class PlainOk(BadReply):
    """Answers None."""

    def consume(self, shareable, stream_ctx, fl_ctx):
        return True, None


def test_a_reply_that_cannot_travel_is_execution_exception_at_both_sides(net):
    factory, done = EchoFactory(BadReply), Recorder()
    serve(net, factory, stream_done_cb=done.on_done)
    producer = ListProducer([{"n": 1}])

    stream(net, producer)

    assert producer.replies[0]["server"].get_return_code() == ReturnCode.EXECUTION_EXCEPTION
    done.wait_for_done()
    assert done.rcs() == [ReturnCode.EXECUTION_EXCEPTION]


def test_a_reply_of_none_is_a_plain_ok(net):
    serve(net, EchoFactory(PlainOk))
    producer = ListProducer([{"n": 1}])

    rc, _ = stream(net, producer)

    assert rc == ReturnCode.OK
    assert producer.replies[0]["server"].get_return_code() == ReturnCode.OK


def test_a_factory_that_raises_is_told_to_the_sender(net):
    def fail():
        raise ValueError("the factory's own trouble")

    serve(net, EchoFactory(fail))
    producer = ListProducer([{"n": 1}])

    rc, result = stream(net, producer)

    assert (rc, result) == (ReturnCode.ERROR, False)
    assert producer.replies[0]["server"].get_return_code() == ReturnCode.EXECUTION_EXCEPTION


@pytest.mark.parametrize("timeout", [0, -1.0])
def test_a_timeout_that_is_not_positive_is_a_value_error(net, timeout):
    serve(net, EchoFactory())
    with pytest.raises(ValueError, match="timeout"):
        stream(net, ListProducer([{"n": 1}], timeout=timeout))


def test_a_message_that_cannot_travel_is_a_config_error(net):
    serve(net, EchoFactory())
    with pytest.raises(ConfigError, match="cannot be sent"):
        stream(net, ListProducer([{"n": object()}]))


def test_nobody_registered_is_execution_exception_and_nobody_there_communication_error(net):
    net.engine("server")
    for target, rc in (("server", ReturnCode.EXECUTION_EXCEPTION), ("server-3", ReturnCode.COMMUNICATION_ERROR)):
        producer = ListProducer([{"n": 1}], timeout=0.6)
        stream(net, producer, targets=[target])
        assert producer.replies[0][target].get_return_code() == rc


def test_the_first_message_may_be_made_again_until_somebody_registers(net):
    """Bootstrap: while nothing was taken, the next message takes the place of the last."""
    factory = EchoFactory()
    net.engine("server")

    class Patient(ListProducer):
        def process_replies(self, replies, stream_ctx, fl_ctx):
            if replies["server"].get_return_code() == ReturnCode.EXECUTION_EXCEPTION:
                serve(net, factory)
                self._sent = 0
                return None
            return super().process_replies(replies, stream_ctx, fl_ctx)

    rc, _ = stream(net, Patient([{"n": 1}, {"n": 2}], timeout=0.5))

    assert rc == ReturnCode.OK
    assert [message["n"] for message in factory.consumers[0].messages] == [1, 2]


def test_several_targets_answer_each_for_itself(net):
    one, other = EchoFactory(), EchoFactory()
    serve(net, one)
    serve(net, other, "server-2")
    producer = ListProducer([{"n": n} for n in range(3)])

    rc, _ = stream(net, producer, targets=["server", "server-2"])

    assert rc == ReturnCode.OK
    assert [sorted(replies) for replies in producer.replies] == [["server", "server-2"]] * 3
    assert len(one.consumers[0].messages) == len(other.consumers[0].messages) == 3


def test_an_abort_of_the_sending_run_ends_an_object_stream_as_aborted(net):

    factory, done, signal = EchoFactory(), Recorder(), Signal()
    serve(net, factory, stream_done_cb=done.on_done)

    class Endless(ListProducer):
        def process_replies(self, replies, stream_ctx, fl_ctx):
            signal.trigger()
            return None

    rc, _ = stream(net, Endless([{"n": 1}, {"n": 2}]), abort_signal=signal)

    assert rc == ReturnCode.TASK_ABORTED
    done.wait_for_done()
    assert done.rcs() == [ReturnCode.TASK_ABORTED]


def chunk(data: bytes | None, eof: bool = False, size: int | None = None) -> Shareable:
    return Shareable(
        {PayloadKey.DATA: data, PayloadKey.SIZE: len(data or b"") if size is None else size, PayloadKey.EOF: eof}
    )


def test_a_custom_producer_may_send_log_chunks_to_a_log_receiver(net, recorder):
    register(net, recorder)
    engine = net.engine("site-1")
    beat = chunk(None)
    beat[PayloadKey.HEARTBEAT] = True
    producer = ListProducer([chunk(b"line 1\n"), beat, chunk(b"line 2\n"), chunk(None, eof=True)])

    rc, _ = engine.stream_objects("logs", "train", {}, ["server"], producer, engine.new_context())

    assert rc == ReturnCode.OK
    recorder.wait_for_done()
    assert [data for data, *_ in recorder.chunks] == [b"line 1\n", b"line 2\n"]
    assert recorder.rcs() == [ReturnCode.OK]


def test_a_chunk_whose_size_disagrees_with_its_size_field_is_execution_exception(net, recorder):
    register(net, recorder)
    engine = net.engine("site-1")
    producer = ListProducer([chunk(b"good\n"), chunk(b"bad\n", size=3), chunk(None, eof=True)])

    rc, result = engine.stream_objects("logs", "train", {}, ["server"], producer, engine.new_context())

    assert (rc, result) == (ReturnCode.ERROR, False)
    assert producer.replies[1]["server"].get_return_code() == ReturnCode.EXECUTION_EXCEPTION
    recorder.wait_for_done()
    assert recorder.data() == b"good\n"
    assert recorder.rcs() == [ReturnCode.EXECUTION_EXCEPTION]


def test_a_custom_producer_that_falls_silent_is_given_up_after_idle_timeout(net, recorder):
    """The idle clock is the receiver's, whoever the sender is: a hanging producer is as good as dead."""
    register(net, recorder, idle_timeout=0.3)
    engine = net.engine("site-1")

    class Hanging(ListProducer):
        def produce(self, stream_ctx, fl_ctx):
            if self.replies:
                recorder.wait_for_done()
            return super().produce(stream_ctx, fl_ctx)

    producer = Hanging([chunk(b"line 1\n"), chunk(b"line 2\n"), chunk(None, eof=True)])
    rc, result = engine.stream_objects("logs", "train", {}, ["server"], producer, engine.new_context())

    assert (rc, result) == (ReturnCode.ERROR, False)
    assert recorder.rcs() == [ReturnCode.TIMEOUT]
    assert recorder.data() == b"line 1\n"


def test_a_sender_that_vanishes_is_noticed_by_a_consumer_without_an_idle_clock_too(net, monkeypatch):
    """finalize is guaranteed at the end; a sender that never comes back is one."""
    from logstreamer import inbound

    monkeypatch.setattr(inbound, "ABANDONED_SECONDS", 0.3)
    factory, done, hanging, hang = EchoFactory(), Recorder(), threading.Event(), threading.Event()
    serve(net, factory, stream_done_cb=done.on_done)

    class Hanging(ListProducer):
        def produce(self, stream_ctx, fl_ctx):
            if self.replies:
                hanging.set()
                hang.wait(PATIENCE)
                raise RuntimeError("its engine is gone")
            return super().produce(stream_ctx, fl_ctx)

    def call():
        with pytest.raises(RuntimeError):
            stream(net, Hanging([{"n": 1}, {"n": 2}]))

    caller = threading.Thread(target=call)
    caller.start()
    assert hanging.wait(PATIENCE)
    net.vanish("site-1")
    done.wait_for_done()
    hang.set()
    caller.join(PATIENCE)

    assert done.rcs() == [ReturnCode.TIMEOUT]
    assert factory.consumers[0].finalized == [ReturnCode.TIMEOUT]
    assert isinstance(factory.returned[0][0], EchoConsumer)
