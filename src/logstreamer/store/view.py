"""The streams of a store, read only: for viewers, `ls` and `verify`, with or without a receiver that runs."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Mapping, Set
from types import TracebackType
from typing import Protocol, Self

import msgspec

from logstreamer.store import disk, history, layout, sidecar
from logstreamer.store.arrivals import Arrivals, open_arrivals
from logstreamer.store.follow import Reader
from logstreamer.store.layout import Place, Root
from logstreamer.store.record import StreamRecord
from logstreamer.store.sidecar import Sidecar, SidecarUnusable

LOCK_FILE = "lock"
_JOB_DEPTH = 2


class LockNote(msgspec.Struct):
    """What the lock file says, for people and for `View`; the lock itself is the kernel's."""

    pid: int = 0
    writer: str = ""

    @classmethod
    def read(cls, fd: int) -> LockNote:
        """The note in the open lock file; an empty one if it is torn."""
        try:
            return _notes.decode(os.pread(fd, 1024, 0))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return cls()


_notes = msgspec.json.Decoder(LockNote)  # made once, see `sidecar`


class Recorded(Protocol):
    """A stream that is open for writing and knows its own record."""

    def record(self) -> StreamRecord:
        """What is known now."""


class Scanner:
    """Makes the records of all streams below a root; a sidecar that did not change is not read again."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._seen: dict[str, tuple[tuple[int, int, int], Sidecar]] = {}
        self.unreadable: tuple[str, ...] = ()

    def scan(self, opened: Mapping[str, Recorded], writers: Set[str]) -> list[StreamRecord]:
        """Every stream, by path.

        Args:
            opened: streams that are asked themselves.
            writers: the states that these receivers have written are believed.
        """
        self.unreadable = ()
        before, self._seen = self._seen, {}
        records = []
        pending: list[tuple[str, ...]] = [()]
        while pending:
            parts = pending.pop()
            try:
                with self._root.directory(parts) as directory:
                    files, below = _entries(directory, parts)
                    for file in files:
                        place = Place(parts, file)
                        live = opened.get(place.path)
                        record = live.record() if live else self._record(place, directory, before, writers)
                        records += [record] if record else []
                pending += below
            except FileNotFoundError:
                continue  # removed while we looked
            except OSError:
                # Not being able to look is not the same as nothing being there.
                self.unreadable += ("/".join(parts),)
        return sorted(records, key=lambda record: record.path)

    def _record(
        self, place: Place, directory: int, before: dict[str, tuple[tuple[int, int, int], Sidecar]], writers: Set[str]
    ) -> StreamRecord | None:
        # The sidecar first: the file only grows, so one looked at later is never too short for it.
        known = self._sidecar(place, directory, before)
        try:
            status = os.stat(place.file, dir_fd=directory, follow_symlinks=False)
            size, modified = status.st_size, status.st_mtime
        except FileNotFoundError:
            if isinstance(known, str):
                return None
            size, modified = 0, 0.0
        known = history.recovered("", size, known) if isinstance(known, str) else history.reconcile(known, size)
        believed = known.writer in writers
        return StreamRecord.of(known, place, size, modified, believed=believed)

    def _sidecar(
        self, place: Place, directory: int, before: dict[str, tuple[tuple[int, int, int], Sidecar]]
    ) -> Sidecar | str:
        """The sidecar, or why there is none."""
        try:
            status = os.stat(place.sidecar, dir_fd=directory, follow_symlinks=False)
            version = (status.st_ino, status.st_mtime_ns, status.st_size)
            cached = before.get(place.path)
            known = cached[1] if cached and cached[0] == version else sidecar.load(place.sidecar, directory)
        except FileNotFoundError:
            return "its sidecar is missing"
        except SidecarUnusable as error:
            return f"its sidecar is unusable: {error}"
        except OSError as error:
            return f"its sidecar cannot be read: {error}"
        self._seen[place.path] = (version, known)
        return known


def _entries(directory: int, parts: tuple[str, ...]) -> tuple[set[str], list[tuple[str, ...]]]:
    """The stored files in an open directory, and the directories below it; links and foreign names are left out."""
    files: set[str] = set()
    below: list[tuple[str, ...]] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if layout.file_of(entry.name) == entry.name and len(parts) < layout.MAX_DEPTH + _JOB_DEPTH:
                    below.append((*parts, entry.name))
            elif entry.is_file(follow_symlinks=False) and len(parts) >= _JOB_DEPTH:
                files.add(layout.file_of(entry.name) or "")
    return files - {""}, below


def running_writers(root: Root) -> set[str]:
    """The receivers that hold a lock, as far as it can be told."""
    writers = set()
    with contextlib.suppress(OSError), root.directory((layout.OWN_DIRECTORY,)) as directory:
        for name in os.listdir(directory):
            if name == LOCK_FILE or name.startswith(f"{LOCK_FILE}."):
                with contextlib.suppress(OSError):
                    writers.add(_running_writer(name, directory))
    return writers - {""}


def _running_writer(lock: str, directory: int) -> str:
    fd = disk.open_file(lock, os.O_RDONLY, directory)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return LockNote.read(fd).writer
    finally:
        os.close(fd)
    return ""


class View:
    """The streams below *root*. Nothing is written, and no receiver is kept from starting.

    Args:
        root: directory of a store; it must exist.

    Raises:
        StoreError: there is no such directory, or it may not be read.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Root(root, create=False)
        self._scanner = Scanner(self._root)

    @property
    def root(self) -> str:
        """Absolute path of the store."""
        return self._root.path

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Directories that the last `streams` could not look into: what lies there is not deleted."""
        return self._scanner.unreadable

    def streams(self) -> list[StreamRecord]:
        """A snapshot of every stream, by path. A torn sidecar costs its stream its history, and no other anything."""
        return self._scanner.scan({}, running_writers(self._root))

    def reader(self, path: str) -> Reader:
        """As `open_reader`."""
        return open_reader(self._root, path)

    def arrivals(self, path: str) -> Arrivals:
        """When the bytes at *path* came, as far as it is known and written; as `open_arrivals`."""
        return open_arrivals(self._root, path)

    def close(self) -> None:
        """Give the directory back."""
        self._root.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_reader(root: Root, path: str) -> Reader:
    """Read the stored file at *path*, relative to the root, as `StreamRecord.path` gives it.

    Raises:
        NameRefused: no stream can lie there, or there is a link on the way.
        StoreError: there is no such file.
    """
    place = layout.place_of(path)
    with disk.ours(f"open {path}"):
        return Reader(root.open_file(place, os.O_RDONLY))
