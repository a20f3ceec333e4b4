"""CopyTrace: where a stream that nobody stores has come, so that a returning sender continues there."""

from __future__ import annotations

import hashlib

from logstreamer.protocol.frames import Segment, SegmentState
from logstreamer.protocol.receiver import Position
from logstreamer.tail.types import ANCHOR_SIZE, HEAD_SIZE


class CopyTrace:
    """Offset, number of segments, and of the last segment its first and last bytes.

    Args:
        durable, segments: where to begin when the beginning was not seen.
    """

    def __init__(self, durable: int = 0, segments: int = 0) -> None:
        self.durable = durable
        self.segments = segments
        self._last: Segment | None = None
        self._head = b""
        self._anchor = b""

    def segment(self, frame: Segment) -> None:
        """A segment begins."""
        self.segments = frame.index + 1
        self._last, self._head, self._anchor = frame, b"", b""

    def data(self, payload: memoryview) -> None:
        """Bytes were taken."""
        self.durable += len(payload)
        if len(self._head) < HEAD_SIZE:
            self._head += payload[: HEAD_SIZE - len(self._head)]
        self._anchor = (self._anchor + bytes(payload[-ANCHOR_SIZE:]))[-ANCHOR_SIZE:]

    def position(self) -> Position:
        """What a sender has to know in order to continue."""
        return Position(self.durable, self.segments, self._segment_state())

    def _segment_state(self) -> SegmentState | None:
        if self._last is None:
            return None
        return SegmentState(
            self._last.offset,
            self._last.source,
            self._last.source_offset,
            len(self._head),
            hashlib.sha256(self._head).digest(),
            len(self._anchor),
            hashlib.sha256(self._anchor).digest(),
        )
