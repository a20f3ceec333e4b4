"""Every state of both ends x every frame: what happens, what is emitted, and what is refused."""

from __future__ import annotations

import pytest

from logstreamer.errors import RemoteProtocolError
from logstreamer.protocol import receiver as receiving
from logstreamer.protocol import sender as sending
from logstreamer.protocol.codec import checksum
from logstreamer.protocol.frames import (
    Abort,
    Accept,
    Ack,
    Data,
    Eof,
    Frame,
    Heartbeat,
    Open,
    Reject,
    Reply,
    Segment,
)
from logstreamer.protocol.receiver import Position, ReceiverProtocol, ReceiverState
from logstreamer.protocol.sender import Failed, Finished, Positioned, Replied, SenderProtocol, SenderState
from protocol.pair import KEY

FRAMES: dict[str, Frame] = {
    "Open": Open(1, KEY, "run-1"),
    "Accept": Accept(0, 100, 30.0, attempt=1),
    "Reject": Reject("ERROR", "no"),
    "Reject transient": Reject("ERROR", "not yet", transient=True),
    "Segment": Segment(1, 4, "b", 0, "rotated"),
    "Data": Data(4, checksum(b"more"), 1, memoryview(b"more")),
    "Heartbeat": Heartbeat(4, 9, 1),
    "Ack": Ack(4),
    "Ack final": Ack(4, final=True),
    "Eof": Eof(4, b"", 1),
    "Abort": Abort("TASK_ABORTED", "enough"),
    "Abort timeout": Abort("TIMEOUT", "silence"),
    "Reply": Reply(0, True),
}


def frames_out(end: SenderProtocol | ReceiverProtocol) -> list[str]:
    names = []
    while (frame := end.next_frame()) is not None:
        names.append(type(frame).__name__)
    return names


# -- the sender


def sender_in(state: SenderState) -> SenderProtocol:
    """A sender that has said all it had to say in *state*; with 4 bytes in flight from STREAMING on."""
    sender = SenderProtocol(KEY, new_run=lambda: "run", jitter=lambda: 0.0)
    if state is SenderState.DETACHED:
        return sender
    sender.attach(0.0)
    frames_out(sender)
    if state is SenderState.WAITING:
        sender.receive(Reject("ERROR", "not yet", transient=True), 0.0)
    elif state is SenderState.FAILED:
        sender.receive(Reject("ERROR", "no"), 0.0)
    elif state is not SenderState.OPENING:
        sender.receive(Accept(0, 100, 30.0, attempt=1), 0.0)
        sender.send_segment("a", 0, "start", 0, "")
        sender.send_data(memoryview(b"data"), 0.0)
        if state is not SenderState.STREAMING:
            sender.send_eof(0.0)
        if state is SenderState.DONE:
            sender.receive(Ack(4, final=True), 0.0)
    frames_out(sender)
    assert sender.state is state
    return sender


STAY = ("stays", None, [])  # allowed, without effect
WAITS = (SenderState.WAITING, None, [])
FAILS = (SenderState.FAILED, Failed, [])
REFUSED = None

SENDER: dict[tuple[SenderState, str], tuple[object, type | None, list[str]] | None] = {
    (SenderState.OPENING, "Accept"): (SenderState.STREAMING, Positioned, []),
    (SenderState.OPENING, "Reject"): FAILS,
    (SenderState.OPENING, "Reject transient"): WAITS,
    (SenderState.OPENING, "Ack"): STAY,
    (SenderState.OPENING, "Ack final"): STAY,
    (SenderState.OPENING, "Reply"): STAY,
    (SenderState.OPENING, "Abort"): FAILS,
    (SenderState.OPENING, "Abort timeout"): WAITS,
    (SenderState.WAITING, "Accept"): STAY,
    (SenderState.WAITING, "Reject"): FAILS,
    (SenderState.WAITING, "Reject transient"): STAY,
    (SenderState.WAITING, "Ack"): STAY,
    (SenderState.WAITING, "Ack final"): STAY,
    (SenderState.WAITING, "Reply"): STAY,
    (SenderState.WAITING, "Abort"): FAILS,
    (SenderState.WAITING, "Abort timeout"): WAITS,
    (SenderState.STREAMING, "Accept"): STAY,
    (SenderState.STREAMING, "Ack"): STAY,
    (SenderState.STREAMING, "Ack final"): REFUSED,  # nothing was ended
    (SenderState.STREAMING, "Reply"): ("stays", Replied, []),
    (SenderState.STREAMING, "Abort"): FAILS,
    (SenderState.STREAMING, "Abort timeout"): WAITS,
    (SenderState.ENDING, "Accept"): STAY,
    (SenderState.ENDING, "Ack"): STAY,
    (SenderState.ENDING, "Ack final"): (SenderState.DONE, Finished, []),
    (SenderState.ENDING, "Reply"): STAY,
    (SenderState.ENDING, "Abort"): FAILS,
    (SenderState.ENDING, "Abort timeout"): WAITS,
    **{
        (state, name): STAY
        for state in (SenderState.DONE, SenderState.FAILED)
        for name in ("Accept", "Reject", "Reject transient", "Ack", "Ack final", "Reply", "Abort", "Abort timeout")
    },
}
"""(state after, event, frames emitted); a pair that is not listed is refused."""


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("state", SenderState)
def test_sender(state: SenderState, name: str):
    sender = sender_in(state)
    expected = SENDER.get((state, name))
    if expected is None:
        with pytest.raises(RemoteProtocolError):
            sender.receive(FRAMES[name], 1.0)
        assert sender.state is state
        return
    after, event_type, emitted = expected
    event = sender.receive(FRAMES[name], 1.0)
    assert sender.state is (state if after == "stays" else after)
    assert type(event) is (event_type or type(None))
    assert frames_out(sender) == emitted


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("state", SenderState)
def test_senders_table_lists_what_it_takes(state: SenderState, name: str):
    allowed = type(FRAMES[name]) in sending.ALLOWED[state]
    assert allowed == ((state, name) in SENDER)


# -- the receiver


def receiver_in(state: ReceiverState) -> ReceiverProtocol:
    """A receiver of 4 durable bytes in 1 segment that has said all it had to say in *state*."""
    receiver = ReceiverProtocol(Position(), run_start=0, window=100, idle_timeout=30.0, now=0.0)
    receiver.attach(None, "", 0.0)
    receiver.receive(Segment(0, 0, "a", 0, "start"), 0.0)
    receiver.receive(Data(0, checksum(b"data"), 1, memoryview(b"data")), 0.0)
    receiver.written(4)
    if state is ReceiverState.DETACHED:
        receiver.detach()
    elif state is ReceiverState.ENDING:
        receiver.receive(Eof(4), 0.0)
    elif state is ReceiverState.OVER:
        receiver.abort("TIMEOUT", "silence")
    frames_out(receiver)
    assert receiver.state is state
    return receiver


TAKEN, IGNORED = "taken", "ignored"
RECEIVER: dict[tuple[ReceiverState, str], tuple[str, list[str]] | None] = {
    (ReceiverState.STREAMING, "Segment"): (TAKEN, []),
    (ReceiverState.STREAMING, "Data"): (TAKEN, []),  # acknowledged when it is written
    (ReceiverState.STREAMING, "Heartbeat"): (TAKEN, ["Ack"]),
    (ReceiverState.STREAMING, "Eof"): (TAKEN, []),
    (ReceiverState.STREAMING, "Abort"): (TAKEN, []),
    (ReceiverState.STREAMING, "Abort timeout"): (TAKEN, []),
    (ReceiverState.ENDING, "Segment"): REFUSED,
    (ReceiverState.ENDING, "Data"): REFUSED,
    (ReceiverState.ENDING, "Heartbeat"): (TAKEN, ["Ack"]),
    (ReceiverState.ENDING, "Eof"): (IGNORED, ["Ack"]),
    (ReceiverState.ENDING, "Abort"): (TAKEN, []),
    (ReceiverState.ENDING, "Abort timeout"): (TAKEN, []),
    **{
        (ReceiverState.OVER, name): (IGNORED, [])
        for name in ("Segment", "Data", "Heartbeat", "Eof", "Abort", "Abort timeout")
    },
}


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("state", ReceiverState)
def test_receiver(state: ReceiverState, name: str):
    receiver = receiver_in(state)
    expected = RECEIVER.get((state, name))
    if expected is None:
        with pytest.raises(RemoteProtocolError):
            receiver.receive(FRAMES[name], 1.0)
        assert receiver.state is state
        return
    verdict, emitted = expected
    taken = receiver.receive(FRAMES[name], 1.0)
    assert taken == (FRAMES[name] if verdict is TAKEN else None)
    assert frames_out(receiver) == emitted
    ended = {"Eof": ReceiverState.ENDING, "Abort": ReceiverState.OVER}
    assert receiver.state is (ended.get(name.split()[0], state) if verdict is TAKEN else state)


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("state", ReceiverState)
def test_receivers_table_lists_what_it_takes(state: ReceiverState, name: str):
    allowed = type(FRAMES[name]) in receiving.ALLOWED[state]
    assert allowed == ((state, name) in RECEIVER)


@pytest.mark.parametrize("name", ["Segment", "Data", "Heartbeat", "Eof"])
@pytest.mark.parametrize("state", [ReceiverState.STREAMING, ReceiverState.ENDING])
def test_what_lies_below_the_end_may_come_again(state: ReceiverState, name: str):
    receiver = receiver_in(state)
    again = {
        "Segment": Segment(0, 0, "a", 0, "start"),
        "Data": Data(0, checksum(b"data"), 1, memoryview(b"data")),
        "Heartbeat": Heartbeat(2, 9, 1),
        "Eof": Eof(4),
    }[name]
    receiver.receive(again, 1.0)
    assert (receiver.received, receiver.segments) == (4, 1)
