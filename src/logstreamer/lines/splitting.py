"""Splitter: blocks of bytes into lines."""

from __future__ import annotations

from logstreamer.lines.line import RawLine

MAX_TEXT = 64 << 10
"""Bytes that are kept of a line; the rest is counted, so a line of any length costs no more memory than that."""


TAIL = 1 << 10
"""Of a longer line that is rewritten with carriage returns (a progress bar), so much of its end is kept as well, in the
place of the end of its beginning: what such a line shows now is at its end."""


class Splitter:
    """Cuts consecutive blocks into lines.

    Args:
        offset: in the stream, of the first byte that will be fed: the beginning of a line.
    """

    def __init__(self, offset: int = 0) -> None:
        self._begin = offset  # of the line that has not ended yet
        self._end = offset
        self._held = b""  # its first bytes
        self._tail = b""  # its last ones, where it has more than that

    @property
    def offset(self) -> int:
        """Where the line that has not ended begins: what was fed below this has been returned."""
        return self._begin

    @property
    def end(self) -> int:
        """The offset after the last byte fed."""
        return self._end

    def feed(self, block: bytes) -> list[RawLine]:
        """The lines that end in *block*, which follows what was fed before."""
        *ended, rest = block.split(b"\n")
        if not ended:
            self._hold(block)
            self._end += len(block)
            return []
        first, *others = ended
        position = self._end + len(first) + 1
        self._hold(first)
        lines = [_raw(self._begin, position, self._held, position - 1 - self._begin, self._tail)]
        for data in others:
            begin = position
            position += len(data) + 1
            lines.append(_raw(begin, position, data, len(data)))
        self._begin, self._held, self._tail = position, b"", b""
        self._hold(rest)
        self._end += len(block)
        return lines

    def rest(self) -> RawLine | None:
        """The line that has not ended, as far as it is known; None if there is none."""
        size = self._end - self._begin
        if size > MAX_TEXT:
            return _raw(self._begin, self._end, self._held, size, self._tail)
        return RawLine(self._begin, self._end, self._held) if size else None

    def _hold(self, data: bytes) -> None:
        room = MAX_TEXT - len(self._held)
        if room > 0:
            self._held = self._held + data[:room] if self._held else data[:room]
        if len(data) > room:
            self._tail = (self._tail + data[max(room, len(data) - TAIL) :])[-TAIL:]


def _raw(offset: int, end: int, data: bytes, size: int, tail: bytes = b"") -> RawLine:
    if size <= MAX_TEXT:
        return RawLine(offset, end, data[:-1] if data.endswith(b"\r") else data)
    _, rewritten, now = (tail or data[-TAIL:]).removesuffix(b"\r").partition(b"\r")
    data = data[: MAX_TEXT - TAIL] + b"\r" + now if rewritten else data[:MAX_TEXT]
    return RawLine(offset, end, data, True)
