"""Frames of protocol version 1: what travels for one stream. docs/protocol.md is their specification.

Offsets and sizes are bytes of the stream (0 .. 2**62), times are seconds. A frame is a value: frozen, and printed
without its payload.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

VERSION = 1

MAX_PAYLOAD = 1 << 20
"""Most payload bytes of one Data or Reply frame, after decompression."""

MAX_NAME = 4096
"""Most characters of a name in a frame."""

Offset = Annotated[int, Meta(ge=0, le=1 << 62)]
Name = Annotated[str, Meta(max_length=MAX_NAME)]
Digest = Annotated[bytes, Meta(max_length=64)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Kind = Literal["log", "objects"]
Reason = Literal["start", "rotated", "truncated", "gap"]


class StreamKey(Struct, frozen=True, array_like=True):
    """What a stream is at its site; with the site, which the connection proved, it names the stream.

    Args:
        channel, topic: as registered at the receiver.
        job: the job it belongs to.
        name: what people call it; a path relative to the job, with "/" between its parts.
        source: tells two files of one name apart, e.g. the absolute path at the site.
    """

    channel: Name
    topic: Name
    job: Name
    name: Name
    source: Name = ""


class SegmentState(Struct, frozen=True, array_like=True):
    """The last segment of a receiver's copy, so that a sender can find its place in its files again.

    Args:
        offset: stream offset of the segment's first byte.
        source, source_offset: as in the `Segment` that opened it.
        head_length, head_digest: SHA-256 of its first bytes (at most 1024).
        anchor_length, anchor_digest: SHA-256 of its last bytes (at most 64) before the durable offset.
    """

    offset: Offset
    source: Name
    source_offset: Offset
    head_length: Offset
    head_digest: Digest
    anchor_length: Offset
    anchor_digest: Digest


class Frame(Struct, frozen=True, array_like=True):
    """Base of all frames."""

    def __str__(self) -> str:
        fields = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name != "payload")
        return f"{type(self).__name__}({', '.join(fields)})"


class Open(Frame, frozen=True, array_like=True, tag=1):
    """Sender: I have this stream.

    Args:
        version: of this protocol.
        run: names this life of the sender; the same after a reconnect, another after a restart.
        offset, segments: what has been acknowledged so far; a receiver that remembers nothing continues there.
        kind: "log" for a growing byte sequence, "objects" for messages with replies (see `objects`).
        meta: the stream context.
        encodings: payload encodings the sender can make ("zstd"), best first.
        attempt: counts this sender's Opens from 1; the Accept that answers says it again.
    """

    version: Annotated[int, Meta(ge=0)]
    key: StreamKey
    run: Name
    offset: Offset = 0
    segments: Offset = 0
    kind: Kind = "log"
    meta: dict[str, Any] = {}
    encodings: Annotated[list[Name], Meta(max_length=16)] = []
    attempt: Offset = 0


class Accept(Frame, frozen=True, array_like=True, tag=2):
    """Receiver: continue here.

    Args:
        offset: the durable offset; bytes from here on are wanted.
        window: most unacknowledged bytes (>= 1).
        idle_timeout: silence after which the receiver ends the run; 0: never.
        run_start: where this run's bytes begin, the base of the digest in Eof.
        segments: how many segments the copy has; the next Segment carries this index.
        segment: the last of them, if any.
        encoding: the payload encoding to use ("" for none).
        attempt: that of the Open it answers; 0: the receiver does not say.
    """

    offset: Offset
    window: Annotated[int, Meta(ge=1, le=1 << 40)]
    idle_timeout: Seconds
    run_start: Offset = 0
    segments: Offset = 0
    segment: SegmentState | None = None
    encoding: Name = ""
    attempt: Offset = 0


class Reject(Frame, frozen=True, array_like=True, tag=3):
    """Receiver: not this stream; *transient* means that it may be taken later."""

    rc: Name
    reason: Name
    transient: bool = False


class Segment(Frame, frozen=True, array_like=True, tag=4):
    """Sender: from *offset* on the bytes come from *source*, beginning at *source_offset* there.

    Args:
        index: how many segments came before it in this copy.
        reason: why it begins; "gap" when bytes before it could not be read.
        lost: bytes known to be missing right before it; None: unknown how many.
        detail: for people, one line.
    """

    index: Offset
    offset: Offset
    source: Name
    source_offset: Offset
    reason: Reason
    lost: Offset | None = 0
    detail: Name = ""


class Data(Frame, frozen=True, array_like=True, tag=5):
    """Sender: bytes of the stream; *checksum* is XXH3-64 of the payload.

    The payload travels behind the header, see `codec`.

    Args:
        segments: how many segments have begun before these bytes, so that a Segment that was lost on the way shows.
    """

    offset: Offset
    checksum: Annotated[int, Meta(ge=0)]
    segments: Offset
    payload: memoryview = memoryview(b"")

    @property
    def end(self) -> int:
        """Offset behind the last byte."""
        return self.offset + len(self.payload)


class Heartbeat(Frame, frozen=True, array_like=True, tag=6):
    """Sender: alive; *sent* is the offset reached, *size* the one that everything readable now would reach.

    Args:
        segments: how many segments have begun, as in `Data`.
    """

    sent: Offset
    size: Offset
    segments: Offset = 0


class Ack(Frame, frozen=True, array_like=True, tag=7):
    """Receiver: every byte below *offset* is durable; *final* answers Eof: the stream is finished.

    Args:
        trouble: why no more is taken at present, for a person; empty: it is.
    """

    offset: Offset
    final: bool = False
    trouble: Name = ""


class Eof(Frame, frozen=True, array_like=True, tag=8):
    """Sender: the stream ends at *offset*; *digest* is XXH3-128 of this run's bytes, empty if unknown.

    Args:
        segments: how many segments have begun, as in `Data`.
    """

    offset: Offset
    digest: Digest = b""
    segments: Offset = 0


class Abort(Frame, frozen=True, array_like=True, tag=9):
    """Either side: this run is over, with return code *rc*. A sender answers a transient one by opening a new run."""

    rc: Name
    reason: Name


class Reply(Frame, frozen=True, array_like=True, tag=10):
    """Receiver: the reply to message *index* of an "objects" stream; *go_on* False: it wants no more."""

    index: Offset
    go_on: bool
    payload: memoryview = memoryview(b"")
