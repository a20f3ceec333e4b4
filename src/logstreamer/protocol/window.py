"""SendWindow: what was sent and not yet acknowledged."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from logstreamer.errors import RemoteProtocolError
from logstreamer.protocol.codec import checksum
from logstreamer.protocol.frames import Data, Segment


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
        newly, self.acked = offset - self.acked, offset
        while self._held and self._is_done(self._held[0]):
            self._held.popleft()
        return newly

    def first_segment(self, following: int) -> int:
        """Index of the oldest segment mark held; *following*, the index of the next one, if none is."""
        return next((frame.index for frame in self._held if isinstance(frame, Segment)), following)

    def _is_done(self, frame: Data | Segment) -> bool:
        if isinstance(frame, Data):
            return frame.end <= self.acked
        return frame.offset < self.acked

    def unacked(self, segments: int) -> Iterator[Data | Segment]:
        """What a receiver that has *segments* segments and every acknowledged byte still lacks, in order."""
        for frame in self._held:
            if isinstance(frame, Segment):
                if frame.index >= segments:
                    yield frame
            elif frame.offset < self.acked:
                rest = frame.payload[self.acked - frame.offset :]
                yield Data(self.acked, checksum(rest), rest)
            else:
                yield frame
