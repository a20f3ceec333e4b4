"""One message of a chunked stream, and the count of what a receiver has taken of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from logstreamer.apis.shareable import ReturnCode, Shareable, make_reply
from logstreamer.apis.streaming import PayloadKey

OFFSET_HEADER = "LogStreamer.offset"
"""Header of our messages (where the chunk begins) and of our replies (how many bytes the receiver has taken).

A header, not an item, so that the content stays what other implementations expect: they neither send nor miss it.
With it a chunk that comes twice is taken once, and one that is missing is noticed.
"""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One message, as the sender keeps it until it is acknowledged.

    Args:
        offset: bytes of the stream before it (>= 0).
        data: the bytes; None for a message that carries none.
        eof: nothing comes after it.
        heartbeat: it only says that the sender lives.
    """

    offset: int
    data: bytes | None = None
    eof: bool = False
    heartbeat: bool = False

    @property
    def end(self) -> int:
        """Bytes of the stream up to the end of this chunk: what a receiver that has it acknowledges."""
        return self.offset + len(self.data or b"")

    def to_message(self) -> Shareable:
        """A new message with this content; an engine may write its own headers into each."""
        message = Shareable()
        if self.heartbeat:
            message[PayloadKey.HEARTBEAT] = True
        message[PayloadKey.DATA] = self.data
        message[PayloadKey.SIZE] = len(self.data or b"")
        message[PayloadKey.EOF] = self.eof
        message.set_header(OFFSET_HEADER, self.offset)
        return message


class Intake:
    """The bytes one receiver has taken of one stream: each once, in order, without a hole.

    A message without an offset, from a sender of another make, is taken as the next bytes.
    """

    def __init__(self) -> None:
        self.received = 0

    def new_bytes(self, message: Shareable) -> bytes:
        """The bytes of *message* that have not been taken yet; b"" where there are none.

        They count as received only after `advance`: a callback that fails has not taken them.

        Raises:
            ValueError: size and size field disagree, or bytes between the last message and this one are missing.
        """
        data = _checked_data(message)
        offset = _checked_offset(message)
        if offset is None:
            return data
        if offset > self.received:
            raise ValueError(f"message begins at offset {offset}, but only {self.received} bytes were received")
        if message.get(PayloadKey.EOF) and offset + len(data) < self.received:
            raise ValueError(f"stream ends at offset {offset + len(data)}, but {self.received} bytes were received")
        return data[self.received - offset :]

    def advance(self, count: int) -> None:
        """*count* more bytes have been taken."""
        self.received += count

    def acknowledge(self) -> Shareable:
        """The OK reply, which says how far we have come."""
        return make_reply(ReturnCode.OK, {OFFSET_HEADER: self.received})


def _checked_data(message: Shareable) -> bytes:
    if message.get(PayloadKey.HEARTBEAT):
        return b""
    data: Any = message.get(PayloadKey.DATA)
    size: Any = message.get(PayloadKey.SIZE)
    if data is not None and not isinstance(data, bytes | bytearray | memoryview):
        raise ValueError(f"data must be bytes but got {type(data).__name__}")
    if data is None and size != 0:
        raise ValueError(f"message carries 0 bytes of data, but its size field says {size}")
    if data is not None and len(data) != size:
        raise ValueError(f"message carries {len(data)} bytes of data, but its size field says {size}")
    return bytes(data or b"")


def _checked_offset(message: Shareable) -> int | None:
    offset: Any = message.get_header(OFFSET_HEADER)
    if offset is not None and (isinstance(offset, bool) or not isinstance(offset, int) or offset < 0):
        raise ValueError(f"offset must be an int of at least 0 but got {offset!r}")
    return offset
