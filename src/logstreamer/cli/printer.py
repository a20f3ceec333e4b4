"""Printer: bytes of streams on standard output, line by line where it matters."""

from __future__ import annotations

import sys
from typing import BinaryIO

from logstreamer.cli.output import printable
from logstreamer.cli.terminal import neutral

MOST_OF_A_LINE = 1 << 20
"""A longer line is printed in pieces, so that memory stays bounded."""


class Printer:
    """Lines of several streams are never mixed; a single stream goes through as it comes.

    Args:
        raw: bytes as they are.
        prefix: "always", "never", or "auto": when there is more than one stream.
        out, terminal: standard output by default.
    """

    def __init__(self, *, raw: bool, prefix: str, out: BinaryIO | None = None, terminal: bool | None = None) -> None:
        self._raw = raw
        self._prefix = prefix
        self._out = out or sys.stdout.buffer
        self._terminal = self._out.isatty() if terminal is None else terminal
        self._several = False
        self._open: dict[str, bytes] = {}
        self._heads: dict[str, bytes] = {}

    def set_several(self, several: bool) -> None:
        """Whether there is, or may be, more than one stream."""
        self._several = several

    @property
    def _with_prefix(self) -> bool:
        return not self._raw and (self._prefix == "always" or (self._prefix == "auto" and self._several))

    @property
    def _as_it_comes(self) -> bool:
        return not self._several and not self._with_prefix and (self._raw or not self._terminal)

    def write(self, path: str, block: bytes) -> None:
        """More bytes of the stream at *path*."""
        if self._as_it_comes:
            self._out.write(block)
            return
        *lines, rest = (self._open.pop(path, b"") + block).split(b"\n")
        for line in lines:
            self._line(path, line)
        if len(rest) > MOST_OF_A_LINE:
            self._line(path, rest)
        elif rest:
            self._open[path] = rest

    def end(self, path: str) -> None:
        """Nothing comes any more for now: print a line that has no end yet."""
        rest = self._open.pop(path, b"")
        if rest:
            self._line(path, rest)

    def flush(self) -> None:
        """Everything so far is with the operating system."""
        self._out.flush()

    def _line(self, path: str, line: bytes) -> None:
        if self._terminal and not self._raw:
            line = neutral(line)
        if self._with_prefix:
            head = self._heads.get(path)
            if head is None:
                head = self._heads[path] = f"{printable(path)}: ".encode()
            self._out.write(head)
        self._out.write(line + b"\n")
