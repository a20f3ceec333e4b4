"""What is printed: lines of streams, and what is to be said between them."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_OF_A_LINE = 1 << 20
"""A longer line is handled in pieces of this many bytes, so that memory stays bounded."""


@dataclass(slots=True)
class Entry:
    """One line, or one piece of a very long one.

    Args:
        offset, end: where it lies in the stream; *end* is behind its newline.
        text: without the newline.
        ended: whether there is a newline, that is: the line is complete.
        cut: it is not all of the line; the next entry of the stream, which is *inside*, goes on with it.
        inside: it continues the line whose first piece was the entry before.
        time: seconds since the epoch, as the line says, else when it arrived; None: nobody knows.
        arrived: when the receiver had it; None: nobody knows.
        level: "trace" ... "fatal"; None: it shows none.
        more: it belongs to the line above, as the lines of a traceback do.
        order: what it is sorted by; never goes back within one stream.
        late: seconds that it came too late for its place.
        context: it is shown for the sake of a line beside it.
    """

    stream: str
    offset: int
    text: bytes
    end: int = 0
    ended: bool = True
    cut: bool = False
    inside: bool = False
    time: float | None = None
    arrived: float | None = None
    level: str | None = None
    more: bool = False
    order: float = float("-inf")
    late: float = 0.0
    context: bool = False

    @property
    def size(self) -> int:
        """Bytes that holding it costs, about."""
        return len(self.text) + 300


@dataclass(slots=True)
class Block:
    """Bytes of a stream that is printed as it is."""

    stream: str
    data: bytes
    order: float = float("-inf")

    @property
    def size(self) -> int:
        """Bytes that holding it costs, about."""
        return len(self.data)


@dataclass(slots=True)
class Notice:
    """What happened to a stream, said at its place among the lines.

    Args:
        kind: "gap", "dead", "back", "finished", ...
        fields: what a program wants to know of it.
    """

    stream: str
    kind: str
    text: str
    fields: dict[str, object] = field(default_factory=dict)
    order: float = float("-inf")

    @property
    def size(self) -> int:
        """Bytes that holding it costs, about."""
        return 1000


Item = Entry | Block | Notice


class Cutter:
    """Cuts the bytes of one stream into lines, and holds the beginning of the one that has no end yet.

    Args:
        overwriting: keep only the last state of a line that is rewritten with carriage returns, and of a long line
            its beginning: for a terminal, where nothing else could be seen.
    """

    def __init__(self, stream: str, *, overwriting: bool = False) -> None:
        self.stream = stream
        self._overwriting = overwriting
        self._rest = b""
        self._start = 0
        self._next = 0
        self._inside = False

    @property
    def rest(self) -> bytes:
        """The beginning of a line that has no end yet."""
        return self._rest

    @property
    def start(self) -> int:
        """Where `rest` begins."""
        return self._start

    def feed(self, block: bytes, offset: int) -> list[Entry]:
        """The lines that *block*, which lies at *offset*, completes."""
        found: list[Entry] = []
        if not self._rest:
            self._start = offset
        first, newline, behind = block.partition(b"\n")
        position = self._next = offset + len(first)
        self._keep(first, found)
        if not newline:
            return found
        position += 1
        found.append(self._take(position))
        stream, lines = self.stream, behind.split(b"\n")
        last = lines.pop()
        for line in lines:
            end = position + len(line) + 1
            if len(line) > MOST_OF_A_LINE:
                self._rest, self._start, self._next = b"", position, end - 1
                self._keep(line, found)
                found.append(self._take(end))
            else:
                found.append(Entry(stream, position, line, end))
            position = end
        self._rest, self._start, self._next = b"", position, position + len(last)
        self._keep(last, found)
        return found

    def finish(self) -> list[Entry]:
        """The line that has no end: nothing follows it for now."""
        found = []
        if self._rest:
            found.append(self._take(self._next))
            found[0].ended = False
        self._inside = False
        return found

    def _keep(self, part: bytes, found: list[Entry]) -> None:
        """More of the open line, which lies before `_next`; what has become too long to hold goes to *found*."""
        self._rest = self._rest + part if self._rest else part
        if self._overwriting:
            self._overwrite()
            return
        while len(self._rest) > MOST_OF_A_LINE:
            cut = _between_letters(self._rest, MOST_OF_A_LINE)
            piece, self._rest = self._rest[:cut], self._rest[cut:]
            end = self._next - len(self._rest)
            found.append(Entry(self.stream, self._start, piece, end, ended=False, cut=True, inside=self._inside))
            self._start, self._inside = end, True

    def _overwrite(self) -> None:
        visible = self._rest.rfind(b"\r", 0, len(self._rest) - 1)
        if visible >= 0:
            self._rest = self._rest[visible + 1 :]
        self._rest = self._rest[:MOST_OF_A_LINE]

    def _take(self, end: int) -> Entry:
        entry = Entry(self.stream, self._start, self._rest, end, inside=self._inside)
        self._rest, self._start, self._inside = b"", end, False
        return entry


def _between_letters(data: bytes, position: int) -> int:
    """*position*, or up to three bytes before it where it lies within a letter of UTF-8."""
    for back in range(4):
        if data[position - back] & 0xC0 != 0x80:
            return position - back
    return position
