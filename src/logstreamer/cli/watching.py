"""Watching: `ls -w` on a terminal: the table of now, in its place, with times that move."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec

from logstreamer.cli import colours
from logstreamer.cli.deadline import Deadline
from logstreamer.cli.feed import Feed
from logstreamer.cli.local import NO_RECEIVER
from logstreamer.cli.output import bytes_text, count_text, printable
from logstreamer.cli.screen import Screen
from logstreamer.cli.source import Source
from logstreamer.cli.table import DEFAULT, RATE, RUNS, WIDE, Column, select, table
from logstreamer.server.status import StreamStatus

TURN_SECONDS = 0.25
REDRAW_SECONDS = 1.0
SAMPLES = 12
BARS = " ▁▂▃▄▅▆▇█"

ORDER = (
    "live",
    "quiet",
    "behind",
    "waiting",
    "dead",
    "disk full",
    "stalled",
    "failed",
    "refused by site",
    "stopped",
    "finished",
    "unknown",
)


class _Row:
    """One stream as it was last told, and its rates of the last seconds."""

    def __init__(self, status: StreamStatus, now: float) -> None:
        self.status = status
        self.told_at = now
        self.rates: deque[float] = deque([0.0] * SAMPLES, SAMPLES)

    def at(self, now: float) -> StreamStatus:
        """The status with the ages of *now*."""
        passed = now - self.told_at
        return msgspec.structs.replace(
            self.status,
            last_data=_older(self.status.last_data, passed),
            last_beat=_older(self.status.last_beat, passed),
            ended=_older(self.status.ended, passed),
        )


class Watching:
    """Shows the streams until `q` or Ctrl-C; the last table stays in the terminal's history.

    Args:
        open_source: opens the source, again where it was lost.
    """

    def __init__(
        self, patterns: Sequence[str], output: str, open_source: Callable[[], Source], *, color: str = "auto"
    ) -> None:
        self._patterns = patterns
        self._columns = tuple(column for column in (WIDE if output == "wide" else DEFAULT) if column is not RUNS)
        self._open = open_source
        self._colour = colours.wanted(color, sys.stdout)
        self._rows: dict[str, _Row] = {}
        self._trouble = ""
        self._lost_at = ""
        self._top = 0

    def run(self, timeout: float | None = None) -> None:
        """Show it.

        Raises:
            EngineError, StoreError: there is nothing to see from the beginning.
            TimedOut: after *timeout* seconds.
        """
        deadline = Deadline(timeout)
        with self._open() as source:
            self._take(select(source.streams(), self._patterns))
        with Screen() as screen, Feed(self._open) as feed:
            try:
                self._run(screen, feed, deadline)
            finally:
                screen.leave()
                print("\n".join(self._lines(screen.columns, None)), flush=True)

    def _run(self, screen: Screen, feed: Feed, deadline: Deadline) -> None:
        drawn_at, sampled_at = float("-inf"), time.monotonic()
        while True:
            changed = select(feed.take(deadline.at_most(TURN_SECONDS)), self._patterns)
            self._take(changed)
            self._heed(feed)
            now = time.monotonic()
            if now - sampled_at >= 1.0:
                sampled_at = now
                for row in self._rows.values():
                    row.rates.append(row.status.rate)
            key = screen.key()
            if key == "q":
                return
            self._scroll(key, screen.rows)
            if changed or key or screen.resized() or now - drawn_at >= REDRAW_SECONDS:
                drawn_at = now
                screen.draw(self._lines(screen.columns, screen.rows))
            deadline.check()

    def _take(self, statuses: Sequence[StreamStatus]) -> None:
        now = time.monotonic()
        for status in statuses:
            row = self._rows.get(status.path)
            if row is None:
                self._rows[status.path] = _Row(status, now)
            else:
                row.status, row.told_at = status, now

    def _heed(self, feed: Feed) -> None:
        """What was live is not shown as live when nobody tells."""
        if feed.trouble and not self._lost_at:
            self._lost_at = time.strftime("%H:%M:%S")
        elif not feed.trouble and feed.rounds:
            self._lost_at = ""
        if self._lost_at:
            self._trouble = f"as of {self._lost_at}: {feed.trouble}; trying again"
        else:
            self._trouble = ""

    def _scroll(self, key: str, rows: int) -> None:
        room = max(1, rows - 4)
        step = {"j": 1, "k": -1, " ": room, "b": -room, "g": -len(self._rows), "G": len(self._rows)}.get(key, 0)
        self._top = max(0, min(self._top + step, len(self._rows) - room))

    # -- what is shown

    def _lines(self, columns: int, rows: int | None) -> list[str]:
        """As many lines as there is room for; all of them with *rows* None."""
        now = time.monotonic()
        statuses = [self._rows[path].at(now) for path in sorted(self._rows)]
        if self._lost_at:
            statuses = [_not_known(status) for status in statuses]
        head = self._summary(statuses)
        if not statuses:
            what = f"no stream matches {' '.join(self._patterns)}" if self._patterns else "no streams yet"
            return [*head, "", printable(what)]
        lines = table(statuses, self._with_history(), width=columns, colour=self._colour)
        if rows is None:
            return [*head, *lines]
        room = rows - len(head) - 2
        shown = [lines[0], *lines[1:][self._top : self._top + room]]
        below = len(lines) - 1 - self._top - room
        if below > 0 or self._top:
            shown.append(self._faint(f"{self._top} above, {max(0, below)} below: j k space b g G"))
        return [*head, *shown]

    def _with_history(self) -> tuple[Column, ...]:
        rate = replace(RATE, text=lambda status: f"{RATE.text(status)} {sparkline(self._rows[status.path].rates)}")
        return tuple(rate if column is RATE else column for column in self._columns)

    def _summary(self, statuses: Sequence[StreamStatus]) -> list[str]:
        counts = Counter(status.state for status in statuses)
        states = "  ".join(
            self._in_colour(f"● {counts[state]} {state}", state) for state in ORDER if counts[state]
        )  # fmt: skip
        size = bytes_text(sum(status.size for status in statuses))
        rate = bytes_text(sum(status.rate for status in statuses))
        text = f"{time.strftime('%H:%M:%S')}  {count_text(len(statuses), 'stream')}  {size}  {rate}/s"
        lines = [f"{text}  {states}".rstrip()]
        if any(status.state_detail == NO_RECEIVER for status in statuses) and not self._trouble:
            lines.append(self._faint(f"{NO_RECEIVER}: what unfinished streams do is unknown"))
        if self._trouble:
            text = printable(self._trouble)
            lines.append(f"\x1b[1;31m{text}\x1b[0m" if self._colour else text)
        return lines

    def _in_colour(self, text: str, state: str) -> str:
        colour = colours.STATE.get(state, b"").decode()
        return f"{colour}{text}\x1b[0m" if self._colour and colour else text

    def _faint(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self._colour else text


def sparkline(rates: Sequence[float]) -> str:
    """One letter for each rate, as high as it is compared to the highest."""
    most = max(rates, default=0.0)
    if most <= 0:
        return BARS[0] * len(rates)
    return "".join(BARS[0] if rate <= 0 else BARS[1 + round(rate / most * (len(BARS) - 2))] for rate in rates)


def _older(age: float | None, seconds: float) -> float | None:
    return None if age is None else age + seconds


def _not_known(status: StreamStatus) -> StreamStatus:
    """*status* while nobody tells whether it is still true."""
    if status.state in ("finished", "failed"):
        return status
    return msgspec.structs.replace(status, state="unknown", state_detail=f"was {status.state}", rate=0.0)
