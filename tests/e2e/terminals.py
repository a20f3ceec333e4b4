"""A real terminal: a program in a pseudo terminal, and what a person sees of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pexpect
import pyte

from e2e.processes import PATIENCE, environment

Style = tuple[str, str]
"""Letter, colour."""


class Terminal:
    """`logstreamer` with *argv*; a context manager that ends it.

    Args:
        variables: of the environment, besides ours.
    """

    def __init__(self, argv: Sequence[str], cwd: Path, *, columns: int = 100, rows: int = 24, **variables: str) -> None:
        self.screen = pyte.HistoryScreen(columns, rows, history=10_000)
        self._stream = pyte.ByteStream(self.screen)
        self.received = b""
        # Only what decides over colours is ours: a person who set NO_COLOR runs these tests as well.
        ours = {name: text for name, text in environment(TERM="xterm-256color").items() if name != "NO_COLOR"}
        self.child = pexpect.spawn(
            sys.executable, ["-m", "logstreamer", *argv], cwd=str(cwd), env={**ours, **variables},
            dimensions=(rows, columns), timeout=PATIENCE,
        )  # fmt: skip

    @property
    def lines(self) -> list[str]:
        """The rows of the screen, as they look now."""
        return [row.rstrip() for row in self.screen.display]

    def wait(self, happened: Callable[[], bool], what: str) -> None:
        """Read until *happened*, which looks at the screen."""
        end = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < end, f"waited {PATIENCE} s for {what}; the screen: {self.lines}"
            assert self._read() or happened(), f"it ended before {what}; the screen: {self.lines}"

    def wait_text(self, text: str) -> None:
        """Read until *text* is on the screen."""
        self.wait(lambda: any(text in line for line in self.lines), repr(text))

    def wait_end(self) -> int:
        """Read to the end; the exit code."""
        end = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < end, f"it does not end; the screen: {self.lines}"
        self.child.wait()
        code = self.child.exitstatus
        return 128 + (self.child.signalstatus or 0) if code is None else code

    def colour(self, text: str) -> str:
        """The colour of *text*, where it is first on the screen."""
        for number, line in enumerate(self.screen.display):
            if text in line:
                return str(self.screen.buffer[number][line.index(text)].fg)
        raise AssertionError(f"{text!r} is not on the screen: {self.lines}")

    def resize(self, columns: int, rows: int) -> None:
        """As a person does it with the window."""
        self.child.setwinsize(rows, columns)
        self.screen.resize(rows, columns)

    def _read(self) -> bool:
        try:
            block = self.child.read_nonblocking(65536, timeout=0.2)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.received += block
        self._stream.feed(block)
        return True

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.child.close(force=True)
