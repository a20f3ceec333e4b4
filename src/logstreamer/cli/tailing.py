"""Tailing: `logs`: prints streams from where they are wanted, and follows them through everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from logstreamer.cli.exit_codes import ERROR, OK
from logstreamer.cli.listing import select, state_text
from logstreamer.cli.output import gap_text, say
from logstreamer.cli.printer import Printer
from logstreamer.cli.source import Source
from logstreamer.errors import EngineError, StoreError
from logstreamer.server.status import StreamStatus
from logstreamer.store.follow import Reader

BLOCK = 256 << 10
AGAIN_SECONDS = 1.0

NOTABLE = frozenset({"dead", "disk full", "stalled", "finished", "failed"})
"""States that are said as soon as they are entered."""


@dataclass(slots=True)
class _Cursor:
    offset: int
    state: str
    gaps: int


class Tailing:
    """Each byte of each chosen stream is printed once, whatever happens to the way there.

    Args:
        lines: how many of the last lines of each stream to begin with (-1: all).
        open_source: opens the source, again where it was lost.
    """

    def __init__(
        self, patterns: Sequence[str], lines: int, printer: Printer, open_source: Callable[[], Source]
    ) -> None:
        self._patterns = patterns
        self._lines = lines
        self._printer = printer
        self._open = open_source
        self._cursors: dict[str, _Cursor] = {}
        self._begun = False
        self._trouble = ""

    def run(self, *, follow: bool) -> int:
        """Print; return the exit code."""
        with self._open() as source:
            statuses = select(source.streams(), self._patterns)
            self._printer.set_several(len(statuses) > 1 or (follow and not self._is_exact(statuses)))
            if not statuses and not follow:
                say(f"no stream matches {' '.join(self._patterns)}" if self._patterns else "no streams yet")
                return ERROR if self._patterns else OK
            if not statuses:
                say("no such stream yet, waiting for one")
            if self._catch_up(source, statuses, follow=follow):
                return OK
        while not self._follow():
            pass
        return OK

    def _is_exact(self, statuses: Sequence[StreamStatus]) -> bool:
        """Whether every pattern is a stream's full name, so that no more can turn up."""
        return bool(self._patterns) and set(self._patterns) <= {status.path for status in statuses}

    def _catch_up(self, source: Source, statuses: Sequence[StreamStatus], *, follow: bool) -> bool:
        """Print what there is; whether that was all."""
        for status in statuses:
            self._show(source, status)
            if not follow:
                self._printer.end(status.path)
        self._begun = True
        self._printer.flush()
        return not follow or (self._is_exact(statuses) and all(status.state == "finished" for status in statuses))

    def _follow(self) -> bool:
        """Print what comes until the source is lost; whether every stream has ended."""
        try:
            with self._open() as source:
                for changed in source.news():
                    for status in select(changed, self._patterns):
                        self._show(source, status)
                    self._printer.flush()
                    self._trouble = ""
                    if self._is_over():
                        return True
        except (EngineError, StoreError) as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                say(f"{error}; trying again")
            time.sleep(AGAIN_SECONDS)
        return False

    def _is_over(self) -> bool:
        exact = bool(self._patterns) and set(self._patterns) <= self._cursors.keys()
        return exact and all(cursor.state == "finished" for cursor in self._cursors.values())

    # -- one stream

    def _show(self, source: Source, status: StreamStatus) -> None:
        cursor = self._cursors.get(status.path)
        if cursor is None:
            # What turns up later is printed from its beginning.
            start = 0 if self._begun else self._start(source, status)
            before = sum(gap.offset < start for gap in status.gaps)
            cursor = self._cursors[status.path] = _Cursor(start, "", before)
        self._copy(source, status, cursor)
        self._remark(status, cursor)

    def _start(self, source: Source, status: StreamStatus) -> int:
        if self._lines < 0:
            return 0
        with source.reader(status.path) as reader:
            return reader.offset_of_last_lines(self._lines)

    def _copy(self, source: Source, status: StreamStatus, cursor: _Cursor) -> None:
        """Print what is new, and say each new gap at its place."""
        gaps = status.gaps[cursor.gaps :]
        if cursor.offset >= status.size and not gaps:
            return
        with source.reader(status.path) as reader:
            for gap in gaps:
                self._copy_until(reader, status.path, gap.offset, cursor)
                self._printer.end(status.path)  # what comes behind a gap is no part of the line before it
                self._say(status, gap_text(gap))
                cursor.gaps += 1
            self._copy_until(reader, status.path, status.size, cursor)

    def _copy_until(self, reader: Reader, path: str, end: int, cursor: _Cursor) -> None:
        while cursor.offset < end:
            block = reader.read(cursor.offset, min(BLOCK, end - cursor.offset))
            if not block:
                break
            self._printer.write(path, block)
            cursor.offset += len(block)

    def _remark(self, status: StreamStatus, cursor: _Cursor) -> None:
        before, cursor.state = cursor.state, status.state
        if status.state == before or not self._begun:
            return
        if status.state == "finished":
            self._printer.end(status.path)
        if status.state in NOTABLE:
            self._say(status, state_text(status))
        elif before in NOTABLE and status.state in ("live", "quiet", "behind"):
            self._say(status, f"back at byte {status.size}")

    def _say(self, status: StreamStatus, text: str) -> None:
        self._printer.flush()
        say(f"{status.path}: {text}")
