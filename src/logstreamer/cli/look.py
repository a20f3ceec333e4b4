"""Look: how lines are written: as a person, a pipe or a program wants them."""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

import msgspec

from logstreamer.cli.colours import DIM, RESET, YELLOW
from logstreamer.cli.entries import Entry
from logstreamer.cli.moments import clock_text, iso_text
from logstreamer.cli.names import Names
from logstreamer.cli.output import bytes_text
from logstreamer.cli.patterns import Patterns
from logstreamer.cli.terminal import neutral, painted

MOST_SHOWN = 64 << 10
"""Bytes of one line that a terminal gets to see."""

_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Look:
    """What was asked for.

    Args:
        output: "default", "raw" or "json".
        terminal: control sequences are shown, not obeyed, and of rewritten lines only the last state.
        zone: of the times that are shown; None: this machine's.
        highlights: what stands out where there are colours.
    """

    output: str = "default"
    terminal: bool = False
    colour: bool = False
    timestamps: bool = False
    zone: tzinfo | None = None
    highlights: Sequence[Patterns] = ()


class Writer:
    """Makes bytes of entries.

    Args:
        prefix: whether the names of streams stand before their lines.
    """

    def __init__(self, look: Look, names: Names, *, prefix: bool) -> None:
        self._look = look
        self._names = names
        self.prefix = prefix

    def line(self, entry: Entry) -> bytes:
        """*entry* without its newline."""
        look = self._look
        if look.output == "json":
            return _object(entry, look)
        if look.output == "raw" or entry.inside:
            return entry.text
        return self.head(entry) + (self._shown(entry) if look.terminal else entry.text)

    def head(self, entry: Entry) -> bytes:
        """What stands before the line: the stream, the time, and how late it came."""
        look, parts = self._look, []
        if self.prefix:
            parts.append(self._name(entry.stream, "-" if entry.context and not look.colour else ":"))
        if look.timestamps:
            parts.append(self._time(entry))
        if entry.late > 0 and (self.prefix or look.terminal):
            mark = f"(late {late_text(entry.late)}) ".encode()
            parts.append(YELLOW + mark + RESET if look.colour else mark)
        return b"".join(parts)

    def separator(self, stream: str) -> bytes:
        """Between lines that are not neighbours."""
        head = self._name(stream, "-") if self.prefix else b""
        return head + (DIM + b"--" + RESET if self._look.colour else b"--")

    def open_line(self, entry: Entry, columns: int) -> bytes:
        """The beginning of a line that has no end yet, in one row of *columns* letters."""
        head = self.head(entry)
        room = max(10, columns - 1 - visible_width(head))
        text = neutral(entry.text[: 4 * room + 256]).decode("utf-8", "replace").expandtabs()
        text = fitted(text, room)
        return head + (DIM + text.encode() + RESET if self._look.colour else text.encode())

    def _shown(self, entry: Entry) -> bytes:
        look, text, tail = self._look, entry.text, b""
        if len(text) > MOST_SHOWN:
            text = text[:MOST_SHOWN]
            more = max(len(entry.text), entry.end - entry.offset) - MOST_SHOWN
            tail = f" ... {bytes_text(more)} more, all of it with -o raw".encode()
        if not look.colour:
            return neutral(text) + tail
        if entry.context:
            return DIM + neutral(text) + tail + RESET
        head = not entry.more and not entry.inside
        return painted(text, entry.level, look.highlights, head=head) + (DIM + tail + RESET if tail else b"")

    def _name(self, stream: str, mark: str) -> bytes:
        name = self._names.of(stream)
        if not self._look.terminal:
            return f"{name}{mark} ".encode()
        padded = name.ljust(self._names.width)
        if not self._look.colour:
            return f"{padded} {'|' if mark == ':' else '.'} ".encode()
        return self._names.colour(stream) + padded.encode() + " │ ".encode() + RESET

    def _time(self, entry: Entry) -> bytes:
        look = self._look
        if not look.terminal:
            return (b"-" if entry.time is None else iso_text(entry.time, look.zone).encode()) + b" "
        text = "-".ljust(12) if entry.time is None else clock_text(entry.time, look.zone)
        return DIM + text.encode() + b" " + RESET if look.colour else text.encode() + b" "


def late_text(seconds: float) -> str:
    """0.25 as 0.25 s, 75 as 75 s."""
    return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"


def fitted(text: str, columns: int) -> str:
    """*text*, cut to *columns* columns of a terminal."""
    if text.isascii():
        return text if len(text) <= columns else text[: columns - 1] + "…"
    used = 0
    for index, char in enumerate(text):
        used += 2 if unicodedata.east_asian_width(char) in "WF" else 0 if unicodedata.combining(char) else 1
        if used > columns:
            return text[: max(0, index - 2)] + "…"
    return text


def visible_width(text: bytes) -> int:
    """Columns that *text*, which we made, takes up."""
    return len(_COLOUR.sub(b"", text).decode("utf-8", "replace"))


def _object(entry: Entry, look: Look) -> bytes:
    site, _, rest = entry.stream.partition("/")
    job, _, file = rest.partition("/")
    known: dict[str, object] = {
        "stream": entry.stream,
        "site": site,
        "job": job,
        "file": file,
        "offset": entry.offset,
        "end": entry.end,
        "time": None if entry.time is None else round(entry.time, 6),
        "level": entry.level,
    }
    if look.timestamps:
        known["timestamp"] = None if entry.time is None else iso_text(entry.time, look.zone)
    if entry.arrived is not None:
        known["arrived"] = round(entry.arrived, 3)
    flags = (("more", entry.more), ("context", entry.context), ("cut", entry.cut), ("continued", entry.inside))
    known.update({name: True for name, value in flags if value})
    if not entry.ended and not entry.cut:
        known["open"] = True
    if entry.late > 0:
        known["late"] = round(entry.late, 3)
    try:
        known["text"] = entry.text.decode()
    except UnicodeDecodeError:
        known["text"] = entry.text.decode("utf-8", "replace")
        known["invalid_utf8"] = True
        known["base64"] = base64.b64encode(entry.text).decode()
    return msgspec.json.encode(known)
