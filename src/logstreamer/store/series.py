"""Which of the files `<name>`, `<name>.2`, `<name>.3`, ... a stream continues, or gets.

Nothing is ever overwritten or truncated: a finished stream, and one of another key, keeps its file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from typing import Protocol

from msgspec.structs import replace

from logstreamer.crash import reach
from logstreamer.errors import StoreError
from logstreamer.store import disk, history, layout, sidecar
from logstreamer.store.layout import Place
from logstreamer.store.sidecar import Sidecar, SidecarUnusable

_MOST = 99_999


class Opened(Protocol):
    """A stream that is open for writing."""

    @property
    def key(self) -> str:
        """Identity of the stream."""

    @property
    def finished(self) -> bool:
        """Whether it has ended for good."""


def numbers(file: str, directory: int) -> list[int]:
    """The numbers in use for *file* in an open directory, highest first."""
    found = {layout.number_of(entry, file) for entry in os.listdir(directory)}
    return sorted((number for number in found if number is not None), reverse=True)


class Series:
    """The files of one name in an open directory, as one key sees them.

    Args:
        place: of the name itself, the first of the series.
        opened: the streams that are open, by path.
        fsync: as for `Store`.
    """

    def __init__(self, place: Place, key: str, directory: int, opened: Mapping[str, Opened], *, fsync: bool) -> None:
        self._place = place
        self._key = key
        self._directory = directory
        self._opened = opened
        self._fsync = fsync
        self._numbers = numbers(place.file, directory)

    def find(self) -> tuple[Place, Sidecar] | None:
        """The unfinished stream of the key, its sidecar made true; None if there is none.

        Raises:
            StoreError: it is open.
            NameRefused: a link, a directory, or a file with a second name lies at its place.
        """
        orphans: list[tuple[int, SidecarUnusable]] = []
        ours = False
        for number in self._numbers:
            there = self._place.numbered(number)
            live = self._opened.get(there.path)
            if live is not None:
                ours = ours or live.key == self._key
                if live.key == self._key and not live.finished:
                    raise StoreError(f"{there.path} is open already")
                continue
            try:
                known = sidecar.load(there.sidecar, self._directory)
            except FileNotFoundError:
                orphans.append((number, SidecarUnusable("it is missing")))
            except SidecarUnusable as error:
                orphans.append((number, error))
            else:
                ours = ours or known.key == self._key
                if known.key == self._key and known.finished is None:
                    return there, self._continue(there, known)
        return self._adopt(orphans, ours)

    def begin(self, meta: dict[str, str]) -> tuple[Place, Sidecar]:
        """A new, empty file behind all others of the series."""
        number = self._numbers[0] + 1 if self._numbers else 1
        while number <= _MOST:
            there = self._place.numbered(number)
            try:
                # The file first, for O_EXCL: where the file system ignores case, the place may be taken by a name that
                # looks different. A crash before the sidecar leaves an empty file, which is adopted.
                disk.create_file(there.file, self._directory)
            except FileExistsError:
                number += 1
                continue
            reach("store.created")
            at = sidecar.now()
            return there, self._write(there, Sidecar(key=self._key, since=at, created=at, meta=meta))
        raise StoreError(f"{self._place.path} has {_MOST} successors already")

    def _continue(self, there: Place, known: Sidecar) -> Sidecar:
        size = self._size(there)
        if size is None:
            disk.create_file(there.file, self._directory)
        true = history.reconcile(known, size or 0)
        return true if true is known else self._write(there, true)

    def _adopt(self, orphans: list[tuple[int, SidecarUnusable]], ours: bool) -> tuple[Place, Sidecar] | None:
        """The file among those without a usable sidecar that most probably is the key's.

        That is one whose unusable sidecar still shows the key; or the first of the series, or a later one of a series
        that is the key's: `train.log.2` alone may as well be a stream that is called so. An empty file is anybody's.
        The sender compares fingerprints before it continues in any of them.
        """
        for number, fault in orphans:
            there = self._place.numbered(number)
            probable = fault.key == self._key if fault.key else number == 1 or ours
            size = self._size(there) if probable or number == 1 else None
            if not probable or size is None or not self._is_unfinished(there):
                continue
            if disk.exists(there.sidecar, self._directory):
                disk.set_aside(there.sidecar, self._directory)
            known = history.recovered(self._key, size, f"the sidecar could not be used: {fault}")
            if size == 0 and not fault.key:
                known = replace(known, state="waiting", troubles=())
            return there, self._write(there, known)
        return None

    def _is_unfinished(self, there: Place) -> bool:
        """Whether the file may be written: finished ones are made read only, which outlives their sidecar."""
        mode = os.stat(there.file, dir_fd=self._directory, follow_symlinks=False).st_mode
        return bool(stat.S_IMODE(mode) & 0o222)

    def _size(self, there: Place) -> int | None:
        """Size of the stored file; None if there is none."""
        try:
            fd = disk.open_file(there.file, os.O_RDONLY, self._directory)
        except FileNotFoundError:
            return None
        try:
            return os.fstat(fd).st_size
        finally:
            os.close(fd)

    def _write(self, there: Place, known: Sidecar) -> Sidecar:
        disk.replace(there.sidecar, sidecar.encode(known), self._directory, fsync=self._fsync)
        return known
