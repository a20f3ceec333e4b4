"""SendWindow: what was sent and not yet acknowledged."""

from __future__ import annotations

import hashlib

import pytest

from logstreamer.errors import RemoteProtocolError
from logstreamer.protocol.codec import checksum
from logstreamer.protocol.frames import Data, Segment, SegmentState
from logstreamer.protocol.window import SendWindow


def data(offset: int, payload: bytes, segments: int = 1) -> Data:
    return Data(offset, checksum(payload), segments, memoryview(payload))


def mark(index: int, offset: int) -> Segment:
    return Segment(index, offset, "a", 0, "start")


def filled() -> SendWindow:
    """Segment 0 "abcd", segment 1 "efgh" in two frames."""
    window = SendWindow(limit=10)
    for frame in (mark(0, 0), data(0, b"abcd"), mark(1, 4), data(4, b"ef", 2), data(6, b"gh", 2)):
        window.push(frame)
    return window


def test_sent_less_acked_is_in_flight_and_takes_room():
    window = filled()
    assert (window.in_flight, window.room) == (8, 2)
    assert window.ack(5) == 5
    assert (window.in_flight, window.room) == (3, 7)


def test_ack_within_a_payload_leaves_its_rest():
    window = filled()
    window.ack(5)
    assert list(window.unacked(2)) == [data(5, b"f", 2), data(6, b"gh", 2)]


def test_repeated_ack_forgets_nothing():
    window = filled()
    window.ack(4)
    assert window.ack(4) == 0


@pytest.mark.parametrize("offset", [3, 9, 1 << 62])
def test_ack_that_goes_back_or_passes_what_was_sent_is_refused_and_changes_nothing(offset: int):
    window = filled()
    window.ack(4)
    with pytest.raises(RemoteProtocolError):
        window.ack(offset)
    assert (window.acked, window.sent) == (4, 8)


def test_mark_is_held_until_a_byte_behind_it_is_acknowledged():
    window = filled()
    window.ack(4)
    assert window.first_segment(2) == 1
    assert next(iter(window.unacked(1))) == mark(1, 4)
    window.ack(5)
    assert window.first_segment(2) == 2


def test_receiver_that_has_a_mark_does_not_get_it_again():
    window = filled()
    window.ack(4)
    assert list(window.unacked(2)) == [data(4, b"ef", 2), data(6, b"gh", 2)]


def test_shrunken_limit_counts_at_once_and_cuts_what_is_sent_again():
    window = filled()
    window.limit = 3
    assert window.room == 0
    assert list(window.unacked(2)) == [data(0, b"abc"), data(3, b"d"), data(4, b"ef", 2), data(6, b"gh", 2)]


@pytest.mark.parametrize(
    ("offset", "segments", "held"),
    [
        (0, 0, True),
        (4, 1, True),
        (4, 2, True),
        (2, 2, True),  # it has the mark already, its bytes are not durable
        (8, 2, True),
        (9, 2, False),  # more than was ever sent
        (8, 3, False),
        (6, 1, False),  # bytes of a segment it has not heard of
        (6, 0, False),
    ],
)
def test_window_knows_what_it_can_continue(offset: int, segments: int, held: bool):
    assert filled().holds(offset, segments, following=2) is held


def test_what_was_acknowledged_is_no_longer_held():
    window = filled()
    window.ack(5)
    assert not window.holds(4, 2, following=2)
    assert not window.holds(5, 1, following=2)
    assert window.holds(5, 2, following=2)


def test_zero_is_an_offset_like_any_other():
    window = SendWindow(limit=1)
    assert window.ack(0) == 0
    assert window.holds(0, 0, following=0)


def anchored(offset: int, text: bytes) -> SegmentState:
    """The fingerprint of a copy that ends in *text* at *offset*."""
    return SegmentState(0, "8:1", 0, 0, b"", len(text), hashlib.sha256(text).digest())


def test_a_copy_that_ends_as_it_was_sent_agrees():
    """Over payloads, marks and what was acknowledged."""
    window = filled()
    window.ack(3)

    assert window.agrees(3, anchored(3, b"abc"))
    assert window.agrees(6, anchored(6, b"abcdef"))
    assert window.agrees(6, anchored(6, b"ef"))
    assert window.agrees(8, None)
    assert not window.agrees(6, anchored(6, b"abcdeX"))
    assert not window.agrees(3, anchored(3, b"abX"))


def test_only_what_was_acknowledged_is_believed_unseen():
    """Of what came before this window nothing is remembered."""
    window = SendWindow(100, 10)
    window.push(data(100, b"abcd"))

    assert window.agrees(100, anchored(100, b"anything"))
    assert not window.agrees(104, anchored(104, b"anything"))
    assert window.agrees(104, anchored(104, b"abcd"))


def test_the_last_64_bytes_are_remembered():
    """However long ago they were sent."""
    window = SendWindow(0, 1000)
    sent = bytes(range(200))
    for offset in range(0, 200, 7):
        window.push(data(offset, sent[offset : offset + 7]))
        window.ack(window.sent)

    assert window.agrees(200, anchored(200, sent[-64:]))
    assert not window.agrees(200, anchored(200, b"X" + sent[-63:]))
