"""Frames to bytes and back, and what hostile bytes may do: give a frame or a RemoteProtocolError, and nothing else."""

from __future__ import annotations

import gc
import struct
import threading
import tracemalloc
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logstreamer.errors import LocalProtocolError, RemoteProtocolError
from logstreamer.protocol.codec import (
    ENCODINGS,
    MAX_HEADER,
    MAX_MESSAGE,
    MIN_COMPRESSED,
    checksum,
    decode,
    encode,
)
from logstreamer.protocol.frames import (
    MAX_NAME,
    MAX_PAYLOAD,
    Abort,
    Ack,
    Data,
    Eof,
    Frame,
    Heartbeat,
    Open,
    Reply,
    Segment,
)
from protocol.pair import KEY
from protocol.strategies import frames, stream_ids

MEMORY = 16 << 20
"""Most bytes that decoding one message may take: a header of 64 KiB, made of nothing but empty dicts, takes 5 MB."""


def message(header: Any, payload: bytes = b"", flags: int = 0) -> bytes:
    raw = header if isinstance(header, bytes) else msgspec.msgpack.encode(header)
    return struct.pack(">IBH", 7, flags, len(raw)) + raw + payload


def decoded(raw: bytes) -> Frame | None:
    """The frame, or None for a RemoteProtocolError; any other exception is a failure of the test."""
    try:
        return decode(raw)[1]
    except RemoteProtocolError:
        return None


def peak_of(raw: bytes) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        decoded(raw)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def data_header(payload: bytes) -> list[int]:
    return [5, 0, checksum(payload), 0]


# -- there and back


@settings(max_examples=400)
@given(stream_ids, frames, st.sampled_from(["", *ENCODINGS]))
def test_every_frame_comes_back_as_it_was(stream: int, frame: Frame, encoding: str):
    raw = encode(stream, frame, encoding)
    assert len(raw) <= MAX_MESSAGE
    assert decode(raw) == (stream, frame)
    assert decode(memoryview(raw)) == (stream, frame)


def test_payload_is_a_view_into_the_message_where_it_was_not_compressed():
    raw = encode(1, Data(0, checksum(b"abc"), 0, memoryview(b"abc")))
    frame = decode(raw)[1]
    assert isinstance(frame, Data)
    assert frame.payload.obj is raw


def test_compression_is_used_where_it_shortens():
    for payload, flag in ((b"a" * 4096, 1), (b"a" * (MIN_COMPRESSED - 1), 0), (bytes(range(256)), 0)):
        raw = encode(1, Data(0, checksum(payload), 0, memoryview(payload)), "zstd")
        assert raw[4] == flag
        assert decode(raw)[1] == Data(0, checksum(payload), 0, memoryview(payload))


def test_threads_may_encode_at_the_same_time():
    """Two engines in one process; a zstd context shared among threads corrupts what it makes."""
    payloads = [bytes([i]) * 5000 + str(i).encode() * 20000 for i in range(4)]
    wrong: list[Exception] = []

    def work(payload: bytes) -> None:
        frame = Data(0, checksum(payload), 0, memoryview(payload))
        try:
            for _ in range(200):
                assert decode(encode(1, frame, "zstd")) == (1, frame)
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(payload,)) for payload in payloads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@given(frames)
def test_print_of_a_frame_has_no_payload(frame: Frame):
    assert str(frame).startswith(type(frame).__name__ + "(")
    assert "payload" not in str(frame)


# -- what cannot travel is our own error, before it costs the connection


@pytest.mark.parametrize(
    "frame",
    [
        Segment(0, 0, "/logs/\udcff", 0, "start"),  # a path that is no UTF-8, as os.fsdecode gives it
        Abort("ERROR", "x" * (MAX_NAME + 1)),
        Open(1, KEY, "run", meta={"callback": print}),
        Open(1, KEY, "run", meta={"number": 1 << 64}),
        Open(1, KEY, "run", meta={3: "three"}),  # type: ignore[dict-item]
        Open(1, KEY, "run", meta={"long": "x" * MAX_HEADER}),
        Ack(-1),
        Data(0, 0, 0, memoryview(bytes(MAX_PAYLOAD + 1))),
        Reply(0, True, memoryview(bytes(MAX_PAYLOAD + 1))),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_frame_that_cannot_travel_is_a_local_error(frame: Frame):
    with pytest.raises(LocalProtocolError):
        encode(1, frame)


# -- W1: what the wire may bring


@settings(max_examples=500)
@given(st.binary(max_size=200))
@example(b"")
@example(b"\0" * 7)
def test_random_bytes(raw: bytes):
    decoded(raw)


@settings(max_examples=500)
@given(st.binary(max_size=100), st.integers(0, 2), st.binary(max_size=50))
def test_random_headers(header: bytes, flags: int, payload: bytes):
    decoded(message(header, payload, flags))


@settings(max_examples=300)
@given(
    st.integers(-1, 12),
    st.lists(
        st.none()
        | st.booleans()
        | st.integers(-(1 << 63), (1 << 64) - 1)
        | st.text(max_size=9)
        | st.binary(max_size=9)
        | st.lists(st.integers(), max_size=0)
        | st.floats(),
        max_size=10,
    ),
)
def test_wrong_types_and_wrong_numbers_of_fields(kind: int, fields: list[Any]):
    decoded(message([kind, *fields]))


@settings(max_examples=500)
@given(frames, st.sampled_from(["", "zstd"]), st.data())
def test_mutated_messages(frame: Frame, encoding: str, data: st.DataObject):
    raw = bytearray(encode(7, frame, encoding))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    decoded(bytes(raw))


@settings(max_examples=200)
@given(frames, st.sampled_from(["", "zstd"]), st.data())
def test_truncated_messages_are_refused(frame: Frame, encoding: str, data: st.DataObject):
    raw = encode(7, frame, encoding)
    part = raw[: data.draw(st.integers(0, len(raw) - 1))]
    # A Reply has no checksum, the transport's own framing keeps it whole; all others notice.
    assert decoded(part) is None or isinstance(frame, Reply)


@given(frames, st.binary(min_size=1, max_size=20))
def test_bytes_too_many_are_refused(frame: Frame, more: bytes):
    assert decoded(encode(7, frame) + more) is None or isinstance(frame, Reply)


@given(st.binary(min_size=1, max_size=400), st.data())
def test_one_wrong_bit_in_a_payload_is_noticed(payload: bytes, data: st.DataObject):
    raw = bytearray(encode(7, Data(0, checksum(payload), 0, memoryview(payload))))
    raw[-1 - data.draw(st.integers(0, len(payload) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert decoded(bytes(raw)) is None


@pytest.mark.parametrize("kind", [-1, 0, 11, 255, 1 << 40, "5", None, []])
def test_unknown_kinds_are_refused(kind: Any):
    assert decoded(message([kind, 0, 0, 0])) is None


def test_header_longer_than_the_message_is_refused():
    assert decoded(struct.pack(">IBH", 7, 0, MAX_HEADER) + bytes(MAX_HEADER - 1)) is None


@pytest.mark.parametrize("flags", [1, 2, 3, 128, 255])
def test_flags_belong_to_payloads_and_unknown_ones_are_refused(flags: int):
    assert decoded(message([7, 0], flags=flags)) is None
    assert decoded(message(data_header(b"a"), b"a", flags)) is None


def test_payload_belongs_behind_the_header_and_to_data_and_reply_only():
    assert decoded(message([7, 0], b"x")) is None
    assert decoded(message([*data_header(b"x"), b"x"], b"x")) is None
    assert decoded(message([10, 0, True, b"x"])) is None


def test_data_without_its_checksum_or_segments_is_refused():
    assert decoded(message([5, 0])) is None
    assert decoded(message([5, 0, checksum(b"")])) is None


@pytest.mark.parametrize("offset", [-1, (1 << 62) + 1, 1.5, "0", None])
def test_offsets_are_integers_within_bounds(offset: Any):
    for header in ([7, offset], [6, offset, 0], [6, 0, offset], [8, offset], [5, offset, checksum(b""), 0]):
        assert decoded(message(header)) is None


def test_offset_bounds_themselves_are_offsets():
    assert decoded(message([7, 1 << 62])) == Ack(1 << 62)
    assert decoded(message([7, 0])) == Ack(0)


def test_fields_of_a_later_version_behind_ours_are_passed_over():
    assert decoded(message([7, 5, True, "", "new"])) == Ack(5, final=True)
    assert decoded(message([8, 5])) == Eof(5)
    assert decoded(message([6, 5, 9])) == Heartbeat(5, 9)


def test_version_from_the_future_is_read_so_that_it_can_be_rejected():
    """Whether to speak it is the receiver's decision: it answers with Reject, which needs the stream's id."""
    frame = decoded(message([1, 99, ["c", "t", "j", "n"], "run"]))
    assert isinstance(frame, Open)
    assert frame.version == 99


# -- bombs


def open_with_meta(meta: bytes) -> bytes:
    return b"\x98\x01\x01\x94\xa1c\xa1t\xa1j\xa1n\xa1r\x00\x00\xa3log" + b"\x81\xa1m" + meta


BOMBS = {
    "arrays in arrays": b"\x91" * 60_000 + b"\xc0",
    "maps in maps": b"\x81\xa1m" * 20_000 + b"\xc0",
    "maps as keys": b"\x81" * 60_000,
    "array of 2**32": b"\xdd\xff\xff\xff\xff",
    "map of 2**32": b"\xdf\xff\xff\xff\xff",
    "string of 2**32": b"\xdb\xff\xff\xff\xff",
    "bytes of 2**32": b"\xc6\xff\xff\xff\xff",
    "extension of 2**32": b"\xc9\xff\xff\xff\xff\x01",
    "array key of 2**26": b"\x81\xdd\x04\xff\xff\xff\xc0",
    "nested arrays that announce all there is": b"\xdc\xc8\x00" * 900 + b"\xc0" * 57_000,
    "nested maps that announce all there is": b"\xde\x60\x00\xa0" * 900 + b"\xc0" * 55_000,
    "empty maps": b"\xdc\xea\x60" + b"\x80" * 60_000,
    "empty arrays": b"\xdc\xea\x60" + b"\x90" * 60_000,
    "timestamp out of range": b"\xc7\x0c\xff" + b"\xff" * 12,
    "invalid UTF-8": b"\xa2\xff\xff",
    "surrogate": b"\xa3\xed\xa0\x80",
}


@pytest.mark.parametrize("name", BOMBS)
def test_header_bomb_takes_little_memory(name: str):
    header = open_with_meta(BOMBS[name])
    assert len(header) <= MAX_HEADER
    assert peak_of(message(header)) < MEMORY


def zstd_frame_announcing(size: int) -> bytes:
    """A zstd frame whose header tells of *size* bytes and whose body is empty."""
    return b"\x28\xb5\x2f\xfd" + b"\xe0" + struct.pack("<Q", size) + b"\x01\x00\x00"


def zstd_unsized(payload: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=False).compress(payload)


DECOMPRESSION_BOMBS = {
    "a gigabyte of zeros": zstd_unsized(bytes(1 << 20)) * 1024,
    "true size, too long": zstandard.ZstdCompressor(level=19).compress(bytes(1 << 28)),
    "announces 2**62": zstd_frame_announcing(1 << 62),
    "announces -1": zstd_frame_announcing((1 << 64) - 1),
    "announces what it may": zstd_frame_announcing(MAX_PAYLOAD),
    "announces nothing": zstd_unsized(b"a" * 1000),
    "announces too little": b"\x28\xb5\x2f\xfd\x20\x05" + struct.pack("<I", (1000 << 3) | 3)[:3] + b"a",
    "no zstd": b"a" * 100,
    "empty": b"",
    "skippable frame": b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd",
    "two frames": zstandard.compress(b"a" * 1000) * 2,
    "a byte too many": zstandard.compress(b"a" * 1000) + b"\0",
    "one byte above the limit": zstandard.compress(bytes(MAX_PAYLOAD + 1)),
}


@pytest.mark.parametrize("name", DECOMPRESSION_BOMBS)
def test_decompression_bomb_is_refused_before_it_gets_memory(name: str):
    raw = message(data_header(b""), DECOMPRESSION_BOMBS[name], flags=1)
    assert peak_of(raw) < 4 * MAX_PAYLOAD
    raw = message(data_header(b"a" * 1000), DECOMPRESSION_BOMBS[name], flags=1)
    assert decoded(raw) is None


def test_largest_payload_travels_and_one_more_byte_does_not():
    payload = bytes(MAX_PAYLOAD)
    for encoding in ("", "zstd"):
        raw = encode(1, Data(0, checksum(payload), 0, memoryview(payload)), encoding)
        assert decoded(raw) == Data(0, checksum(payload), 0, memoryview(payload))
    assert decoded(message(data_header(payload + b"\0"), payload + b"\0")) is None


@settings(max_examples=300)
@given(st.binary(max_size=100))
def test_random_compressed_payloads(payload: bytes):
    decoded(message(data_header(b""), b"\x28\xb5\x2f\xfd" + payload, flags=1))
