"""Discovery: finds the files that the arguments mean, again and again, each once."""

from __future__ import annotations

import glob
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from logstreamer.cli.old import Old, past_of
from logstreamer.cli.plan import Argument, Kind

STORE_MARK = ".logstreamer"


@dataclass(frozen=True, slots=True)
class Found:
    """A file to send, and what its copy is called below the job.

    Args:
        awaited: it was named, and is not there yet.
    """

    path: str
    name: str
    awaited: bool = False


@dataclass(slots=True)
class Remarks:
    """What a person should know of one look, each thing once.

    Args:
        missing: named, but not there (yet).
        same: (file, the other name it is sent under).
        rotated: the past of a followed file.
        special: sockets, FIFOs, devices.
        unreadable: (path, why); looked at again while files are followed.
        odd: named, and no regular file.
        stores: directories that a receiver keeps.
    """

    missing: list[str] = field(default_factory=list)
    same: list[tuple[str, str]] = field(default_factory=list)
    rotated: list[str] = field(default_factory=list)
    special: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    stores: list[str] = field(default_factory=list)


class Discovery:
    """Knows what was found already.

    While files are followed, `app.log.1` is the past of `app.log`, if nobody named it and it does not grow by itself,
    and two names of one file are one file. A snapshot takes every regular file as it is, under each of its names.

    Args:
        snapshot: files are sent as they are now, not followed.
        clock: monotonic seconds.
    """

    def __init__(
        self, arguments: Sequence[Argument], *, snapshot: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._arguments = arguments
        self._snapshot = snapshot
        self._known: dict[str, str] = {}  # absolute path -> name, or "" for what is not sent
        self._inodes: dict[tuple[int, int], str] = {}
        self._unreadable: set[str] = set()
        self._odd: set[str] = set()
        self._old = Old(clock)
        self.remarks = Remarks()

    @property
    def is_open(self) -> bool:
        """Whether more files may turn up."""
        return any(argument.kind is not Kind.FILE for argument in self._arguments)

    @property
    def is_waiting(self) -> bool:
        """Whether another look may find more: new files, or one that could not be read."""
        return self.is_open or bool(self.unread)

    @property
    def awaits_permission(self) -> bool:
        """Whether a file that was named is there and cannot be read; permission may be given yet."""
        return any(path not in self._odd for path in self.unread)

    @property
    def unread(self) -> list[str]:
        """Files and directories that could not be read until now."""
        return sorted(self._unreadable - self._known.keys())

    def look(self) -> list[Found]:
        """What was not there at the last look; what is to be said about it is in `remarks` until the next one."""
        self.remarks = Remarks()
        new: list[tuple[str, str, bool]] = []
        for argument in self._arguments:
            for path, relative in self._paths(argument):
                if path not in self._known:
                    new.append((path, argument.name_of(relative), argument.kind is Kind.FILE))
        # A link after the files it may lead to, and the past of a file after the file.
        new.sort(key=lambda item: (not item[2], os.path.islink(item[0])))
        present = {path for path, _, _ in new} | self._known.keys()
        return [found for item in new if (found := self._examine(*item, present)) is not None]

    def _examine(self, path: str, name: str, named: bool, present: set[str]) -> Found | None:
        if path in self._known:
            return None
        try:
            status = os.stat(path)
        except FileNotFoundError:
            # A file that nobody named is gone again, or is a link to nothing: it is looked at next time.
            return self._take_missing(path, name) if named else None
        except OSError as error:
            self._cannot_read(path, error.strerror or str(error))
            return None
        inode = (status.st_dev, status.st_ino)
        if not stat.S_ISREG(status.st_mode) and named:
            self._say_odd(path)
            return None
        if not stat.S_ISREG(status.st_mode):
            self.remarks.special.append(path)
        elif (
            not named
            and not self._snapshot
            and (base := past_of(path, present))
            and not self._old.grows(path, base, status)
        ):
            if self._old.is_news(path):
                self.remarks.rotated.append(path)
            return None
        elif same := self._same(path, inode, named):
            self.remarks.same.append((path, same))
        elif not os.access(path, os.R_OK):
            self._cannot_read(path, "Permission denied")
            return None
        else:
            self._inodes[inode] = path
            self._known[path] = name
            self._unreadable.discard(path)
            self._old.note(path)
            return Found(path, name)
        self._known[path] = ""
        return None

    def _take_missing(self, path: str, name: str) -> Found | None:
        self.remarks.missing.append(path)
        self._known[path] = name
        return None if self._snapshot else Found(path, name, awaited=True)

    def _cannot_read(self, path: str, reason: str) -> None:
        """Say so once, and look again the next time."""
        if path not in self._unreadable:
            self._unreadable.add(path)
            self.remarks.unreadable.append((path, reason))

    def _say_odd(self, path: str) -> None:
        """As `_cannot_read`, of what may be replaced by a file, but is not waited for alone."""
        if path not in self._odd:
            self._odd.add(path)
            self._unreadable.add(path)
            self.remarks.odd.append(path)

    def _same(self, path: str, inode: tuple[int, int], named: bool) -> str:
        """The path under which the file at *path* is sent already, or ""."""
        if self._snapshot and not named and not os.path.islink(path):
            return ""
        other = self._inodes.get(inode, "")
        # What was rotated away since has taken its inode with it.
        return other if other and _inode(other) == inode else ""

    # -- the file system

    def _paths(self, argument: Argument) -> Iterator[tuple[str, str]]:
        """(absolute path, path relative to the argument's base)."""
        if argument.kind is Kind.FILE:
            yield os.path.join(argument.base, argument.pattern), argument.pattern
        elif argument.kind is Kind.TREE:
            yield from self._walk(argument.base, argument.base)
        else:
            for relative in sorted(glob.iglob(argument.pattern, root_dir=argument.base, recursive=True)):
                path = os.path.join(argument.base, relative)
                if os.path.isdir(path):
                    yield from self._walk(path, argument.base)
                else:
                    yield path, relative

    def _walk(self, top: str, base: str) -> Iterator[tuple[str, str]]:
        """The files below *top*; links to directories are not entered."""
        prefix = os.path.relpath(top, base)
        pending = [(top, "" if prefix == os.curdir else prefix + os.sep)]
        while pending:
            directory, prefix = pending.pop()
            try:
                with os.scandir(directory) as listing:
                    entries = sorted(listing, key=lambda entry: entry.name)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._cannot_read(directory, error.strerror or str(error))
                continue
            if any(entry.name == STORE_MARK and _is_directory(entry) for entry in entries):
                if directory not in self._known:
                    self._known[directory] = ""
                    self.remarks.stores.append(directory)
                continue
            below = [entry for entry in reversed(entries) if entry.is_dir(follow_symlinks=False)]
            pending += [(entry.path, f"{prefix}{entry.name}{os.sep}") for entry in below]
            yield from ((entry.path, prefix + entry.name) for entry in entries if not _is_directory(entry))


def _is_directory(entry: os.DirEntry[str]) -> bool:
    """Whether *entry* leads to a directory; a link that leads nowhere one may look does not, and is reported later."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _inode(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
