"""Tailing: `logs`: prints streams from where they are wanted, and follows them through everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from logstreamer.cli.cursor import Cursor, Wanted
from logstreamer.cli.deadline import Deadline, TimedOut
from logstreamer.cli.entries import Item, Notice
from logstreamer.cli.exit_codes import DEAD, ERROR, FAILED, OK, TIMEOUT
from logstreamer.cli.feed import AGAIN_SECONDS, Feed
from logstreamer.cli.history import History
from logstreamer.cli.merging import Merger
from logstreamer.cli.output import say
from logstreamer.cli.printer import Printer
from logstreamer.cli.source import Source
from logstreamer.cli.table import select, state_text
from logstreamer.errors import EngineError, StoreError
from logstreamer.server.status import StreamStatus

SLICE = 1 << 20
"""Bytes of one stream that are read before another has its turn."""

TURN_SECONDS = 1.0
OPEN_SECONDS = 0.5
"""A line without an end is shown on a terminal after this time."""

FAILURES = frozenset({"failed", "refused by site"})
ENDED = frozenset({"finished", *FAILURES})
SILENT = frozenset({"dead", "stopped", *ENDED})
"""Of such a stream no line is waited for. It may come back: only those of ENDED end a `logs -f`."""
NOTABLE = frozenset({"disk full", "stalled", *SILENT})
"""States that are said as soon as they are entered."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked of one `logs`.

    Args:
        lines: how many of the last lines of each stream to begin with (-1: all).
        plain: bytes may be printed as they come where there is one stream only.
        annotate: times and levels of lines are needed even where there is one stream only.
        delay: seconds that a line waits for earlier ones of other streams.
        wait: for a stream that matches, and for a receiver that cannot be reached.
        exit_status: end when every stream has, with 3 if one failed.
        fail_on_dead: end with 4 when one is dead.
        timeout: seconds after which it ends with 124; None: never.
    """

    patterns: Sequence[str] = ()
    lines: int = -1
    follow: bool = False
    wanted: Wanted = field(default_factory=Wanted)
    plain: bool = False
    annotate: bool = True
    ordered: bool = True
    delay: float = 2.0
    wait: bool = False
    exit_status: bool = False
    fail_on_dead: bool = False
    timeout: float | None = None


class Tailing:
    """Each byte of each chosen stream is handled once, whatever happens to the way there.

    Args:
        open_source: opens the source, again where it was lost.
    """

    def __init__(self, task: Task, printer: Printer, open_source: Callable[[], Source]) -> None:
        self._task = task
        self._printer = printer
        self._open = open_source
        self._deadline = Deadline(task.timeout)
        self._wanted = task.wanted
        self._cursors: dict[str, Cursor] = {}
        self._pending: dict[str, StreamStatus] = {}
        self._merger = Merger(task.delay, ordered=task.ordered)
        self._source: Source | None = None
        self._trouble = ""
        self._retry_at = 0.0
        self._open_lines: dict[str, tuple[int, float]] = {}  # stream: where it begins, when it came

    def run(self) -> int:
        """Print; return the exit code."""
        try:
            return self._run()
        except TimedOut:
            self._print(self._merger.take_all())
            return TIMEOUT
        except KeyboardInterrupt:
            self._print(self._merger.take_all())
            raise
        finally:
            self._drop_source()

    def _run(self) -> int:
        statuses = self._first_look()
        if statuses is None:
            patterns = " ".join(self._task.patterns)
            say(f"no stream matches {patterns}" if patterns else "no streams yet")
            return ERROR if patterns else OK
        several = len(statuses) > 1 or (self._task.follow and not self._is_exact({one.path for one in statuses}))
        self._printer.set_several(several)
        if not several and self._task.plain and not self._printer.with_prefix:
            self._wanted = replace(self._wanted, exact=True)
        if not several and not self._task.annotate:
            self._wanted = replace(self._wanted, annotate=False)
        self._print_history(statuses, several=several)
        for status in statuses:
            self._remark(status, first=True)
        self._print(self._merger.take_all())
        if not self._task.follow:
            return self._code({one.path: one.state for one in statuses})
        code = self._verdict()
        return code if code is not None else self._follow()

    # -- what there is

    def _first_look(self) -> list[StreamStatus] | None:
        """The streams that match; None: there are none, and nobody waits for one."""
        while True:
            self._deadline.check()
            try:
                self._source = self._source or self._open()
                statuses = select(self._source.streams(), self._task.patterns)
            except (EngineError, StoreError) as error:
                if not self._task.wait:
                    raise
                self._lost(error, "waiting for it")
            else:
                if statuses or (self._task.follow and not self._task.wait):
                    if not statuses:
                        self._say_once("no such stream yet, waiting for one")
                    self._trouble = ""
                    return statuses
                if not self._task.wait:
                    return None
                self._say_once("no such stream yet, waiting for one")
            self._deadline.sleep(AGAIN_SECONDS / 2)

    def _print_history(self, statuses: Sequence[StreamStatus], *, several: bool) -> None:
        assert self._source is not None or not statuses
        if self._source is None:
            return
        task = self._task
        history = History(self._source, self._wanted, task.lines, follow=task.follow, count=len(statuses))
        for status in statuses:
            self._printer.name(status.path)
            self._cursors[status.path] = history.begin(status)
        for item in history.items(ordered=task.ordered and several):
            self._printer.print(item)
            self._merger.passed(item)
            self._deadline.check()
        self._printer.flush()
        for status in statuses:
            cursor = self._cursors[status.path]
            self._merger.saw(status.path, cursor.order, None, time.time())
            if cursor.has_more(status):
                self._pending[status.path] = status

    # -- what comes

    def _follow(self) -> int:
        with Feed(self._open) as feed:
            while True:
                self._deadline.check()
                self._printer.check_reader()
                for status in select(feed.take(self._pause()), self._task.patterns):
                    self._pending[status.path] = status
                self._heed(feed)
                now = time.time()
                if time.monotonic() >= self._retry_at:
                    self._advance(now)
                self._print(self._merger.take(now))
                self._show_open_lines(now)
                code = self._verdict()
                if code is not None:
                    self._print(self._merger.take_all())
                    return code

    def _pause(self) -> float:
        """How long there is nothing to do."""
        if self._pending:
            return self._deadline.at_most(max(0.0, self._retry_at - time.monotonic()))
        due = self._merger.next_due
        pause = TURN_SECONDS if due is None else min(TURN_SECONDS, max(0.0, due - time.time()))
        if self._open_lines:
            pause = min(pause, OPEN_SECONDS / 2)
        return self._deadline.at_most(pause)

    def _heed(self, feed: Feed) -> None:
        """Say that the source was lost, and that it is back."""
        trouble = feed.trouble
        if trouble and trouble != self._trouble:
            self._printer.flush()
            say(f"{trouble}; trying again", kind="lost")
            self._trouble = trouble
        elif not trouble and self._trouble and feed.rounds:
            self._trouble = ""

    def _advance(self, now: float) -> None:
        """Read a little of each stream that has grown."""
        for status in list(self._pending.values()):
            try:
                self._source = self._source or self._open()
                done = self._read(self._source, status, now)
            except (EngineError, StoreError) as error:
                self._lost(error, "trying again")
                self._retry_at = time.monotonic() + AGAIN_SECONDS
                return
            if done:
                if self._pending.get(status.path) is status:
                    del self._pending[status.path]
                self._remark(status, first=False)

    def _read(self, source: Source, status: StreamStatus, now: float) -> bool:
        """Whether that was all there is."""
        cursor = self._cursors.get(status.path)
        new = cursor is None
        if cursor is None:
            cursor = Cursor(status.path, self._wanted)  # what turns up later is printed from its beginning
        self._merger.grows(status.path, status.state not in SILENT)
        with source.reader(status.path) as reader:
            if new:
                self._printer.name(status.path)
                cursor.begin(reader, status, 0, ())
                self._cursors[status.path] = cursor
            for item in cursor.read(reader, status, SLICE, now):
                self._merger.add(item, now)
        self._merger.saw(status.path, cursor.order, cursor.lag, now)
        opened = cursor.open_line
        if opened is not None and self._open_lines.get(status.path, (-1, now))[0] != opened.offset:
            self._open_lines[status.path] = (opened.offset, now)
        return cursor.is_over or not cursor.has_more(status)

    def _remark(self, status: StreamStatus, *, first: bool) -> None:
        """Say a state that was entered, behind the last line before it."""
        cursor = self._cursors[status.path]
        before, cursor.state = cursor.state, status.state
        if status.state == before or cursor.is_over:
            return
        now = time.time()
        if status.state in ENDED and not first:
            for item in cursor.finish():
                self._merger.add(item, now)
        detail: dict[str, object] = {"offset": status.size, "detail": status.state_detail}
        if status.state in NOTABLE and not (first and status.state == "finished"):
            notice = Notice(status.path, status.state, state_text(status), detail, cursor.order)
            self._merger.add(notice, now)
        elif before in NOTABLE and status.state in ("live", "quiet", "behind"):
            notice = Notice(status.path, "back", f"back at byte {status.size}", {"offset": status.size}, cursor.order)
            self._merger.add(notice, now)
        self._merger.grows(status.path, status.state not in SILENT)

    def _show_open_lines(self, now: float) -> None:
        """On a terminal, the lines that have no end yet: a progress bar, a question."""
        if self._wanted.exact or self._wanted.choice.picks:
            return
        shown = {}
        for path, (start, since) in list(self._open_lines.items()):
            entry = self._cursors[path].open_line
            if entry is None or entry.offset != start:
                del self._open_lines[path]
            elif now - since >= OPEN_SECONDS or b"\r" in entry.text or self._printer.shows(path):
                entry.time = since
                shown[path] = entry
        self._printer.draw(shown)

    # -- how it ends

    def _is_exact(self, known: set[str]) -> bool:
        """Whether every pattern is a stream's full name, so that no more can turn up."""
        return bool(self._task.patterns) and set(self._task.patterns) <= known

    def _verdict(self) -> int | None:
        """The exit code, if this is the end."""
        states = {path: cursor.state for path, cursor in self._cursors.items()}
        if self._task.fail_on_dead and "dead" in states.values():
            return self._code(states)
        if self._pending or not states:
            return None
        exact = self._is_exact(set(states))
        ended = all(state in ENDED for state in states.values())
        if ended and (exact or self._task.exit_status):
            return self._code(states)
        until = self._wanted.choice.until
        if until is not None and time.time() > until + self._task.delay + TURN_SECONDS:
            return self._code(states)
        return None

    def _code(self, states: dict[str, str]) -> int:
        if self._task.exit_status and not FAILURES.isdisjoint(states.values()):
            return FAILED
        return DEAD if self._task.fail_on_dead and "dead" in states.values() else OK

    # -- the rest

    def _print(self, items: Iterable[Item]) -> None:
        for item in items:
            self._printer.print(item)
        self._printer.flush()

    def _lost(self, error: Exception, next_step: str) -> None:
        self._drop_source()
        self._say_once(f"{error}; {next_step}")

    def _say_once(self, text: str) -> None:
        if text != self._trouble:
            self._trouble = text
            self._printer.flush()
            say(text, kind="lost")

    def _drop_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()
