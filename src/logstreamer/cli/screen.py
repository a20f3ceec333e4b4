"""Screen: a terminal that is drawn anew in place, and given back as it was."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any, Self

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
"""The alternate screen, without cursor, and without lines that wrap."""

_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"


class Screen:
    """A context manager, for the main thread: SIGTERM gives the terminal back before it ends the process."""

    def __init__(self) -> None:
        self._out = sys.stdout
        self._entered = False
        self._size = self._ask_size()
        self._keys: list[Any] | None = None
        self._before: Any = None

    @property
    def columns(self) -> int:
        """Of the terminal now."""
        return self._size.columns

    @property
    def rows(self) -> int:
        """Of the terminal now."""
        return self._size.lines

    def resized(self) -> bool:
        """Whether it has another size than at the last call."""
        before, self._size = self._size, self._ask_size()
        return before != self._size

    def draw(self, lines: Sequence[str]) -> None:
        """Show *lines*, none wider than the screen, and nothing else."""
        body = "".join(f"{line}\x1b[K\r\n" for line in lines[: self.rows - 1])
        self._out.write(f"\x1b[H{body}\x1b[J")
        self._out.flush()

    def key(self) -> str:
        """A key that was pressed; "" if none was."""
        if self._keys is None or not select.select([sys.stdin], [], [], 0)[0]:
            return ""
        data = os.read(sys.stdin.fileno(), 64).decode("ascii", "replace")
        arrows = {"\x1b[A": "k", "\x1b[B": "j", "\x1b[5~": "b", "\x1b[6~": " ", "\x1b[H": "g", "\x1b[F": "G"}
        return arrows.get(data, data[:1])

    def leave(self) -> None:
        """Give the terminal back; a second call does nothing."""
        if not self._entered:
            return
        self._entered = False
        if self._keys is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._keys)
        with contextlib.suppress(OSError, ValueError):
            self._out.write(_LEAVE)
            self._out.flush()

    def _ask_size(self) -> os.terminal_size:
        try:
            size = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            return os.terminal_size((80, 24))
        return size if size.columns > 0 and size.lines > 0 else os.terminal_size((80, 24))

    def _end(self, number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGTERM, self._end)
        self._entered = True
        if sys.stdin.isatty():
            with contextlib.suppress(termios.error):
                self._keys = termios.tcgetattr(sys.stdin)
                tty.setcbreak(sys.stdin)
        self._out.write(_ENTER)
        self._out.flush()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()
        signal.signal(signal.SIGTERM, self._before)
