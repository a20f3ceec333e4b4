"""The bytes of one stored stream."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from typing import NamedTuple

from logstreamer.errors import FileChanged, StoreError
from logstreamer.store import disk
from logstreamer.store.layout import Place, Root


class Fingerprint(NamedTuple):
    """SHA-256 of *length* bytes."""

    length: int
    digest: bytes


class DataFile:
    """A file that only grows, and whose descriptor may be closed and opened again between two calls.


    Attributes:
        size: bytes in the file: the stream's durable offset.
        modified: wall clock of the last append, seconds since the epoch, for people only.
    """

    def __init__(self, root: Root, place: Place, descriptors: disk.Descriptors) -> None:
        self._root = root
        self._place = place
        self._descriptors = descriptors
        self._path = place.path
        self._identity: tuple[int, int] | None = None
        self._flags = os.O_RDWR | os.O_APPEND  # whatever else happens, stored bytes are never written over
        self._torn = False  # the file may be longer than size, by bytes of a failed append
        self._broken: StoreError | None = None
        status = os.fstat(self._fd())
        self.size = status.st_size
        self.modified = status.st_mtime

    def append(self, payload: bytes | memoryview) -> None:
        """Write all of *payload* at the end, or nothing.

        Raises:
            DiskFull: there is no room; may be repeated.
            FileChanged, StoreError: the file is not what it was, or the disk failed.
        """
        fd = self.check_end()
        try:
            disk.write_all(fd, payload)
        except OSError as error:
            # What was written of it goes again, if it can; if not, the next append tries once more. Nobody was told
            # that these bytes are durable.
            self._torn = True
            with contextlib.suppress(OSError):
                self._cut_torn(fd)
            raise disk.store_error(error, f"write {self._path}") from error
        self.size += len(payload)
        self.modified = time.time()

    def check_end(self) -> int:
        """The descriptor, if the file still ends where we left it. One fstat, about 1 us: affordable for each append.

        Raises:
            FileChanged: it does not, or it was removed.
        """
        self.check_usable()
        fd = self._fd()
        if self._torn:
            with disk.ours(f"write {self._path}"):
                self._cut_torn(fd)
        status = os.fstat(fd)
        if status.st_size != self.size or status.st_nlink != 1:
            self._broken = FileChanged(self._path, self.size, status.st_size)
            raise self._broken
        return fd

    def check_usable(self) -> None:
        """Raise what broke the file, if anything did."""
        if self._broken is not None:
            raise self._broken.with_traceback(None)  # raised again and again, it must not collect frames

    def sync(self) -> None:
        """Return when the bytes are on the disk.

        Raises:
            StoreError: they may not be. Nothing more is written then: after a failed fsync the kernel forgets which
                bytes it did not write, so a second one would succeed and prove nothing.
        """
        self.check_usable()
        try:
            disk.sync_data(self._fd())
        except OSError as error:
            self._broken = disk.store_error(error, f"put {self._path} on the disk")
            raise self._broken from error

    def read(self, offset: int, limit: int) -> bytes:
        """At least one and at most *limit* bytes from *offset*, which lies below `size`."""
        with disk.ours(f"read {self._path}"):
            block = os.pread(self._fd(), limit, offset)
        if not block:
            raise StoreError(f"{self._path} ends at {offset}, but had {self.size} bytes")
        return block

    def fingerprint(self, offset: int, length: int) -> Fingerprint:
        """Of the bytes [offset, offset + length), all of which exist."""
        data = b""
        while len(data) < length:
            data += self.read(offset + len(data), length - len(data))
        return Fingerprint(length, hashlib.sha256(data).digest())

    def make_read_only(self) -> None:
        """Mark the file finished: against accidents, and to know that the stream ended if the sidecar is lost."""
        with contextlib.suppress(OSError):  # some file systems have no permissions
            disk.make_read_only(self._fd())
        self._flags = os.O_RDONLY

    def close(self) -> None:
        """Close the descriptor; the next use opens it again."""
        self._descriptors.drop(self._path)

    def _cut_torn(self, fd: int) -> None:
        disk.truncate(fd, self.size)
        self._torn = False

    def _fd(self) -> int:
        return self._descriptors.get(self._path, self._open)

    def _open(self) -> int:
        with disk.ours(f"open {self._path}"):
            fd = self._root.open_file(self._place, self._flags)
        status = os.fstat(fd)
        identity = (status.st_dev, status.st_ino)
        if self._identity not in (None, identity):
            os.close(fd)
            self._broken = FileChanged(self._path, self.size, status.st_size)
            raise self._broken
        self._identity = identity
        return fd
