"""Object streams: Shareables as records in a byte stream, and their replies.

A message is a 4-byte big-endian length and that many bytes of MessagePack `[items, headers]`. So a stream of objects
has offsets, acknowledgements and resume like any other, and a message may be longer than a frame.
"""

from __future__ import annotations

from typing import Any

import msgspec

from logstreamer.apis.shareable import Shareable
from logstreamer.errors import ConfigError, RemoteProtocolError

MAX_MESSAGE = 64 << 20
"""Most bytes of one message, so that no peer decides how much memory we take."""

_LENGTH = 4
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[dict[str, Any], dict[str, Any]])


def encode_shareable(shareable: Shareable) -> bytes:
    """*shareable* as MessagePack; tuples arrive as lists.

    Raises:
        ConfigError: a value cannot travel; only None, bool, int, float, str, bytes, list and dict can.
    """
    try:
        return _encoder.encode((dict(shareable), shareable.headers))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ConfigError(f"a message that cannot be sent: {error}") from error


def decode_shareable(data: bytes | memoryview) -> Shareable:
    """The opposite of `encode_shareable`.

    Raises:
        RemoteProtocolError: *data* is no such message.
    """
    try:
        items, headers = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError(f"bad message: {error}") from error
    shareable = Shareable(items)
    shareable.headers.update(headers)
    return shareable


def frame_message(body: bytes) -> bytes:
    """*body* with its length before it.

    Raises:
        ConfigError: it is longer than MAX_MESSAGE.
    """
    if len(body) > MAX_MESSAGE:
        raise ConfigError(f"a message of {len(body)} bytes is longer than {MAX_MESSAGE}")
    return len(body).to_bytes(_LENGTH, "big") + body


class MessageReader:
    """Cuts a byte stream into messages; holds at most one unfinished message."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> list[bytes]:
        """Take *data*; return the messages it completed.

        Raises:
            RemoteProtocolError: a message announces more than MAX_MESSAGE bytes.
        """
        self._buffer += data
        messages = []
        while (end := self._end_of_first()) is not None and len(self._buffer) >= end:
            messages.append(bytes(self._buffer[_LENGTH:end]))
            del self._buffer[:end]
        return messages

    def _end_of_first(self) -> int | None:
        if len(self._buffer) < _LENGTH:
            return None
        length = int.from_bytes(self._buffer[:_LENGTH], "big")
        if length > MAX_MESSAGE:
            raise RemoteProtocolError(f"a message announces {length} bytes, more than {MAX_MESSAGE}")
        return _LENGTH + length
