"""Verifying: `verify`: every digest once more, and what is known to be lost."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence

from logstreamer.cli.exit_codes import ERROR, OK
from logstreamer.cli.local import LocalSource
from logstreamer.cli.output import bytes_text, count_text, gap_text, printable, say
from logstreamer.cli.progress import Amount, Progress
from logstreamer.cli.source import Source, open_source
from logstreamer.cli.table import select
from logstreamer.errors import ConfigError, StoreError
from logstreamer.store.follow import Reader
from logstreamer.store.record import StreamRecord
from logstreamer.store.verify import Report, verify

MARKS = {"ok": "ok        ", "unfinished": "unfinished", "damaged": "DAMAGED   "}


class Verifying:
    """One `verify`: of directories that are named, else of the streams that are, at *origin*.

    A directory is read itself, also while a receiver writes to it.

    Raises:
        ConfigError: both directories and streams are named.
        StoreError: a directory that is named is not there.
    """

    def __init__(self, what: Sequence[str], origin: str, token: str | None, cafile: str | None) -> None:
        directories = [name for name in what if os.path.isdir(name)]
        for name in what:
            if name.startswith(("/", ".")) and name not in directories:  # no stream is called so
                raise StoreError(f"{name}: no such directory")
        self._patterns = [name for name in what if name not in directories]
        if directories and self._patterns:
            raise ConfigError("name directories, or streams with --from DIR, not both")
        self._origins = directories or [origin]
        self._token = token
        self._cafile = cafile
        self._found: Counter[str] = Counter()
        self._gaps = 0
        self._progress = Progress(snapshot=True)

    def run(self) -> int:
        """Print one line for each stream, each damage and each gap, and a last one; the exit code."""
        blind = 0
        for origin in self._origins:
            with self._open(origin) as source:
                records = select(source.streams(), self._patterns)
                self._progress = Progress(snapshot=True)
                self._progress.found(len(records), sum(record.size for record in records))
                for report in verify(_Records(source), records, progress=self._advance):
                    self._show(report)
                for directory in getattr(source, "unreadable", ()):
                    blind += 1
                    say(f"error: {os.path.join(origin, directory)} cannot be read: what lies there was not checked")
        if self._patterns and not self._found:
            say(f"error: no stream matches {' '.join(self._patterns)}")
            return ERROR
        print(
            f"{count_text(self._found.total(), 'stream')}: {self._found['ok']} exact, "
            f"{self._found['unfinished']} unfinished, {self._found['damaged']} damaged; {count_text(self._gaps, 'gap')}"
        )
        return ERROR if self._found["damaged"] or blind else OK

    def _open(self, origin: str) -> Source:
        return LocalSource(origin) if os.path.isdir(origin) else open_source(origin, self._token, self._cafile)

    def _advance(self, done: int) -> None:
        if self._progress.is_due():
            self._progress.show(Amount(done))

    def _show(self, report: Report) -> None:
        self._progress.wipe()
        self._found[report.status] += 1
        self._gaps += len(report.gaps)
        path = printable(report.path)
        so_far = f", {bytes_text(report.verified)} of it with a digest" if report.status == "unfinished" else ""
        print(f"{MARKS[report.status]}  {path}  {bytes_text(report.size)}{so_far}")
        for damage in report.damage:
            place = "the whole file" if damage.segment is None else f"segment {damage.segment}"
            print(
                f"    damage: {place}, bytes {damage.offset}-{damage.end}: expected {damage.expected}, got {damage.got}"
            )
        for gap in report.gaps:
            print(f"    gap: before segment {gap.segment}, {gap_text(gap)}")
        for trouble in report.troubles:
            print(f"    note: {trouble.at}: {printable(trouble.detail)}")
        sys.stdout.flush()


class _Records:
    """A `Source` as `verify` wants to see it."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def streams(self) -> list[StreamRecord]:
        return list(self._source.streams())

    def reader(self, path: str) -> Reader:
        return self._source.reader(path)
