"""Frames to bytes and back.

A message is `stream id (u32) | flags (u8) | header length (u16) | header | payload`, integers big-endian. The header
is a MessagePack array `[kind, fields...]`. Only Data and Reply have a payload; it travels behind the header and not in
it, and flag 1 says that it is zstd-compressed.

Decoding hostile bytes gives a frame or a RemoteProtocolError, nothing else, and never takes more memory than the
message and MAX_PAYLOAD.
"""

from __future__ import annotations

import struct

import msgspec
import xxhash
import zstandard

from logstreamer.errors import LocalProtocolError, RemoteProtocolError
from logstreamer.protocol.frames import (
    MAX_PAYLOAD,
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

ENCODINGS = ("zstd",)
"""Payload encodings this side can make and read, best first."""

MAX_HEADER = (1 << 16) - 1
_PREFIX = struct.Struct(">IBH")
MAX_MESSAGE = _PREFIX.size + MAX_HEADER + MAX_PAYLOAD + 1024
"""Most bytes of one message; a transport may refuse longer ones unread."""

MIN_COMPRESSED = 128
"""Payloads below this many bytes are sent as they are: zstd would hardly shorten them."""

_ZSTD = 1
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Open | Accept | Reject | Segment | Data | Heartbeat | Ack | Eof | Abort | Reply)


def checksum(payload: bytes | memoryview) -> int:
    """XXH3-64 of *payload*, the checksum of Data."""
    return xxhash.xxh3_64_intdigest(payload)


def encode(stream: int, frame: Frame, encoding: str = "") -> bytes:
    """One message that carries *frame* for *stream* (0 .. 2**32 - 1).

    Args:
        encoding: how to encode a payload: "" or one of ENCODINGS; used where it makes the payload shorter.

    Raises:
        LocalProtocolError: the frame is too large for a message, or holds what cannot travel.
    """
    if isinstance(frame, Data):
        header = _encoder.encode((5, frame.offset, frame.checksum, frame.segments))
        return _encode_payload(stream, header, frame.payload, encoding)
    if isinstance(frame, Reply):
        return _encode_payload(stream, _encoder.encode((10, frame.index, frame.go_on)), frame.payload, encoding)
    try:
        header = _encoder.encode(frame)
        # What the peer cannot read would cost all streams of the connection; these frames are few and short.
        _decoder.decode(header)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise LocalProtocolError(f"{type(frame).__name__} that cannot travel: {error}") from error
    if len(header) > MAX_HEADER:
        raise LocalProtocolError(f"{type(frame).__name__} takes {len(header)} bytes, more than {MAX_HEADER}")
    return _PREFIX.pack(stream, 0, len(header)) + header


def _encode_payload(stream: int, header: bytes, payload: memoryview, encoding: str) -> bytes:
    if len(payload) > MAX_PAYLOAD:
        raise LocalProtocolError(f"a payload of {len(payload)} bytes is longer than {MAX_PAYLOAD}")
    flags, body = 0, payload
    if encoding == "zstd" and len(payload) >= MIN_COMPRESSED:
        # Made anew each time: one is not safe to share among threads, and making it takes 10 us.
        packed = zstandard.ZstdCompressor(level=1).compress(payload)
        if len(packed) < len(payload):
            flags, body = _ZSTD, memoryview(packed)
    return b"".join((_PREFIX.pack(stream, flags, len(header)), header, body))


def decode(message: bytes | memoryview) -> tuple[int, Frame]:
    """The stream id and the frame of one message; a payload is a view into *message* where it was not compressed.

    Raises:
        RemoteProtocolError: the message is not one of protocol version 1, or a checksum is wrong.
    """
    if len(message) < _PREFIX.size:
        raise RemoteProtocolError(f"a message of {len(message)} bytes is shorter than its prefix")
    stream, flags, size = _PREFIX.unpack_from(message)
    view = memoryview(message)[_PREFIX.size :]
    if size > len(view):
        raise RemoteProtocolError(f"a header of {size} bytes in a message with {len(view)}")
    try:
        frame = _decoder.decode(view[:size])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError(f"bad header: {error}") from error
    return stream, _with_payload(frame, view[size:], flags)


def _with_payload(frame: Frame, payload: memoryview, flags: int) -> Frame:
    if not isinstance(frame, Data | Reply):
        if len(payload) or flags:
            raise RemoteProtocolError(f"{type(frame).__name__} with a payload")
        return frame
    if frame.payload:
        raise RemoteProtocolError(f"{type(frame).__name__} with its payload in the header")
    plain = _decompress(payload, flags)
    if len(plain) > MAX_PAYLOAD:
        raise RemoteProtocolError(f"a payload of {len(plain)} bytes is longer than {MAX_PAYLOAD}")
    if isinstance(frame, Reply):
        return Reply(frame.index, frame.go_on, plain)
    if checksum(plain) != frame.checksum:
        raise RemoteProtocolError(f"checksum of the {len(plain)} bytes at {frame.offset} is wrong")
    return Data(frame.offset, frame.checksum, frame.segments, plain)


def _decompress(payload: memoryview, flags: int) -> memoryview:
    if flags == 0:
        return payload
    if flags != _ZSTD:
        raise RemoteProtocolError(f"unknown flags {flags}")
    try:
        # The size is checked before a byte is written: a bomb never gets its memory.
        size = zstandard.frame_content_size(payload)
        if not 0 <= size <= MAX_PAYLOAD:
            raise RemoteProtocolError(f"a compressed payload announces {size} bytes, more than {MAX_PAYLOAD}")
        plain = zstandard.ZstdDecompressor().decompress(payload, max_output_size=MAX_PAYLOAD, allow_extra_data=False)
        return memoryview(plain)
    except zstandard.ZstdError as error:
        raise RemoteProtocolError(f"bad compressed payload: {error}") from error
