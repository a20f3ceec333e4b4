"""The rules of the protocol, one test or more for each, and the faults that gave some of them their shape."""

from __future__ import annotations

import itertools
import random

import pytest
import xxhash

from logstreamer.errors import LocalProtocolError, RemoteProtocolError
from logstreamer.protocol.codec import checksum
from logstreamer.protocol.frames import MAX_NAME, Accept, Ack, Data, Eof, Frame, Heartbeat, Open, Reply, Segment
from logstreamer.protocol.receiver import Position, ReceiverProtocol, ReceiverState
from logstreamer.protocol.sender import MIN_HEARTBEAT, Failed, Positioned, Replied, Resumed, SenderProtocol, SenderState
from logstreamer.protocol.window import MAX_WINDOW
from protocol.pair import KEY, ProtocolPair, abort_of


def receiver_at(durable: int = 0, *, window: int = 100, idle_timeout: float = 30.0) -> ReceiverProtocol:
    receiver = ReceiverProtocol(Position(durable), run_start=durable, window=window, idle_timeout=idle_timeout, now=0.0)
    receiver.attach(None, "", 0.0)
    receiver.next_frame()
    return receiver


def data(offset: int, payload: bytes, segments: int = 0) -> Data:
    return Data(offset, checksum(payload), segments, memoryview(payload))


def taken(receiver: ReceiverProtocol, frame: Frame) -> bytes:
    news = receiver.receive(frame, 0.0)
    return bytes(news.payload) if isinstance(news, Data) else b""


def frames_of(sender: SenderProtocol) -> list[Frame]:
    return list(iter(sender.next_frame, None))


def objects_sender() -> SenderProtocol:
    """A sender of an "objects" stream that has sent one message and waits for the reply."""
    sender = SenderProtocol(KEY, new_run=lambda: "run", jitter=lambda: 0.0, kind="objects")
    sender.attach(0.0)
    sender.receive(Accept(0, 100, 0.0, attempt=1), 0.0)
    sender.send_data(memoryview(b"message"), 0.0)
    sender.expect_reply(0.0)
    frames_of(sender)
    return sender


# -- the tests everybody reads first


def test_reconnect_resends_only_what_is_not_durable():
    """After a cut the sender continues from the receiver's offset: no loss, no duplicate."""
    pair = ProtocolPair(window=100)
    pair.sender.send_data(memoryview(b"abcdef"), now=0.0)
    pair.deliver(Data, count=1)
    assert pair.receiver is not None
    pair.receiver.written(3)

    pair.cut()
    pair.reconnect(now=5.0)

    assert pair.delivered_bytes == b"abcdef"


# -- rule 1


def test_rule_1_data_below_the_durable_offset_is_trimmed():
    receiver = receiver_at(10)
    assert taken(receiver, data(6, b"6789ab")) == b"ab"
    assert taken(receiver, data(6, b"6789ab")) == b""
    assert isinstance(receiver.next_frame(), Ack)


def test_rule_1_trimmed_data_carries_the_checksum_of_what_is_left():
    frame = receiver_at(10).receive(data(6, b"6789ab"), 0.0)
    assert isinstance(frame, Data)
    assert (frame.offset, frame.checksum) == (10, checksum(b"ab"))


def test_rule_1_data_above_it_is_an_error_and_never_a_hole():
    receiver = receiver_at(10)
    with pytest.raises(RemoteProtocolError):
        receiver.receive(data(11, b"b"), 0.0)
    assert receiver.received == 10


def test_rule_1_swapped_chunks_are_an_error():
    """N5: two chunks swap places."""
    receiver = receiver_at()
    with pytest.raises(RemoteProtocolError):
        receiver.receive(data(2, b"cd"), 0.0)
    assert taken(receiver, data(0, b"ab")) == b"ab"


def test_rule_1_no_data_behind_the_end():
    receiver = receiver_at()
    receiver.receive(Eof(0), 0.0)
    with pytest.raises(RemoteProtocolError):
        receiver.receive(data(0, b"a"), 0.0)


# -- rule 2


def test_rule_2_acks_never_go_back_and_never_pass_what_was_sent():
    """N10: a receiver that acknowledges too much or goes backwards breaks the protocol."""
    pair = ProtocolPair()
    pair.sender.send_data(memoryview(b"abcdef"), 0.0)
    pair.sender.receive(Ack(4), 0.0)
    for offset in (3, 7):
        with pytest.raises(RemoteProtocolError):
            pair.sender.receive(Ack(offset), 0.0)
    assert pair.sender.window.acked == 4


def test_rule_2_receiver_acknowledges_only_what_is_durable():
    receiver = receiver_at()
    receiver.receive(data(0, b"abcdef"), 0.0)
    assert receiver.next_frame() is None
    receiver.written(2)
    receiver.written(4)
    assert receiver.next_frame() == Ack(4)
    assert receiver.next_frame() is None
    for offset in (3, 7):
        with pytest.raises(LocalProtocolError):
            receiver.written(offset)


def test_rule_2_no_reply_is_not_an_ack():
    """N4: the transport swallows a send; the bytes stay in flight and are sent again."""
    pair = ProtocolPair()
    pair.source.written += b"abcdef"
    while pair.source.feed(pair.sender, 100, 0.0):
        pair.send()
    pair.to_receiver.clear()
    assert pair.sender.window.in_flight == 6

    pair.settle(20)

    assert pair.delivered_bytes == b"abcdef"


def test_rule_2_a_receiver_that_never_acknowledges_is_asked_again_and_again():
    sender = ProtocolPair().sender
    sender.send_data(memoryview(b"abc"), 0.0)
    opens, now = [], 0.0
    while now < 100.0:
        now = sender.get_timer() or now
        if sender.handle_timer(now):
            sender.send_heartbeat(0, now)
        opens += [now for frame in frames_of(sender) if isinstance(frame, Open)]
    assert opens == pytest.approx([5.0, 15.0, 35.0, 75.0, 115.0])


def test_rule_2_final_ack_counts_only_at_the_end():
    pair = ProtocolPair()
    pair.sender.send_data(memoryview(b"abc"), 0.0)
    with pytest.raises(RemoteProtocolError):
        pair.sender.receive(Ack(3, final=True), 0.0)
    pair.sender.send_eof(0.0)
    with pytest.raises(RemoteProtocolError):
        pair.sender.receive(Ack(2, final=True), 0.0)
    assert pair.sender.state is SenderState.ENDING


def test_rule_2_end_is_confirmed_only_when_all_is_durable():
    receiver = receiver_at()
    with pytest.raises(LocalProtocolError):
        receiver.finished()
    receiver.receive(data(0, b"ab"), 0.0)
    receiver.receive(Eof(2), 0.0)
    with pytest.raises(LocalProtocolError):
        receiver.finished()
    receiver.written(2)
    receiver.finished()
    assert receiver.next_frame() == Ack(2, final=True)


# -- rule 3


def test_rule_3_bytes_in_flight_never_exceed_the_window():
    pair = ProtocolPair(window=4)
    pair.sender.send_data(memoryview(b"abc"), 0.0)
    assert pair.sender.room == 1
    with pytest.raises(LocalProtocolError):
        pair.sender.send_data(memoryview(b"de"), 0.0)
    pair.sender.send_data(memoryview(b"d"), 0.0)
    assert pair.sender.room == 0


def test_rule_3_receiver_refuses_what_exceeds_its_window():
    receiver = receiver_at(window=4)
    receiver.receive(data(0, b"abcd"), 0.0)
    with pytest.raises(RemoteProtocolError):
        receiver.receive(data(4, b"e"), 0.0)


def test_rule_3_holds_for_bytes_sent_again_into_a_smaller_window():
    """N11: the window is full when the connection dies, and the next one is smaller than a single chunk was."""
    pair = ProtocolPair(window=100)
    pair.sender.send_data(memoryview(bytes(range(100))), 0.0)
    pair.cut()
    pair.window = 30
    pair.connect(5.0)
    pair.exchange(5.0)
    assert pair.receiver is not None
    assert pair.receiver.received == 30
    pair.settle(20)
    assert pair.errors == []
    assert pair.delivered_bytes == bytes(range(100))


def test_rule_3_heartbeat_overtakes_what_waits_for_room_and_does_not_boast():
    pair = ProtocolPair(window=100)
    pair.sender.send_data(memoryview(bytes(100)), 0.0)
    pair.cut()
    pair.window = 30
    pair.connect(5.0)
    pair.exchange(5.0)
    pair.sender.send_heartbeat(7, 6.0)
    assert pair.deliver(Heartbeat) == [Heartbeat(30, 107, 0)]


def test_rule_3_no_receiver_gives_away_our_memory():
    """W1: a window of a terabyte is not taken literally, at the first Accept or at a later one."""
    sender = SenderProtocol(KEY, new_run=lambda: "run", jitter=lambda: 0.0)
    for attempt in (1, 2):
        sender.attach(0.0)
        sender.receive(Accept(0, 1 << 40, 0.0, attempt=attempt), 0.0)
        assert sender.room == MAX_WINDOW
        sender.detach()


# -- rule 4


def test_rule_4_after_a_cut_only_what_lies_above_the_accepted_offset_is_sent_again():
    pair = ProtocolPair()
    pair.sender.send_segment("a", 0, "start", 0, "")
    pair.sender.send_data(memoryview(b"abc"), 0.0)
    pair.sender.send_data(memoryview(b"def"), 0.0)
    pair.deliver()
    pair.write(4)
    pair.cut()
    pair.connect(5.0)
    pair.deliver(Open)
    pair.answer(Accept)
    assert [(frame.offset, bytes(frame.payload)) for frame in pair.deliver(Data)] == [(4, b"ef")]


def test_rule_4_segment_is_sent_again_when_only_the_mark_was_lost():
    """A mark at the accepted offset has no byte behind it whose ack could speak for it."""
    pair = ProtocolPair()
    pair.sender.send_segment("a", 0, "start", 0, "")
    pair.sender.send_data(memoryview(b"abc"), 0.0)
    pair.deliver()
    pair.write()
    pair.answer()
    pair.sender.send_segment("b", 0, "rotated", 0, "")
    pair.cut()
    pair.reconnect(1.0)
    assert [mark.source for mark in pair.store.marks] == ["a", "b"]


def test_rule_4_restarted_sender_is_told_where_to_continue():
    """N6."""
    pair = ProtocolPair()
    pair.source.written += b"abcdef"
    while pair.source.feed(pair.sender, 2, 0.0):
        pair.deliver()
    pair.write(5)
    pair.restart_sender()
    pair.connect(1.0)
    pair.exchange(1.0)
    event = pair.events[-1]
    assert isinstance(event, Positioned)
    assert (event.accept.offset, event.accept.segments) == (6, 1)  # what was taken is written before a new run
    assert event.accept.segment is not None
    assert event.accept.segment.source == "file-0"


def test_rule_4_receiver_that_lost_durable_bytes_gets_them_again():
    """N8: without fsync the machine's power may take bytes that were acknowledged."""
    pair = ProtocolPair()
    pair.source.written += b"abcdef"
    while pair.source.feed(pair.sender, 2, 0.0):
        pair.exchange(0.0)
    pair.write()
    pair.exchange(0.0)
    pair.restart_receiver()
    del pair.store.copy[2:]
    pair.settle(20)
    assert pair.delivered_bytes == b"abcdef"
    assert pair.errors == []


def test_rule_4_forgetful_receiver_continues_at_what_was_acknowledged():
    pair = ProtocolPair(forgetful=True)
    pair.source.written += b"abcdef"
    while pair.source.feed(pair.sender, 2, 0.0):
        pair.deliver()
    pair.write(4)
    pair.exchange(0.0)
    pair.restart_receiver()
    pair.connect(1.0)
    pair.exchange(1.0)
    assert isinstance(pair.events[-1], Resumed)
    pair.settle(20)
    assert pair.delivered_bytes == b"abcdef"


def test_rule_4_stale_accept_does_not_send_the_sender_back():
    """An Accept that answers an earlier Open may come when the place it tells of has been left."""
    pair = ProtocolPair()
    pair.sender.send_data(memoryview(b"abcdef"), 0.0)
    pair.exchange(0.0)
    pair.write()
    pair.exchange(0.0)
    pair.cut()
    pair.connect(1.0)
    stale = Accept(0, 100, 30.0, attempt=1)
    assert pair.sender.receive(stale, 1.0) is None
    assert (pair.sender.state, pair.sender.window.acked) == (SenderState.OPENING, 6)


# -- rule 5


def test_rule_5_bytes_that_are_gone_become_a_gap_segment_and_the_stream_goes_on():
    pair = ProtocolPair()
    pair.sender.send_segment("a", 0, "start", 0, "")
    pair.sender.send_data(memoryview(b"abc"), 0.0)
    pair.sender.send_segment("a", 9, "gap", 6, "truncated before it was read")
    pair.sender.send_data(memoryview(b"jkl"), 0.0)
    pair.sender.send_eof(0.0)
    pair.exchange(0.0)
    pair.write()
    pair.exchange(0.0)
    assert pair.delivered_bytes == b"abcjkl"
    gap = pair.store.marks[1]
    assert (gap.index, gap.offset, gap.reason, gap.lost) == (1, 3, "gap", 6)
    assert pair.sender.state is SenderState.DONE


@pytest.mark.parametrize("following", [data(3, b"jkl", 2), Heartbeat(3, 3, 2), Eof(3, b"", 2)])
def test_rule_5_gap_that_is_lost_on_the_way_shows(following: Frame):
    """Loss is never silent: without the count, the bytes behind a lost mark would join the segment before it."""
    receiver = receiver_at()
    receiver.receive(Segment(0, 0, "a", 0, "start"), 0.0)
    receiver.receive(data(0, b"abc", 1), 0.0)
    with pytest.raises(RemoteProtocolError):
        receiver.receive(following, 0.0)
    assert receiver.received == 3


@pytest.mark.parametrize(
    "frame", [Segment(2, 3, "b", 0, "gap"), Segment(1, 2, "b", 0, "gap"), Segment(1, 4, "b", 0, "gap")]
)
def test_rule_5_segment_out_of_place_is_an_error(frame: Segment):
    receiver = receiver_at()
    receiver.receive(Segment(0, 0, "a", 0, "start"), 0.0)
    receiver.receive(data(0, b"abc", 1), 0.0)
    with pytest.raises(RemoteProtocolError):
        receiver.receive(frame, 0.0)
    assert receiver.segments == 1


# -- rule 6


def test_rule_6_idle_clock_runs_from_the_opening():
    """N16: a sender that dies at once is noticed too."""
    receiver = receiver_at(idle_timeout=30.0)
    assert not receiver.is_dead(29.9)
    assert receiver.is_dead(30.0)


def test_rule_6_idle_clock_is_stamped_on_receipt():
    receiver = receiver_at(idle_timeout=30.0)
    receiver.receive(Heartbeat(0, 0), 20.0)
    assert receiver.get_timer() == 50.0


def test_rule_6_no_timeout_while_a_callback_runs_and_a_fresh_clock_at_its_end():
    """N14."""
    receiver = receiver_at(idle_timeout=30.0)
    receiver.receive(data(0, b"a"), 1.0)
    receiver.busy()
    assert receiver.get_timer() is None
    assert not receiver.is_dead(1000.0)
    receiver.idle(1000.0)
    assert receiver.get_timer() == 1030.0


def test_rule_6_what_came_during_the_callback_counts():
    receiver = receiver_at(idle_timeout=30.0)
    receiver.busy()
    receiver.receive(Heartbeat(0, 0), 50.0)
    receiver.idle(40.0)
    assert receiver.get_timer() == 80.0


def test_rule_6_idle_clock_runs_on_without_a_connection_and_stops_with_zero():
    receiver = receiver_at(idle_timeout=30.0)
    receiver.detach()
    assert receiver.is_dead(30.0)
    assert receiver_at(idle_timeout=0.0).get_timer() is None


@pytest.mark.parametrize("connected", [True, False])
def test_rule_6_sender_is_not_dead_once_its_end_is_known(connected: bool):
    """N17: all that is needed has arrived; a slow disk and a cut must not turn a good end into a timeout."""
    receiver = receiver_at()
    receiver.receive(data(0, b"ab"), 0.0)
    receiver.receive(Eof(2), 0.0)
    if not connected:
        receiver.detach()
    assert not receiver.is_dead(1000.0)
    receiver.written(2)
    receiver.finished()
    assert receiver.state is ReceiverState.OVER


def test_rule_6_timeout_is_followed_by_a_new_run_that_continues():
    """N3: a stall longer than idle_timeout costs nothing."""
    pair = ProtocolPair(idle_timeout=30.0)
    pair.source.written += b"abcdef"
    while pair.source.feed(pair.sender, 3, 0.0):
        pair.exchange(0.0)
    pair.write()
    first = pair.sender.run
    assert pair.receiver is not None
    pair.receiver.abort("TIMEOUT", "nothing heard")
    assert len(abort_of(pair.answer())) == 1
    assert pair.sender.state is SenderState.WAITING
    pair.settle(20)
    assert pair.sender.run != first
    assert pair.delivered_bytes == b"abcdef"
    assert pair.errors == []


# -- rule 7


@pytest.mark.parametrize(("idle_timeout", "interval"), [(0.0, 10.0), (60.0, 10.0), (30.0, 10.0), (6.0, 2.0)])
def test_rule_7_heartbeat_interval_stays_within_a_third_of_the_receivers_patience(idle_timeout: float, interval: float):
    assert ProtocolPair(idle_timeout=idle_timeout, liveness_interval=10.0).sender.heartbeat_interval == interval


def test_rule_7_no_impatience_makes_the_sender_spin():
    assert ProtocolPair(idle_timeout=1e-9).sender.heartbeat_interval == MIN_HEARTBEAT


def test_rule_7_a_quiet_sender_is_never_taken_for_dead():
    pair = ProtocolPair(idle_timeout=6.0)
    assert pair.receiver is not None
    for _ in range(100):
        timers = [pair.sender.get_timer(), pair.receiver.get_timer()]
        pair.tick(min(timer for timer in timers if timer is not None))
        pair.exchange(pair.now)
        assert pair.receiver.state is ReceiverState.STREAMING
    assert pair.now > 100.0


# -- rule 9, as far as it is decided here


@pytest.mark.parametrize("lost", [Eof, Ack])
def test_rule_9_end_comes_even_when_a_frame_of_it_is_lost(lost: type[Frame]):
    """Eof or its final Ack vanish; heartbeats and their acks alone would go on for ever."""
    pair = ProtocolPair()
    pair.source.written += b"abcdef"
    pair.source.stopped = True
    while pair.source.feed(pair.sender, 6, 0.0):
        pass
    pair.send()
    if lost is Eof:
        pair.to_receiver.pop()
    pair.deliver()
    pair.write()
    if lost is Ack:
        pair.send()
        pair.to_sender.pop()
    ticks = pair.settle(20)
    assert pair.sender.state is SenderState.DONE
    assert (pair.errors, pair.delivered_bytes) == ([], b"abcdef")
    assert 0 < ticks < 10


def test_rule_9_heartbeats_go_on_until_the_end_is_confirmed():
    """The receiver's disk may be full for hours: the sender still says that it lives, and repeats its end."""
    pair = ProtocolPair()
    pair.sender.send_eof(0.0)
    pair.deliver()
    pair.tick(20.0)
    assert [type(frame) for frame in pair.deliver()][-2:] in ([Heartbeat, Eof], [Open])


def test_rule_9_digest_covers_the_receivers_run_after_a_restart_of_the_receiver():
    pair = ProtocolPair()
    pair.source.written += b"abcdefgh"
    while pair.source.feed(pair.sender, 4, 0.0):
        pair.deliver()
    pair.write(6)
    pair.exchange(0.0)
    pair.restart_receiver()  # its copy has 6 bytes, its next run begins there
    pair.connect(1.0)
    pair.exchange(1.0)
    pair.sender.send_eof(1.0)
    assert pair.deliver(Eof) == [Eof(8, xxhash.xxh3_128_digest(b"gh"), 1)]


def test_rule_9_digest_is_empty_when_the_runs_beginning_was_not_seen():
    sender = SenderProtocol(KEY, new_run=lambda: "run", jitter=lambda: 0.0)
    sender.attach(0.0)
    sender.receive(Accept(50, 100, 30.0, run_start=20, attempt=1), 0.0)
    sender.send_data(memoryview(b"abc"), 0.0)
    sender.send_eof(0.0)
    assert frames_of(sender)[-1] == Eof(53, b"", 0)


def test_rule_9_digest_begins_anew_after_positioning():
    sender = SenderProtocol(KEY, new_run=lambda: "run", jitter=lambda: 0.0)
    sender.attach(0.0)
    sender.receive(Accept(0, 100, 30.0, attempt=1), 0.0)
    sender.send_data(memoryview(b"abc"), 0.0)
    sender.detach()
    sender.attach(1.0)
    # The same beginning of the run as before, but a place that we do not hold: some of its bytes came from elsewhere.
    sender.receive(Accept(9, 100, 30.0, run_start=0, attempt=2), 1.0)
    sender.send_eof(1.0)
    assert frames_of(sender)[-1] == Eof(9, b"", 0)


# -- rule 10


def test_rule_10_transient_reject_is_asked_again_with_backoff():
    """N1: the handler does not exist yet."""
    pair = ProtocolPair(opened=False)
    pair.ready = False
    pair.connect(0.0)
    asked = []
    while pair.now < 10.0:
        if pair.deliver(Open):
            asked.append(pair.now)
        pair.answer()
        pair.tick(pair.sender.get_timer() or pair.now)
    gaps = [late - early for early, late in itertools.pairwise(asked)]
    assert gaps[0] <= 0.1
    assert max(gaps) <= 2.0
    assert len(gaps) < 20
    pair.ready = True
    pair.settle(20)
    assert [event for event in pair.events if isinstance(event, Failed)] == []


@pytest.mark.parametrize("lost", [Open, Accept])
def test_rule_10_lost_opening_is_repeated(lost: type[Frame]):
    pair = ProtocolPair(opened=False)
    pair.connect(0.0)
    pair.send()
    if lost is Open:
        pair.to_receiver.clear()
    pair.deliver()
    pair.to_sender.clear()
    assert pair.sender.get_timer() == 5.0
    pair.settle(20)
    assert pair.sender.state is SenderState.DONE


def test_rule_10_lost_timeout_is_noticed_though_nothing_is_written():
    """The receiver has closed the run, its Abort was lost: a heartbeat that is not answered tells the sender."""
    pair = ProtocolPair(idle_timeout=30.0)
    pair.tick(2.5)
    pair.exchange(2.5)  # all is answered, the sender waits for nothing
    assert pair.receiver is not None
    pair.receiver.abort("TIMEOUT", "nothing heard")
    pair.send()
    pair.to_sender.clear()
    while pair.now < 30.0:
        pair.tick(pair.sender.get_timer() or pair.now)
        pair.exchange(pair.now)
    assert pair.receiver.state is ReceiverState.STREAMING


# -- the sender's end of it


def test_failed_sender_never_opens_again():
    """Given up while it waited to ask again: the timer of the next Open dies with it."""
    pair = ProtocolPair(opened=False)
    pair.ready = False
    pair.connect(0.0)
    pair.exchange(0.0)
    assert pair.sender.state is SenderState.WAITING
    pair.sender.abort("COMMUNICATION_ERROR", "given up")
    frames_of(pair.sender)
    assert pair.sender.get_timer() is None
    pair.sender.handle_timer(100.0)
    assert (pair.sender.state, frames_of(pair.sender)) == (SenderState.FAILED, [])


def test_abort_after_the_end_changes_nothing():
    """N17: whatever ends the stream first wins."""
    pair = ProtocolPair()
    pair.settle(20)
    pair.sender.abort("TASK_ABORTED", "too late")
    assert (pair.sender.state, frames_of(pair.sender)) == (SenderState.DONE, [])


def test_abort_does_not_go_before_the_opening():
    """A receiver that hears of a stream that was never opened closes the connection of all of them."""
    sender = SenderProtocol(KEY, new_run=lambda: "run", jitter=lambda: 0.0)
    sender.attach(0.0)
    sender.abort("TASK_ABORTED", "at once")
    assert frames_of(sender) == []


def test_abort_behind_the_opening_is_sent():
    sender = SenderProtocol(KEY, new_run=lambda: "run", jitter=lambda: 0.0)
    sender.attach(0.0)
    sender.next_frame()
    sender.abort("TASK_ABORTED", "soon")
    assert [type(frame).__name__ for frame in frames_of(sender)] == ["Abort"]


def test_reasons_are_cut_to_what_the_other_side_takes():
    pair = ProtocolPair()
    assert pair.receiver is not None
    pair.sender.abort("ERROR", "x" * (MAX_NAME + 1))
    pair.receiver.abort("ERROR", "x" * (MAX_NAME + 1))
    pair.exchange(0.0)
    assert pair.sender.state is SenderState.FAILED


def test_heartbeat_only_while_the_stream_is_open():
    with pytest.raises(LocalProtocolError):
        ProtocolPair(opened=False).sender.send_heartbeat(0, 0.0)


def test_duplicated_heartbeats_and_final_acks_do_no_harm():
    pair = ProtocolPair()
    pair.sender.send_heartbeat(0, 0.0)
    pair.send()
    pair.to_receiver.append(pair.to_receiver[-1])
    pair.sender.send_eof(0.0)
    pair.deliver()
    pair.write()
    pair.send()
    pair.to_sender.extend([pair.to_sender[-1]] * 2)
    pair.answer()
    assert pair.sender.state is SenderState.DONE


# -- replies


def test_lost_reply_is_asked_for_though_heartbeats_are_acknowledged():
    sender = objects_sender()
    opened_at = None
    now = 0.0
    while opened_at is None and now < 60.0:
        now = sender.get_timer() or now
        if sender.handle_timer(now):
            sender.send_heartbeat(0, now)
        if any(isinstance(frame, Open) for frame in frames_of(sender)):
            opened_at = now
        else:
            sender.receive(Ack(7), now)
    assert opened_at == 5.0


def test_reply_ends_the_waiting():
    sender = objects_sender()
    sender.receive(Reply(0, True), 1.0)
    assert sender.get_timer() is None


# -- the example of the brief reader: many cuts


@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_cuts_at_random_points_cost_nothing(seed: int):
    """N2."""
    choose = random.Random(seed)
    pair = ProtocolPair(window=50)
    for _ in range(100):
        pair.source.written += choose.randbytes(choose.randint(1, 60))
        for _ in range(choose.randint(1, 8)):
            pair.source.feed(pair.sender, 20, pair.now)
            choose.choice([pair.deliver, pair.answer])(Frame, choose.randint(1, 3))
            pair.write(choose.randint(0, 30))
        pair.cut()
        pair.connect(pair.now + 0.1)
    pair.settle(3000)
    assert pair.delivered_bytes == bytes(pair.source.written)
    assert pair.errors == []


def test_repeated_reply_does_not_answer_the_next_message():
    sender = objects_sender()
    sender.receive(Reply(0, True), 1.0)
    sender.send_data(memoryview(b"next"), 1.0)
    sender.expect_reply(1.0)
    assert sender.receive(Reply(0, True), 2.0) is None
    assert sender.get_timer() is not None
    assert sender.receive(Reply(1, True), 3.0) == Replied(Reply(1, True))
    assert sender.get_timer() is None
