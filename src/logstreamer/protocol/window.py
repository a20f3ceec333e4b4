"""SendWindow: what was sent and not yet acknowledged."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator

from logstreamer.errors import RemoteProtocolError
from logstreamer.protocol.codec import checksum
from logstreamer.protocol.frames import Accept, Data, Segment, SegmentState

MAX_WINDOW = 64 << 20
"""Most bytes held in flight, whatever the receiver allows: memory is not the peer's to give away."""


_TAIL = 64
"""Acknowledged bytes that are remembered: as many as the fingerprint of a copy's end covers."""


class SendWindow:
    """Unacknowledged bytes of one stream, oldest first, with the segment marks between them.

    Invariant: acked <= sent, and sent - acked is the sum of the payloads held, less what an ack within the oldest
    payload covers. Acks are cumulative byte offsets, as in TCP and in tus (Upload-Offset). A segment mark is held
    until a byte behind it is acknowledged.

    Args:
        start: offset of the first byte that will be sent.
        limit: most bytes in flight (>= 1), from Accept.window.
    """

    def __init__(self, start: int = 0, limit: int = 1) -> None:
        self.limit = limit
        self.acked = start
        self.sent = start
        self._held: deque[Data | Segment] = deque()
        self._tail = b""  # the last bytes below `acked`, those that were sent

    @property
    def in_flight(self) -> int:
        """Bytes sent and not acknowledged."""
        return self.sent - self.acked

    @property
    def room(self) -> int:
        """Bytes that may be sent now; 0 when the window is full (a shrunken limit counts at once)."""
        return max(0, self.limit - self.in_flight)

    def push(self, frame: Data | Segment) -> None:
        """Hold *frame*, which begins where the last one ended."""
        self._held.append(frame)
        if isinstance(frame, Data):
            self.sent = frame.end

    def ack(self, offset: int) -> int:
        """Forget every byte below *offset*; return how many that were (0 for a repeated ack).

        Raises:
            RemoteProtocolError: *offset* lies below the last ack or above what was sent.
        """
        if not self.acked <= offset <= self.sent:
            raise RemoteProtocolError(f"ack of {offset} outside {self.acked}..{self.sent}")
        self._tail = self._sent(max(offset - _TAIL, self._known_from), offset)
        newly, self.acked = offset - self.acked, offset
        while self._held and self._is_done(self._held[0]):
            self._held.popleft()
        return newly

    def first_segment(self, following: int) -> int:
        """Index of the oldest segment mark held; *following*, the index of the next one, if none is."""
        return next((frame.index for frame in self._held if isinstance(frame, Segment)), following)

    def holds(self, offset: int, segments: int, following: int) -> bool:
        """Whether a receiver that has the bytes below *offset* and *segments* segments lacks only what is held.

        Args:
            following: index of the next segment mark.
        """
        if not (self.acked <= offset <= self.sent and self.first_segment(following) <= segments <= following):
            return False
        # A mark that it lacks, below bytes that it has, could no longer be put where it belongs.
        marks = (frame for frame in self._held if isinstance(frame, Segment))
        return all(mark.offset >= offset for mark in marks if mark.index >= segments)

    def continues(self, accept: Accept, following: int) -> bool:
        """Whether a receiver that says *accept* lacks only what is held, and has what was sent; see `holds`."""
        return self.holds(accept.offset, accept.segments, following) and self.agrees(accept.offset, accept.segment)

    def agrees(self, offset: int, segment: SegmentState | None) -> bool:
        """Whether the copy of a receiver that has the bytes below *offset* ends as it was sent.

        Args:
            segment: the fingerprint of its end, if it gave one. Where that reaches further back than is remembered, it
                is believed for what was acknowledged, and not for more.
        """
        if segment is None or segment.anchor_length == 0:
            return True
        start = offset - segment.anchor_length
        if start < self._known_from:
            return offset == self.acked
        return hashlib.sha256(self._sent(start, offset)).digest() == segment.anchor_digest

    @property
    def _known_from(self) -> int:
        return self.acked - len(self._tail)

    def _sent(self, start: int, end: int) -> bytes:
        """The bytes [start, end), which are remembered or held."""
        parts = [self._tail[max(0, start - self._known_from) : max(0, end - self._known_from)]]
        start = max(start, self.acked)
        for frame in self._held:
            if frame.offset >= end:
                break
            if isinstance(frame, Data) and frame.end > start:
                parts.append(bytes(frame.payload[max(0, start - frame.offset) : end - frame.offset]))
        return b"".join(parts)

    def _is_done(self, frame: Data | Segment) -> bool:
        if isinstance(frame, Data):
            return frame.end <= self.acked
        return frame.offset < self.acked

    def unacked(self, segments: int) -> Iterator[Data | Segment]:
        """What a receiver that has *segments* segments and every acknowledged byte still lacks, in order.

        No payload is longer than the limit: a receiver that shrank its window could never take it.
        """
        for frame in self._held:
            if isinstance(frame, Segment):
                if frame.index >= segments:
                    yield frame
            elif frame.offset < self.acked or len(frame.payload) > self.limit:
                yield from self._pieces(frame)
            else:
                yield frame

    def _pieces(self, frame: Data) -> Iterator[Data]:
        for offset in range(max(frame.offset, self.acked), frame.end, self.limit):
            piece = frame.payload[offset - frame.offset :][: self.limit]
            yield Data(offset, checksum(piece), frame.segments, piece)
