"""Reading stored bytes by offset, for viewers. They never go through the receiver: a slow one costs it nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Self

from logstreamer.store import disk
from logstreamer.store.record import StreamRecord

_BLOCK = 64 * 1024


class Reader:
    """One stored file, open for reading. A context manager.

    Args:
        file: its path, whose last component may not be a link; or an open descriptor, which then belongs to the
            reader. What comes from a user is opened by `View.reader` or `Store.reader`, which check all of the path.

    Raises:
        NameRefused: there is no regular file of one name at the path.
        StoreError: it cannot be opened.
    """

    def __init__(self, file: str | os.PathLike[str] | int) -> None:
        if isinstance(file, int):
            self._fd = file
            return
        path = os.fspath(file)
        with disk.ours(f"open {path}"):
            self._fd = disk.open_file(path, os.O_RDONLY)

    def size(self) -> int:
        """Bytes in the file now."""
        return os.fstat(self._fd).st_size

    def read(self, offset: int, limit: int) -> bytes:
        """At most *limit* bytes from *offset*; b"" at and beyond the end, where more may come later.

        Raises:
            ValueError: *offset* or *limit* is negative.
            StoreError: the disk failed.
        """
        if offset < 0 or limit < 0:
            raise ValueError(f"offset {offset} and limit {limit} must not be negative")
        if offset >= self.size():
            return b""
        with disk.ours("read a stored file"):
            return os.pread(self._fd, limit, offset)

    def offset_of_last_lines(self, count: int, end: int | None = None) -> int:
        """Where the last *count* lines before *end* (None: the end of the file) begin; 0 if there are fewer.

        As in `tail -n`: a newline ends a line, and what follows the last one is a line too. One block is held at a
        time, however long the lines are.
        """
        end = self.size() if end is None else min(end, self.size())
        if count <= 0 or end == 0:
            return end
        missing = count
        high = end - 1  # the very last byte ends the last line, or belongs to it
        while high > 0:
            low = max(0, high - _BLOCK)
            block = self.read(low, high - low)
            found = block.count(b"\n")
            if found < missing:
                missing -= found
                high = low
                continue
            position = len(block)
            for _ in range(missing):
                position = block.rindex(b"\n", 0, position)
            return low + position + 1
        return 0

    def close(self) -> None:
        """Give the descriptor back; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def offset_of_last_lines(path: str | os.PathLike[str], count: int) -> int:
    """Where the last *count* lines of the file at *path* begin, see `Reader.offset_of_last_lines`."""
    with Reader(path) as reader:
        return reader.offset_of_last_lines(count)


def match(records: Iterable[StreamRecord], pattern: str) -> list[StreamRecord]:
    """The *records* that *pattern* names, in their order.

    A pattern is `SITE[/JOB[/FILE]]`, where FILE may be a directory of a kept tree; each part may be a glob (`*`, `?`,
    `[...]`, none of which crosses a "/"). A glob without a "/" names sites, or files by their last part: `*.log`.
    A name that contains such characters matches itself.
    """
    return [record for record in records if _matches(record.path, pattern.strip("/"))]


def _matches(path: str, pattern: str) -> bool:
    if not pattern or path == pattern or path.startswith(f"{pattern}/"):
        return True
    parts, globs = path.split("/"), pattern.split("/")
    if len(globs) == 1 and any(char in pattern for char in "*?[") and fnmatchcase(parts[-1], pattern):
        return True
    return len(globs) <= len(parts) and all(fnmatchcase(*pair) for pair in zip(parts, globs, strict=False))
