"""The bytes behind an open descriptor: a plain file, or one that was compressed after it was rotated."""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import stat
import zlib
from collections.abc import Callable
from typing import BinaryIO, NamedTuple, Protocol, cast

from logstreamer.tail.identity import FileId

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | getattr(os, "O_NOCTTY", 0)
_PIECE = 1 << 20

UNPACKERS: dict[str, Callable[[BinaryIO], BinaryIO]] = {
    ".gz": lambda raw: cast(BinaryIO, gzip.GzipFile(fileobj=raw, mode="rb")),
    ".bz2": lambda raw: cast(BinaryIO, bz2.BZ2File(raw)),
    ".xz": lambda raw: cast(BinaryIO, lzma.LZMAFile(raw)),  # noqa: SIM115 closed by PackedContent
}
"""Suffix -> reader of compressed files we can read; from the standard library only."""


class Look(NamedTuple):
    """A file as seen at one moment: sizes in bytes, mtime in ns, links 0 when it was deleted."""

    size: int
    mtime_ns: int
    links: int
    sparse: bool


class Content(Protocol):
    """An open file. `read` is positional, so any number of readers share it. All raise OSError."""

    id: FileId

    def look(self) -> Look:
        """Its state now."""

    def read(self, offset: int, size: int, /) -> bytes:
        """At most *size* bytes from *offset*; b"" at or behind the end."""

    def data_after(self, offset: int) -> int | None:
        """First place >= offset that is not in a hole; None when only a hole follows."""

    def hole_after(self, offset: int) -> int:
        """First place >= offset that lies in a hole, or the end of the file."""

    def close(self) -> None:
        """Give the descriptor back. Idempotent."""


def look_of(st: os.stat_result) -> Look:
    """*st* as a Look. Sparse is a hint: also true on file systems that compress."""
    return Look(st.st_size, st.st_mtime_ns, st.st_nlink, st.st_blocks * 512 < st.st_size)


class PlainContent:
    """A file as it is on the disk."""

    __slots__ = ("_fd", "id")

    def __init__(self, fd: int, file_id: FileId) -> None:
        self._fd = fd
        self.id = file_id

    def look(self) -> Look:
        return look_of(os.fstat(self._fd))

    def read(self, offset: int, size: int, /) -> bytes:
        return os.pread(self._fd, size, offset)

    def data_after(self, offset: int) -> int | None:
        try:
            return os.lseek(self._fd, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return None
            return offset  # a file system without SEEK_DATA: all of it is data

    def hole_after(self, offset: int) -> int:
        try:
            return os.lseek(self._fd, offset, os.SEEK_HOLE)
        except OSError:
            return os.fstat(self._fd).st_size

    def close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


class PackedContent:
    """A compressed file, read as its text; it no longer grows.

    Opening unpacks it once from end to end, for its size and its checksum: a torn or unfinished one is an OSError.
    Memory is one piece of 1 MiB; reading forwards is cheap, reading backwards begins again at the start.
    """

    def __init__(self, fd: int, file_id: FileId, unpack: Callable[[BinaryIO], BinaryIO]) -> None:
        self.id = file_id
        self._raw = os.fdopen(fd, "rb")
        self._text = unpack(self._raw)
        try:
            size = 0
            while piece := self._guarded(_PIECE):
                size += len(piece)
        except OSError:
            self.close()
            raise
        st = os.fstat(self._raw.fileno())
        self._look = Look(size, st.st_mtime_ns, st.st_nlink, False)

    def look(self) -> Look:
        return self._look._replace(links=os.fstat(self._raw.fileno()).st_nlink)

    def read(self, offset: int, size: int, /) -> bytes:
        if self._text.tell() != offset:
            self._text.seek(offset)
        return self._guarded(size)

    def data_after(self, offset: int) -> int | None:
        return offset

    def hole_after(self, offset: int) -> int:
        return self._look.size

    def close(self) -> None:
        self._text.close()
        self._raw.close()

    def _guarded(self, size: int) -> bytes:
        try:
            return self._text.read(size)
        except (EOFError, zlib.error, lzma.LZMAError) as error:
            raise OSError(errno.EIO, f"broken compressed file: {error}") from error


class NotAFile(OSError):
    """The path names a directory, a pipe, a device or a socket; we only wait for that to change."""


def check_regular(st: os.stat_result) -> None:
    """Raise NotAFile, in a person's words, unless *st* is of a regular file."""
    if stat.S_ISREG(st.st_mode):
        return
    kinds = ((stat.S_ISDIR, "a directory"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    kind = next((words for test, words in kinds if test(st.st_mode)), "a device")
    raise NotAFile(errno.EINVAL, f"is {kind}, not a file")


def open_content(path: str, suffix: str = "") -> Content:
    """Open the file at *path*, symlinks followed; *suffix* one of UNPACKERS, or "" for a plain file.

    Raises OSError; NotAFile for anything but a regular file. Never blocks on a pipe, and never opens one that was
    already there: a mere open would wake its writer.
    """
    check_regular(os.stat(path))
    fd = os.open(path, _FLAGS)
    try:
        # fstat, not stat(path): a rotation between the two would pair this descriptor with its successor's inode.
        st = os.fstat(fd)
        check_regular(st)
    except BaseException:
        os.close(fd)
        raise
    file_id = FileId(st.st_dev, st.st_ino)
    return PackedContent(fd, file_id, UNPACKERS[suffix]) if suffix else PlainContent(fd, file_id)
