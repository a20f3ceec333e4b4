"""Printer: lines of streams on standard output, what happens to them on standard error."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Mapping
from typing import BinaryIO

from logstreamer.cli import colours
from logstreamer.cli.entries import Block, Entry, Item, Notice
from logstreamer.cli.look import Look, Writer
from logstreamer.cli.names import Names
from logstreamer.cli.output import printable, say

MOST_OPEN = 3
"""Lines without an end that are shown below the others."""


class Printer:
    """Lines of several streams are never mixed; a single stream goes through as it comes.

    Args:
        prefix: "always", "never", or "auto": when there is more than one stream.
        colour_notices: on standard error.
        separate: lines that are not neighbours are told apart, as `grep -C` does.
        out, columns: standard output by default; *columns*: of the terminal, 0 where it is none.
    """

    def __init__(
        self,
        look: Look,
        *,
        prefix: str,
        separate: bool = False,
        colour_notices: bool = False,
        out: BinaryIO | None = None,
        columns: int | None = None,
    ) -> None:
        self._look = look
        self._prefix = prefix
        self._separate = separate and look.output == "default"
        self._out = out or sys.stdout.buffer
        self._columns = columns
        self._poll = self._watched(self._out)
        self._names = Names(short=look.terminal)
        self._writer = Writer(look, self._names, prefix=prefix == "always")
        self._unended = ""  # the stream whose piece of a line was printed last
        self._ends: dict[str, int] = {}
        self._drawn = 0
        self._open: frozenset[str] = frozenset()
        self._colour_notices = colour_notices

    def set_several(self, several: bool) -> None:
        """Whether there is, or may be, more than one stream."""
        self._writer.prefix = self._prefix == "always" or (self._prefix == "auto" and several)

    @property
    def with_prefix(self) -> bool:
        """Whether the names of streams are shown."""
        return self._writer.prefix

    def name(self, stream: str) -> None:
        """A stream that may be printed."""
        self._names.add(stream)

    def print(self, item: Item) -> None:
        """Whatever it is."""
        self.wipe()
        if isinstance(item, Block):
            self._out.write(item.data)
        elif isinstance(item, Entry):
            self._line(item)
        else:
            self._say(item)

    def _line(self, entry: Entry) -> None:
        whole = self._look.output == "json"
        goes_on = entry.inside and self._unended == entry.stream
        if self._unended and not goes_on:
            self._out.write(b"\n")
        if self._separate and entry.offset != self._ends.get(entry.stream, entry.offset):
            self._out.write(self._writer.separator(entry.stream) + b"\n")
        self._ends[entry.stream] = entry.end
        self._out.write(self._writer.line(entry))
        self._unended = entry.stream if entry.cut and not whole else ""
        if not self._unended:
            self._out.write(b"\n")

    def _say(self, notice: Notice) -> None:
        if self._unended:
            self._out.write(b"\n")
            self._unended = ""
        self.flush()
        if not self._colour_notices or self._look.output == "json":
            say(notice.text, notice.kind, notice.stream, **notice.fields)
            return
        state = colours.STATE.get(notice.kind, b"").decode()
        name = self._names.of(notice.stream) if self._writer.prefix else notice.stream
        text = f"{state}● {printable(notice.text)}\x1b[0m" if state else f"● {printable(notice.text)}"
        own = self._names.colour(notice.stream).decode()
        print(f"{own}{printable(name)}\x1b[0m {text}", file=sys.stderr, flush=True)

    def flush(self) -> None:
        """Everything so far is with the operating system."""
        self._out.flush()

    def check_reader(self) -> None:
        """Raise BrokenPipeError when nobody reads any more, before there is something to print."""
        if self._poll is not None and any(event & select.POLLERR for _, event in self._poll.poll(0)):
            raise BrokenPipeError

    @staticmethod
    def _watched(out: BinaryIO) -> select.poll | None:
        try:
            number = out.fileno()
            if not stat.S_ISFIFO(os.fstat(number).st_mode):
                return None
        except (OSError, ValueError):
            return None
        poll = select.poll()
        poll.register(number, 0)
        return poll

    # -- lines without an end, on a terminal

    def draw(self, lines: Mapping[str, Entry]) -> None:
        """Show the beginnings of *lines* below the others until something else is printed."""
        columns = self._width() if lines or self._drawn else 0
        if not columns:
            return
        self._open = frozenset(lines)
        rows = [self._writer.open_line(entry, columns) for entry in list(lines.values())[-MOST_OPEN:]]
        self.wipe()
        self._out.write(b"\n".join(rows))
        self._drawn = len(rows)
        self.flush()

    def shows(self, stream: str) -> bool:
        """Whether the open line of *stream* is shown now."""
        return stream in self._open

    def wipe(self) -> None:
        """Take away what `draw` has shown."""
        if self._drawn:
            self._out.write((b"\x1b[%dA" % (self._drawn - 1) if self._drawn > 1 else b"") + b"\r\x1b[J")
            self._drawn = 0

    def _width(self) -> int:
        if self._columns is not None:
            return self._columns
        if self._look.output != "default" or not self._look.terminal or not self._out.isatty():
            return 0
        try:
            return os.get_terminal_size(self._out.fileno()).columns
        except OSError:
            return 0
