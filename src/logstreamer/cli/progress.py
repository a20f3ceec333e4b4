"""Progress: how far sending has come; one line that renews itself on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections import deque
from dataclasses import dataclass

from logstreamer.cli.bar import progress_bar, progress_text
from logstreamer.cli.output import bytes_text, count_text, say

TERMINAL_SECONDS, PLAIN_SECONDS = 0.25, 5.0
RATE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Amount:
    """Bytes of all files: done, and known to be missing."""

    acked: int
    behind: int = 0


class Progress:
    """Says lines on stderr without tearing the renewed one.

    Args:
        snapshot: there is an end to come to; otherwise only the beginning and the end are told.
    """

    def __init__(self, *, snapshot: bool) -> None:
        self._snapshot = snapshot
        self._terminal = sys.stderr.isatty()
        self._began = time.monotonic()
        self._shown_at = self._began
        self._samples: deque[tuple[float, int]] = deque([(self._began, 0)])
        self._total = 0
        self._drawn = False

    def say(self, text: str) -> None:
        """One line of its own."""
        self.wipe()
        say(text)

    def wipe(self) -> None:
        """Take the renewed line away, for something that is to be printed."""
        if self._drawn:
            _draw("\r\x1b[K")
            self._drawn = False

    def began_at(self, amount: int) -> None:
        """So many bytes were there before: they count for no rate."""
        self._samples.clear()
        self._samples.append((time.monotonic(), amount))

    def found(self, count: int, size: int) -> None:
        """So many more files, of *size* bytes in all."""
        self._total += size
        if count and not self._snapshot:
            self.say(f"following {count_text(count, 'file')}")

    def is_due(self) -> bool:
        """Whether `show` should be called."""
        pause = TERMINAL_SECONDS if self._terminal else PLAIN_SECONDS
        return self._snapshot and time.monotonic() - self._shown_at >= pause

    def show(self, amount: Amount) -> None:
        """Bytes, rate, time left."""
        now = self._shown_at = time.monotonic()
        self._samples.append((now, amount.acked))
        while len(self._samples) > 2 and self._samples[0][0] < now - RATE_SECONDS:
            self._samples.popleft()
        (began, first), total = self._samples[0], max(self._total, amount.acked + amount.behind)
        rate = (amount.acked - first) / max(now - began, 0.001)
        if self._terminal:
            columns = shutil.get_terminal_size().columns
            _draw(f"\r{progress_bar(amount.acked, total, rate, columns)}\x1b[K")
            self._drawn = True
        else:
            self.say(progress_text(amount.acked, total, rate))

    def end(self, amount: Amount, files: int, gaps: int = 0, lost: int = 0) -> None:
        """How much it was in all.

        Args:
            gaps, lost: how often bytes were gone before they could be read, and how many that is known of.
        """
        if files == 0:
            return
        seconds = time.monotonic() - self._began
        rate = f" in {seconds:.1f} s, {bytes_text(amount.acked / max(seconds, 0.001))}/s" if self._snapshot else ""
        size = f"at least {bytes_text(lost)}" if lost else "of unknown size"
        missing = (
            f"; {count_text(gaps, 'gap')}, {size}, where bytes were gone before they could be read" if gaps else ""
        )
        self.say(f"done: {count_text(files, 'file')}, {bytes_text(amount.acked)} stored at the receiver{rate}{missing}")


def _draw(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # the terminal was closed: the work goes on
        sys.stderr.write(text)
        sys.stderr.flush()
