"""What travels between two ends on NVFlare's cellnet: our frames inside NVFlare's Shareables.

A message of ours has the keys of a chunk, so NVFlare's own receiver can read the first of a stream: a heartbeat, which
carries our Open in a header that it does not know. Only a receiver that answers in kind gets frames as data.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any

from nvflare.apis import shareable as nv

from logstreamer.apis.shareable import Shareable
from logstreamer.apis.streaming import PayloadKey
from logstreamer.errors import RemoteProtocolError

MARK = "LogStreamer.frames"
"""In a stream context: frames follow. In a header: the frames of an Open or a reply; True: the data are frames."""

ENDING = "LogStreamer.ending"
"""Header: all up to here is sent, and the sender's process may be gone before it can say that this is the end. The
value is how many seconds of silence mean that it was."""

SUCCEEDS = "LogStreamer.succeeds"
"""In a stream context: the process that sent this stream before has ended, so there is no need to wait for it. It is
the site that says so, of its own streams."""

STAND_IN = "LogStreamer.stand_in"
"""In a stream context, and never sent: the target that takes a log for one where nobody is registered."""

REACHED = "LogStreamer.reached"
"""Header of a reply: a consumer failed. NVFlare's own answer is the same code as where nobody is registered."""

REPLY_WITHIN = "LogStreamer.reply_within"
"""Header: seconds the receiver may take before it answers with what it has by then."""

_LENGTH = struct.Struct(">I")


def first_message(frames: bytes) -> Any:
    """The message that opens a stream: to NVFlare's own receiver a heartbeat."""
    message = _chunk(None)
    message[PayloadKey.HEARTBEAT] = True
    message.set_header(MARK, frames)
    return message


def frames_message(frames: bytes) -> Any:
    """A message to a receiver that reads frames."""
    message = _chunk(frames)
    message.set_header(MARK, True)
    return message


def frames_reply(rc: str, frames: bytes) -> Any:
    """A reply that carries the receiver's frames."""
    return nv.make_reply(rc, {MARK: frames})


def frames_of(message: Any) -> bytes | None:
    """The frames that a message or a reply carries; None: it is not one of ours."""
    found = message.get_header(MARK)
    if found is True:
        found = message.get(PayloadKey.DATA)
    return found if isinstance(found, bytes) else None


def pack(messages: Iterable[bytes]) -> bytes:
    """Encoded frames, one after the other, each with its length before it."""
    return b"".join(part for message in messages for part in (_LENGTH.pack(len(message)), message))


def unpack(data: bytes) -> Iterator[memoryview]:
    """The opposite of `pack`.

    Raises:
        RemoteProtocolError: *data* ends within a frame.
    """
    view, position = memoryview(data), 0
    while position < len(view):
        if position + _LENGTH.size > len(view):
            raise RemoteProtocolError("a message that ends within a length")
        (size,) = _LENGTH.unpack_from(view, position)
        position += _LENGTH.size
        if position + size > len(view):
            raise RemoteProtocolError(f"a frame of {size} bytes in a message with {len(view) - position}")
        yield view[position : position + size]
        position += size


def to_flare(shareable: Shareable) -> Any:
    """Our Shareable as NVFlare's."""
    message = nv.Shareable(dict(shareable))
    for key, value in shareable.headers.items():
        message.set_header(key, value)
    if "__return_code__" in shareable.headers:
        message.set_return_code(shareable.get_return_code())
    return message


def from_flare(message: Any) -> Shareable:
    """NVFlare's Shareable as ours, without what its engine put into it."""
    ours = Shareable({key: value for key, value in message.items() if key != nv.ReservedHeaderKey.HEADERS})
    ours.headers.update(message.get(nv.ReservedHeaderKey.HEADERS) or {})
    rc = message.get_header(nv.ReservedHeaderKey.RC)
    if rc is not None:
        ours.set_return_code(str(rc))
    return ours


def _chunk(data: bytes | None) -> Any:
    message = nv.Shareable()
    message[PayloadKey.DATA] = data
    message[PayloadKey.SIZE] = 0 if data is None else len(data)
    message[PayloadKey.EOF] = False
    return message
