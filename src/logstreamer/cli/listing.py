"""Listing: the streams as a table, or as JSON lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from logstreamer.cli.output import bytes_text, count_text, duration_text, gaps_text, printable, say
from logstreamer.cli.source import Source
from logstreamer.errors import EngineError, StoreError
from logstreamer.server.status import StreamStatus
from logstreamer.store.follow import match

AGAIN_SECONDS = 2.0
REDRAW_SECONDS = 1.0

COLUMNS: tuple[str, ...] = ("STREAM", "STATE", "SIZE", "LAST DATA", "LAST BEAT", "RATE", "BEHIND", "GAPS")
WIDE: tuple[str, ...] = ("RUNS", "CREATED", "DETAIL")


def select(statuses: Iterable[StreamStatus], patterns: Sequence[str]) -> list[StreamStatus]:
    """Those that any of *patterns* names, each once and in their order; all without a pattern."""
    known = list(statuses)
    if not patterns:
        return known
    chosen = {record.path for pattern in patterns for record in match(known, pattern)}
    return [status for status in known if status.path in chosen]


class Listing:
    """`ls`: prints what the streams do, once or again and again.

    Args:
        open_source: opens the source, again where it was lost.
    """

    def __init__(self, patterns: Sequence[str], output: str, open_source: Callable[[], Source]) -> None:
        self._patterns = patterns
        self._output = output
        self._open = open_source

    def run(self, *, watch: bool) -> None:
        """Print; with *watch* until a signal comes."""
        with self._open() as source:
            self._print(select(source.streams(), self._patterns), source.live)
        while watch:
            try:
                with self._open() as source:
                    self._watch(source)
            except (EngineError, StoreError) as error:
                say(f"{error}; trying again")
                time.sleep(AGAIN_SECONDS)

    def _watch(self, source: Source) -> None:
        known: dict[str, StreamStatus] = {}
        for changed in source.news():
            for status in select(changed, self._patterns):
                before = known.get(status.path)
                known[status.path] = status
                if before is None or before.state != status.state:
                    print(self._line(status), flush=True)

    def _line(self, status: StreamStatus) -> str:
        if self._output == "json":
            return msgspec.json.encode(status).decode()
        clock = datetime.now().strftime("%H:%M:%S")
        return f"{clock}  {printable(status.path)}  {state_text(status)}  {bytes_text(status.size)}"

    def _print(self, statuses: Sequence[StreamStatus], live: bool) -> None:
        if self._output == "json":
            for status in statuses:
                sys.stdout.write(msgspec.json.encode(status).decode() + "\n")
            return
        if not statuses:
            say(f"no stream matches {' '.join(self._patterns)}" if self._patterns else "no streams yet")
            return
        print("\n".join(table(statuses, wide=self._output == "wide")))
        if not live and any(status.state == "unknown" for status in statuses):
            unknown = sum(status.state == "unknown" for status in statuses)
            say(f"no receiver is running here: nobody knows about {count_text(unknown, 'unfinished stream')}")


def table(statuses: Sequence[StreamStatus], *, wide: bool) -> list[str]:
    """The lines of a table, header first."""
    rows: list[tuple[str, ...]] = [COLUMNS + WIDE if wide else COLUMNS]
    rows += [_row(status, wide=wide) for status in statuses]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def state_text(status: StreamStatus) -> str:
    """The state with what belongs to it."""
    return f"{status.state} ({printable(status.state_detail)})" if status.state_detail else status.state


def _row(status: StreamStatus, *, wide: bool) -> tuple[str, ...]:
    data = status.last_data if status.last_data is not None else _wall_age(status.modified) if status.size else None
    cells = (
        printable(status.path),
        status.state if wide else state_text(status),
        bytes_text(status.size),
        _ago(data),
        _ago(status.last_beat),
        f"{bytes_text(status.rate)}/s" if status.rate else "-",
        bytes_text(status.behind) if status.behind else "-",
        gaps_text(status.gaps),
    )
    if not wide:
        return cells
    return (*cells, str(len(status.runs)), status.created, printable(status.state_detail) or "-")


def _ago(age: float | None) -> str:
    return "-" if age is None else f"{duration_text(age)} ago"


def _wall_age(moment: str) -> float:
    """Seconds since *moment* by the wall clock: for people only."""
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
