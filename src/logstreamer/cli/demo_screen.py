"""The demonstration's terminal: lines that stay, and below them a table that renews itself."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from logstreamer.cli.table import table
from logstreamer.server.status import StreamStatus


class Screen:
    """Without a terminal the table is printed when a state changes."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._terminal = sys.stdout.isatty()
        self._drawn = 0
        self._states: list[tuple[str, str]] = []

    def tell(self, text: str) -> None:
        """A line that stays, with the seconds since the beginning."""
        self._wipe()
        print(f"[{time.monotonic() - self._began:5.1f} s] {text}", flush=True)

    def show(self, statuses: Sequence[StreamStatus]) -> None:
        """The table as it is now."""
        states = [(status.path, status.state) for status in statuses]
        if not statuses or (not self._terminal and states == self._states):
            return
        self._states = states
        self._wipe()
        lines = table(statuses)
        print("\n".join(f"    {line}" for line in lines), flush=True)
        self._drawn = len(lines)

    def _wipe(self) -> None:
        if self._terminal and self._drawn:
            sys.stdout.write(f"\x1b[{self._drawn}A\x1b[J")
        self._drawn = 0
