"""Where a stream lies below the root, and how that place is reached without following anybody's link.

`<root>/<site>/<job>/<name>` holds the bytes, `.<file>.logstreamer.json` beside it what is known about them,
`.<file>.logstreamer.arrivals` when they came, and
`<root>/.logstreamer/` the receiver's lock. Names are checked, never repaired: a repaired name could be somebody else's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from logstreamer.errors import NameRefused
from logstreamer.store import disk

MAX_COMPONENT = 200
"""Bytes of UTF-8 of one component. NAME_MAX is 255: room for a number, the sidecar's name, `.tmp` and `.bad.N`."""

MAX_NAME = 1024
"""Bytes of a whole name, so that `<root>/<site>/<job>/<name>` stays below PATH_MAX for people's own tools."""

MAX_DEPTH = 32
"""Components of a name that keeps its tree."""

OWN_DIRECTORY = ".logstreamer"
_SIDECAR_SUFFIX = ".logstreamer.json"
_ARRIVALS_SUFFIX = ".logstreamer.arrivals"
_NUMBER_SPACE = 6  # "." and at most five digits

# https://learn.microsoft.com/windows/win32/fileio/naming-a-file: reserved with any extension; a copy of the store must
# survive a visit to such a machine.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])", re.IGNORECASE)
_BIDI = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def check_component(component: str, limit: int = MAX_COMPONENT) -> str:
    """Return *component* if it may be the name of one directory or file of the store.

    Args:
        limit: most bytes of UTF-8.

    Raises:
        NameRefused: it may not; the error says why.
    """
    reason = _fault(component, limit)
    if reason:
        raise NameRefused(component, reason)
    return component


def _fault(component: str, limit: int) -> str:
    if component in ("", ".", ".."):
        return "empty, '.' and '..' name no file"
    if "/" in component or "\\" in component:
        return "it contains a path separator"
    # Cs, a lone surrogate, is how bytes that are no UTF-8 arrive; Cc includes NUL.
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or char in _BIDI for char in component):
        return "it contains a control character or invalid UTF-8"
    if len(component.encode()) > limit:
        return f"it is longer than {limit} bytes"
    if component != component.strip() or component.endswith("."):
        return "it begins or ends with a space, or ends with a dot"
    if _DEVICE.fullmatch(component.split(".", 1)[0].rstrip()):
        return "it is a device on Windows"
    if component.startswith(".") and ".logstreamer" in component.casefold():
        return "it is reserved for the store's own files"
    return ""


@dataclass(frozen=True, slots=True)
class Place:
    """The checked place of one stored file.

    Args:
        parents: site, job, and the directories of the name, if it keeps a tree.
        file: the last component.
    """

    parents: tuple[str, ...]
    file: str

    @classmethod
    def of(cls, site: str, job: str, name: str) -> Place:
        """The place of *name*, whose "/" are separators of a kept tree.

        Raises:
            NameRefused: site, job, or a component of the name may not be used.
        """
        if name.startswith("/"):
            raise NameRefused(name, "it is an absolute path")
        components = name.split("/")
        parts = [check_component(part) for part in (site, job, *components)]
        if len(components) > MAX_DEPTH or len(name.encode()) > MAX_NAME:
            raise NameRefused(name, f"it is longer than {MAX_NAME} bytes or deeper than {MAX_DEPTH} directories")
        return cls(tuple(parts[:-1]), parts[-1])

    @property
    def path(self) -> str:
        """Relative to the root, with "/"."""
        return "/".join((*self.parents, self.file))

    @property
    def sidecar(self) -> str:
        """Name of the sidecar, in the same directory."""
        return f".{self.file}{_SIDECAR_SUFFIX}"

    @property
    def arrivals(self) -> str:
        """Name of the file that says when its bytes came, in the same directory."""
        return f".{self.file}{_ARRIVALS_SUFFIX}"

    def numbered(self, number: int) -> Place:
        """The place of the *number*-th stream of this name (>= 1); the first has no number."""
        return self if number == 1 else Place(self.parents, f"{self.file}.{number}")


def file_of(entry: str) -> str | None:
    """The stored file that directory entry *entry* is or belongs to; None for a foreign or a temporary one."""
    if entry.startswith(".") and entry.endswith(_SIDECAR_SUFFIX):
        entry = entry[1 : -len(_SIDECAR_SUFFIX)]
    return entry if not _fault(entry, MAX_COMPONENT + _NUMBER_SPACE) else None


def number_of(entry: str, file: str) -> int | None:
    """Which stream of name *file* directory entry *entry* belongs to (>= 1); None: to another name."""
    if entry.startswith(".") and entry.endswith(_SIDECAR_SUFFIX):
        entry = entry[1 : -len(_SIDECAR_SUFFIX)]
    if entry == file:
        return 1
    head, _, tail = entry.rpartition(".")
    if head != file or not re.fullmatch("[1-9][0-9]{0,4}", tail) or tail == "1":
        return None
    return int(tail)


class Root:
    """The store's directory, open; everything below it is reached from this descriptor.

    The path of the root itself is the operator's word and may contain links; below it none is followed.

    Args:
        create: make the directory, with its parents, if it is missing.
        fsync: a directory that is made, or found to be there, is on the disk before anything is put into it.

    Raises:
        StoreError: it cannot be made or opened.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool, fsync: bool = False) -> None:
        self._fsync = fsync
        self._synced: set[tuple[str, ...]] = set()
        self.path = os.path.abspath(os.fspath(path))
        with disk.ours(f"use {self.path} as the store"):
            if create:
                disk.make_root(self.path, fsync=fsync)
            self._fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    @contextlib.contextmanager
    def directory(self, parts: tuple[str, ...], *, create: bool = False) -> Iterator[int]:
        """The descriptor of a directory below the root, open while the block runs.

        Raises:
            NameRefused: a link, or a file, lies at the place of one of them.
            FileNotFoundError: one is missing, and *create* is false.
        """
        fd = os.dup(self._fd)
        try:
            for depth, part in enumerate(parts, 1):
                if create:
                    known = parts[:depth] in self._synced
                    disk.make_dir(part, fd, fsync=self._fsync and not known)
                    self._synced.add(parts[:depth])
                below = _open_directory(part, fd)
                os.close(fd)
                fd = below
            yield fd
        finally:
            os.close(fd)

    def open_file(self, place: Place, flags: int) -> int:
        """Open a stored file, reached without following a link; raises as `disk.open_file`."""
        with self.directory(place.parents) as fd:
            return disk.open_file(place.file, flags, fd)

    def close(self) -> None:
        """Close the descriptor; a second time does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def place_of(path: str) -> Place:
    """The place of a stored file from its path relative to the root, as `Place.path` gives it.

    Raises:
        NameRefused: no stream can lie there.
    """
    parts = path.split("/")
    if len(parts) < 3:
        raise NameRefused(path, "it is not SITE/JOB/FILE")
    for part in parts:
        check_component(part, MAX_COMPONENT + _NUMBER_SPACE)
    return Place(tuple(parts[:-1]), parts[-1])


def _open_directory(name: str, dir_fd: int) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    except OSError as error:
        # Linux says ENOTDIR for a link too, because of O_DIRECTORY; others say ELOOP.
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise NameRefused(name, "a file or a symbolic link lies where a directory must be") from error
        raise
