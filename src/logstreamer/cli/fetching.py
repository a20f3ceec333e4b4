"""Fetching: `get`: one stream's bytes, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import BinaryIO

import xxhash

from logstreamer.cli.exit_codes import ERROR, OK
from logstreamer.cli.output import bytes_text, say
from logstreamer.cli.progress import Amount, Progress
from logstreamer.cli.source import Source
from logstreamer.errors import EngineError, StoreError
from logstreamer.server.status import StreamStatus
from logstreamer.store.follow import Reader

BLOCK = 4 << 20
TRIES = 6
PAUSE_SECONDS = 1.0
"""A receiver that is away is asked again after this time, then after longer ones: for a quarter of a minute."""


class Fetching:
    """A copy of the stream at *path*.

    Raises:
        StoreError: there is no such stream.
    """

    def __init__(self, source: Source, path: str) -> None:
        self._source = source
        known = {status.path: status for status in source.streams()}
        if path not in known:
            raise StoreError(f"no stream is stored at {path}; see `logstreamer ls`")
        self._status: StreamStatus = known[path]
        self._progress = Progress(snapshot=True)
        self._progress.found(1, self._status.size)

    def run(self, output: str | None, *, replace: bool) -> int:
        """Copy to the file *output* ("-": standard output; None: the stream's own name here); the exit code."""
        if output == "-":
            with self._source.reader(self._status.path) as reader:
                self._copy(reader, sys.stdout.buffer, 0, xxhash.xxh3_128())
            return OK
        target = output or os.path.basename(self._status.path)
        if os.path.isdir(target):
            target = os.path.join(target, os.path.basename(self._status.path))
        if os.path.islink(target):
            target = os.path.realpath(target)  # the link stays one
        if os.path.exists(target) and not os.path.isfile(target):
            say(f"error: {target} is no file, and would become one; `-o -` writes to standard output")
            return ERROR
        if os.path.lexists(target) and not replace:
            say(f"error: {target} is there already; --force replaces it, -o takes another name")
            return ERROR
        return self._fetch(target)

    def _fetch(self, target: str) -> int:
        directory, name = os.path.split(os.path.abspath(target))
        part = os.path.join(directory, f".{name}.part")
        with self._source.reader(self._status.path) as reader, _open_part(part, target) as file:
            whole = xxhash.xxh3_128()
            offset = self._resumed(reader, file, whole)
            file.seek(offset)
            file.truncate()
            self._progress.began_at(offset)
            if offset:
                self._progress.say(f"{bytes_text(offset)} are here already, going on behind them")
            self._copy(reader, file, offset, whole)
            file.flush()
            os.fsync(file.fileno())
        if self._status.digest and whole.hexdigest() != self._status.digest:
            os.unlink(part)
            say(f"error: {self._status.path} does not have its digest: it was damaged in the store, see `verify`")
            return ERROR
        os.replace(part, target)
        growing = "" if self._status.state == "finished" else f"; {self._status.state}: there may be more to come"
        say(f"{target}: {bytes_text(self._status.size)}{', digest ok' if self._status.digest else ''}{growing}")
        return OK

    def _resumed(self, reader: Reader, file: BinaryIO, whole: xxhash.xxh3_128) -> int:
        """How many bytes of an earlier run are still good: they are compared at their end."""
        size = file.seek(0, os.SEEK_END)
        tail = min(size, BLOCK)
        file.seek(size - tail)
        if size > self._status.size or file.read(tail) != reader.read(size - tail, tail):
            return 0
        file.seek(0)
        for _ in range(0, size, BLOCK):
            whole.update(file.read(BLOCK))
        return size

    def _copy(self, reader: Reader, file: BinaryIO, offset: int, whole: xxhash.xxh3_128) -> None:
        while offset < self._status.size:
            block = self._read(reader, offset, min(BLOCK, self._status.size - offset))
            if not block:
                raise StoreError(f"{self._status.path} became shorter while it was read")
            file.write(block)
            whole.update(block)
            offset += len(block)
            if self._progress.is_due():
                self._progress.show(Amount(offset))
        self._progress.wipe()
        with contextlib.suppress(ValueError):
            file.flush()

    def _read(self, reader: Reader, offset: int, limit: int) -> bytes:
        """Bytes at *offset*, also when the way to them is gone for a while.

        Raises:
            EngineError: it does not come back.
        """
        for attempt in range(1, TRIES + 1):
            try:
                return reader.read(offset, limit)
            except EngineError as error:
                if attempt == TRIES:
                    raise
                if attempt == 1:
                    self._progress.say(f"{error}; trying again")
                time.sleep(PAUSE_SECONDS * attempt)
        raise AssertionError("unreachable")


def _open_part(part: str, target: str) -> BinaryIO:
    try:
        return open(part, "a+b")
    except OSError as error:
        raise StoreError(f"cannot write {target}: {error.strerror}") from error
