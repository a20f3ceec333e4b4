"""Listing: `ls`: the streams as a table, or as JSON lines."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from logstreamer.cli import colours
from logstreamer.cli.deadline import Deadline
from logstreamer.cli.feed import Feed
from logstreamer.cli.local import NO_RECEIVER
from logstreamer.cli.output import VOICE, bytes_text, count_text, printable, say
from logstreamer.cli.source import Source
from logstreamer.cli.table import DEFAULT, WIDE, select, state_text, table
from logstreamer.errors import StoreError
from logstreamer.server.states import ELSEWHERE
from logstreamer.server.status import StreamStatus

TURN_SECONDS = 1.0


class Listing:
    """Prints what the streams do, once, or whenever a state changes.

    Args:
        open_source: opens the source, again where it was lost.
    """

    def __init__(
        self, patterns: Sequence[str], output: str, open_source: Callable[[], Source], *, color: str = "auto"
    ) -> None:
        self._patterns = patterns
        self._output = output
        self._open = open_source
        self._colour = output != "json" and colours.wanted(color, sys.stdout)
        VOICE.objects = output == "json"

    def run(self, *, watch: bool, timeout: float | None = None) -> None:
        """Print; with *watch* until a signal comes.

        Raises:
            TimedOut: after *timeout* seconds.
            StoreError: no stream matches, and none is waited for.
        """
        deadline = Deadline(timeout)
        with self._open() as source:
            chosen = select(source.streams(), self._patterns)
            if self._patterns and not chosen and not watch:
                raise StoreError(f"no stream matches {' '.join(self._patterns)}")
            self._print(chosen)
        if watch:
            with Feed(self._open) as feed:
                self._watch(feed, deadline)

    def _watch(self, feed: Feed, deadline: Deadline) -> None:
        known: dict[str, str] = {}
        trouble = ""
        while True:
            for status in select(feed.take(deadline.at_most(TURN_SECONDS)), self._patterns):
                if known.get(status.path) != status.state:
                    known[status.path] = status.state
                    print(self._line(status), flush=True)
            if feed.trouble != trouble:
                trouble = feed.trouble
                if trouble:
                    say(f"{trouble}; trying again", kind="lost")
            deadline.check()

    def _line(self, status: StreamStatus) -> str:
        if self._output == "json":
            return msgspec.json.encode(status).decode()
        clock = datetime.now().strftime("%H:%M:%S")
        return f"{clock}  {printable(status.path)}  {state_text(status)}  {bytes_text(status.size)}"

    def _print(self, statuses: Sequence[StreamStatus]) -> None:
        if self._output == "json":
            for status in statuses:
                sys.stdout.write(msgspec.json.encode(status).decode() + "\n")
            sys.stdout.flush()
            return
        if not statuses:
            say(f"no stream matches {' '.join(self._patterns)}" if self._patterns else "no streams yet")
            return
        columns = WIDE if self._output == "wide" else DEFAULT
        print("\n".join(table(statuses, columns, width=_terminal_width(), colour=self._colour)), flush=True)
        details = Counter(status.state_detail for status in statuses)
        if unknown := details[NO_RECEIVER]:
            say(f"{NO_RECEIVER}: nobody knows about {count_text(unknown, 'unfinished stream')}")
        if foreign := details[ELSEWHERE]:
            streams = count_text(foreign, "unfinished stream")
            say(f"another program, NVFlare's server perhaps, receives {streams}: only it knows more")


def _terminal_width() -> int | None:
    if not sys.stdout.isatty():
        return None
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except OSError:
        return None
