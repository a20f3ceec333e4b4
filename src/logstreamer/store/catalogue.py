"""All streams below one directory, open for a receiver."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from types import TracebackType
from typing import Self

import msgspec
from msgspec.structs import replace

from logstreamer.errors import StoreError
from logstreamer.store import disk, history, layout, series, sidecar
from logstreamer.store.arrivals import Arrival, Arrivals, open_arrivals
from logstreamer.store.follow import Reader
from logstreamer.store.layout import Place, Root
from logstreamer.store.record import StreamRecord
from logstreamer.store.sidecar import SidecarUnusable
from logstreamer.store.stream_file import Shelf, StreamFile
from logstreamer.store.view import LOCK_FILE, LockNote, Scanner, View, open_reader, running_writers

_MAX_IDENTITY = 64 * 1024
_LOCK_TRIES = 5
_LOCK_PAUSE = 0.02


class Store:
    """The streams below *root*, for the one receiver that writes them. A context manager.

    Args:
        root: a directory; made if it is missing.
        fsync: sidecars, and what `StreamFile.sync` is called for, are on the disk when a call returns. Without it
            they are with the operating system: safe from kill -9, not from loss of power.
        max_open: most data files open at a time (>= 1); more streams than that may be open.
        part: names one of several receivers that share the directory, a component of a path; each writes streams that
            no other one writes, e.g. those of one job. "": the one that is alone, or has all the rest.

    Raises:
        NameRefused: *part* is no such name.
        StoreError: the directory cannot be made or written, or another receiver uses it (this part of it).
    """

    def __init__(
        self, root: str | os.PathLike[str], *, fsync: bool = False, max_open: int = 512, part: str = ""
    ) -> None:
        lock = f"{LOCK_FILE}.{layout.check_component(part)}" if part else LOCK_FILE
        self._root = Root(root, create=True, fsync=fsync)
        self._lock = -1
        self._lock_name = ""
        try:
            writer = secrets.token_hex(8)
            self._lock = _take_lock(self._root, lock, writer)
            self._lock_name = lock if part else ""
        except BaseException:
            self._root.close()
            raise
        self._shelf = Shelf(self._root, disk.Descriptors(max_open), writer, fsync)
        self._scanner = Scanner(self._root)

    @classmethod
    def view(cls, root: str | os.PathLike[str]) -> View:
        """The same directory, read only and without the lock."""
        return View(root)

    @property
    def root(self) -> str:
        """Absolute path of the store."""
        return self._root.path

    def open(self, site: str, job: str, name: str, *, key: str, meta: dict[str, str] | None = None) -> StreamFile:
        """Continue the unfinished stream of *key* at `<site>/<job>/<name>`, or begin one.

        A finished stream, or one of another key, keeps its file; this one then gets `<name>.2`, `.3`, ...

        Args:
            name: may contain "/": a kept tree.
            key: identity of the stream, opaque and not empty.
            meta: kept with a stream that begins; a continued one keeps its own.

        Raises:
            NameRefused: a name may not be used, or a link or a stored file lies where a directory must be.
            StoreError: it is open already; or the disk failed (`DiskFull`: no room, may be repeated).
        """
        place = Place.of(site, job, name)
        _check_identity(place, key, meta or {})
        with (
            disk.ours(f"open {place.path}"),
            self._root.directory(place.parents, create=True) as directory,
        ):
            found = series.Series(place, key, directory, self._shelf.open, fsync=self._shelf.fsync)
            place, known = found.find() or found.begin(meta or {})
            stream = StreamFile(self._shelf, place, known)
        self._shelf.open[stream.path] = stream
        return stream

    def finished(self, site: str, job: str, name: str, *, key: str, run: str) -> StreamRecord | None:
        """The finished stream of *key* that *run* ended, or None.

        A sender whose last acknowledgement was lost opens its stream once more: this tells it from a new one, which
        `open` would begin.

        Raises:
            NameRefused: a name may not be used.
        """
        place = Place.of(site, job, name)
        with (
            disk.ours(f"look for {place.path}"),
            contextlib.suppress(FileNotFoundError),
            self._root.directory(place.parents) as directory,
        ):
            for number in series.numbers(place.file, directory):
                there = place.numbered(number)
                with contextlib.suppress(FileNotFoundError, SidecarUnusable):
                    known = sidecar.load(there.sidecar, directory)
                    if known.finished is not None and known.key == key and known.runs and known.runs[-1].run == run:
                        status = os.stat(there.file, dir_fd=directory, follow_symlinks=False)
                        if self._shelf.fsync:
                            disk.settle(there.file, directory)
                        known = history.reconcile(known, status.st_size)
                        return StreamRecord.of(known, there, status.st_size, status.st_mtime, believed=True)
        return None

    def is_open(self, path: str) -> bool:
        """Whether the stream at *path* is open for writing; from any thread."""
        return path in self._shelf.open

    def open_paths(self) -> list[str]:
        """The streams that are open for writing, in the order they were opened; from any thread."""
        return list(self._shelf.open)

    def opened(self, path: str) -> StreamFile | None:
        """The stream at *path* while it is open for writing."""
        return self._shelf.open.get(path)

    def live_record(self, path: str) -> StreamRecord | None:
        """What is known now of the stream at *path* while it is open for writing, else None; from any thread."""
        stream = self._shelf.open.get(path)
        return stream.record() if stream is not None else None

    def streams(self) -> list[StreamRecord]:
        """A snapshot of every stream, by path. A torn sidecar costs its stream its history, and no other anything."""
        return self._scanner.scan(self._shelf.open, self._others())

    def _others(self) -> set[str]:
        """The receivers that write other parts of the directory now."""
        return running_writers(self._root) - {self._shelf.writer}

    def set_state(self, path: str, state: str, detail: str) -> None:
        """Keep *state* of the stream at *path*, unless it is finished, or open, here or for a receiver of another part.

        Raises:
            NameRefused: no stream can lie there.
            StoreError: nothing has changed; `DiskFull` where that is the reason.
        """
        if self.is_open(path):
            return
        place = layout.place_of(path)
        with disk.ours(f"write the sidecar of {path}"), self._root.directory(place.parents) as directory:
            known = sidecar.load(place.sidecar, directory)
            size = os.stat(place.file, dir_fd=directory, follow_symlinks=False).st_size
            known = history.reconcile(known, size)
            if known.finished is None and known.writer not in self._others():
                known = replace(history.in_state(known, state, detail, size), writer="", size=size)
                disk.replace(place.sidecar, sidecar.encode(known), directory, fsync=self._shelf.fsync)

    def reader(self, path: str) -> Reader:
        """Read the stored file at *path*, as `View.reader`."""
        return open_reader(self._root, path)

    def arrivals(self, path: str) -> Arrivals:
        """When the bytes at *path* came, as far as it is known; from any thread.

        Raises:
            NameRefused: no stream can lie there.
        """
        stream = self._shelf.open.get(path)
        pending = stream.arrivals if stream is not None else ()
        return open_arrivals(self._root, path, pending)

    def last_arrival(self, path: str) -> Arrival | None:
        """The latest one while the stream at *path* is open for writing, else None; from any thread."""
        stream = self._shelf.open.get(path)
        return stream.last_arrival if stream is not None else None

    def retire(self) -> None:
        """The streams of this *part* are over: remove its lock file, or each job leaves one. `close` does so, too.

        The lock itself is held until then, so this is for a part that nobody takes in the meantime.
        """
        name, self._lock_name = self._lock_name, ""
        if name:
            with contextlib.suppress(OSError), self._root.directory((layout.OWN_DIRECTORY,)) as directory:
                os.unlink(name, dir_fd=directory)

    def close(self) -> None:
        """Close every stream and let another receiver have the directory. A second call does nothing."""
        if self._lock < 0:
            return
        try:
            with contextlib.ExitStack() as all_of_them:
                for stream in list(self._shelf.open.values()):
                    all_of_them.callback(stream.close)
        finally:
            self.retire()
            os.close(self._lock)
            self._lock = -1
            self._root.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _check_identity(place: Place, key: str, meta: dict[str, str]) -> None:
    if not key:
        raise StoreError(f"a stream at {place.path} needs a key")
    texts = [history.text(key, "key"), *(history.text(text, "meta") for pair in meta.items() for text in pair)]
    if sum(map(len, texts)) > _MAX_IDENTITY:
        raise StoreError(f"key and meta of {place.path} are longer than {_MAX_IDENTITY} characters")


def _take_lock(root: Root, lock: str, writer: str) -> int:
    """Lock the root against a second receiver, and prove that it can be written."""
    while True:
        fd = _try_lock(root, lock, writer)
        if os.fstat(fd).st_nlink > 0:
            return fd
        os.close(fd)  # its former holder has removed it since it was opened


def _try_lock(root: Root, lock: str, writer: str) -> int:
    with (
        disk.ours(f"write to {root.path}"),
        root.directory((layout.OWN_DIRECTORY,), create=True) as directory,
    ):
        fd = disk.open_file(lock, os.O_RDWR | os.O_CREAT, directory)
    try:
        with disk.ours(f"lock {root.path}"):
            if not _lock(fd):
                pid = LockNote.read(fd).pid
                raise StoreError(f"{root.path} is in use by another receiver (process {pid or 'unknown'})")
        with contextlib.suppress(OSError):  # a note only, and a receiver must be able to start on a full disk
            os.ftruncate(fd, 0)
            os.pwrite(fd, msgspec.json.encode(LockNote(os.getpid(), writer)), 0)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _lock(fd: int) -> bool:
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE)  # a viewer that asks whether a receiver runs holds it for an instant
        else:
            return True
    return False
