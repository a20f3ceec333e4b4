"""Hearing that something happened in a directory, so that a follower looks at once instead of at its next poll.

A hint and nothing more: every follower polls as well, so a missed event costs at most one poll interval.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import select
import struct
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Protocol

from logstreamer.tail.mounts import is_local
from logstreamer.tail.siblings import name_matcher, possible_bases

logger = logging.getLogger(__name__)

Notify = Callable[[], None]

_MODIFY, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x40, 0x80, 0x100, 0x200
_ATTRIB, _DELETE_SELF, _MOVE_SELF = 0x4, 0x400, 0x800
_OVERFLOW, _IGNORED, _ONLYDIR = 0x4000, 0x8000, 0x1000000
_MASK = _MODIFY | _ATTRIB | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF | _ONLYDIR
_LOST = _DELETE_SELF | _MOVE_SELF | _IGNORED

_EVENT = struct.Struct("iIII")
_BUFFER = 1 << 16
_MOST_READS = 16


class Watch(Protocol):
    """One interest in one directory."""

    @property
    def sees_all(self) -> bool:
        """Whether now writes in the directory are seen, but for those through another name of a file or its memory."""

    def close(self) -> None:
        """No more notifies. Idempotent."""


class Wakeup(Protocol):
    """Tells any number of followers that their directories changed. Not thread-safe."""

    def watch(self, directory: str, notify: Notify, bases: Collection[str] | None = None) -> Watch:
        """Call *notify* from `drain` after something happened to a file in *directory*.

        Args:
            bases: only to a file of one of these names, or of a name that rotation derives from them; None: to any.

        Never raises for the directory's sake: one that is missing or cannot be watched is tried again by `refresh`.
        """

    def refresh(self) -> None:
        """Watch again the directories that were moved, deleted or not there; call it about once per poll interval."""

    def fileno(self) -> int | None:
        """A descriptor that is readable when `drain` has work; None: there never is any."""

    def drain(self) -> None:
        """Take the waiting events, call each notify at most once. Bounded; what remains keeps `fileno` readable."""

    def wait(self, timeout: float) -> None:
        """Sleep until something happened, or for *timeout* seconds, whichever is first; then drain."""

    def close(self) -> None:
        """Give everything back. Idempotent."""


class PollingWakeup:
    """Where nothing can be watched (no inotify, no watches left): followers just poll."""

    def watch(self, directory: str, notify: Notify, bases: Collection[str] | None = None) -> Watch:
        return _Interest(_Directory(directory), notify, bases, lambda interest: None)

    def refresh(self) -> None:
        pass

    def fileno(self) -> int | None:
        return None

    def drain(self) -> None:
        pass

    def wait(self, timeout: float) -> None:
        time.sleep(max(0.0, timeout))

    def close(self) -> None:
        pass


class _Interest:
    def __init__(
        self,
        directory: _Directory,
        notify: Notify,
        bases: Collection[str] | None,
        forget: Callable[[_Interest], None],
    ) -> None:
        self.notify = notify
        self.bases = bases
        self._directory = directory
        self._forget = forget

    @property
    def sees_all(self) -> bool:
        return self._directory.is_local and self._directory.wd is not None

    def close(self) -> None:
        self._forget(self)


class _Directory:
    """A directory with those interested in it; wd None while it is not watched.

    They are found by name: asking each of a thousand followers about each event costs more than all else.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.wd: int | None = None
        self.identity: tuple[int, int] | None = None
        self.is_local = False
        self.interests: dict[_Interest, None] = {}  # in the order they came
        self._in_all: dict[_Interest, None] = {}
        self._by_base: dict[str, dict[_Interest, None]] = {}

    def add(self, interest: _Interest) -> None:
        self.interests[interest] = None
        for bucket in self._buckets(interest):
            bucket[interest] = None

    def remove(self, interest: _Interest) -> None:
        del self.interests[interest]
        for bucket in self._buckets(interest):
            del bucket[interest]
        for base in interest.bases or ():
            if not self._by_base[base]:
                del self._by_base[base]

    def _buckets(self, interest: _Interest) -> list[dict[_Interest, None]]:
        if interest.bases is None:
            return [self._in_all]
        return [self._by_base.setdefault(base, {}) for base in interest.bases]

    def concerned(self, name: str) -> Iterator[_Interest]:
        """Those who want to know of *name*, "" being the directory itself; some of them twice."""
        if not name:
            yield from self.interests
            return
        yield from self._in_all
        yield from self._by_base.get(name, ())
        for base in possible_bases(name):
            if base in self._by_base and name_matcher(base)(name):
                yield from self._by_base[base]


class InotifyWakeup:
    """One inotify instance for all directories; each is watched once, however many followers live in it.

    Raises OSError on construction where inotify is missing (ENOSYS) or instances are used up (EMFILE).
    """

    def __init__(self) -> None:
        self._libc = _libc()
        self._fd = _checked(self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
        self._directories: dict[str, _Directory] = {}
        self._by_wd: dict[int, list[_Directory]] = {}
        self._blind: str | None = None

    def watch(self, directory: str, notify: Notify, bases: Collection[str] | None = None) -> Watch:
        known = self._directories.get(directory)
        if known is None:
            known = self._directories[directory] = _Directory(directory)
            self._add(known)
        interest = _Interest(known, notify, bases, lambda interest: self._forget(directory, interest))
        known.add(interest)
        return interest

    def refresh(self) -> None:
        for directory in self._directories.values():
            is_news = False
            if directory.wd is not None and _identity(directory.path) != directory.identity:
                self._drop(directory)  # another directory stands there now
                is_news = True
            if directory.wd is None:
                self._add(directory)
                is_news = is_news or directory.wd is not None
            if is_news:
                _notify_all(directory.interests)

    def fileno(self) -> int | None:
        return self._fd

    def drain(self) -> None:
        due: dict[int, _Interest] = {}
        for _ in range(_MOST_READS):
            try:
                events = os.read(self._fd, _BUFFER)
            except BlockingIOError:
                break
            self._sort(events, due)
            if len(events) < _BUFFER // 2:
                break
        _notify_all(due.values())

    def wait(self, timeout: float) -> None:
        # poll, not select: descriptors above 1023 are common in a training job.
        poller = select.poll()
        poller.register(self._fd, select.POLLIN)
        if poller.poll(max(0.0, timeout) * 1000):
            self.drain()
        self.refresh()

    def close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)
            self._directories.clear()
            self._by_wd.clear()

    def _add(self, directory: _Directory) -> None:
        # Before the watch: if another directory comes in between, the next refresh sees that it is not this one.
        identity = _identity(directory.path)
        wd = self._libc.inotify_add_watch(self._fd, os.fsencode(directory.path), _MASK)
        if wd < 0:
            self._report(directory.path, ctypes.get_errno())
            return
        directory.wd, directory.identity = wd, identity
        directory.is_local = directory.identity is not None and is_local(directory.identity[0])
        self._by_wd.setdefault(wd, []).append(directory)

    def _drop(self, directory: _Directory) -> None:
        wd, directory.wd = directory.wd, None
        if wd is None:
            return
        sharing = self._by_wd.get(wd, [])
        if directory in sharing:
            sharing.remove(directory)
        if not sharing:  # two paths of one directory share a watch
            self._by_wd.pop(wd, None)
            self._libc.inotify_rm_watch(self._fd, wd)

    def _forget(self, path: str, interest: _Interest) -> None:
        directory = self._directories.get(path)
        if directory is None or interest not in directory.interests:
            return
        directory.remove(interest)
        if not directory.interests:
            self._drop(directory)
            del self._directories[path]

    def _sort(self, events: bytes, due: dict[int, _Interest]) -> None:
        seen: set[tuple[int, str]] = set()
        offset = 0
        while offset < len(events):
            wd, mask, _, length = _EVENT.unpack_from(events, offset)
            start = offset + _EVENT.size
            offset = start + length
            if mask & _OVERFLOW:
                logger.info("inotify queue overflow: every follower looks again")
                for directory in self._directories.values():
                    due.update((id(interest), interest) for interest in directory.interests)
                continue
            name = os.fsdecode(events[start:offset].rstrip(b"\0"))
            if (wd, name) not in seen or mask & _LOST:
                seen.add((wd, name))
                self._take(wd, mask, name, due)

    def _take(self, wd: int, mask: int, name: str, due: dict[int, _Interest]) -> None:
        for directory in list(self._by_wd.get(wd, ())):
            due.update((id(interest), interest) for interest in directory.concerned(name))
            if mask & _LOST:
                self._drop(directory)

    def _report(self, path: str, code: int) -> None:
        if code in (errno.ENOENT, errno.ENOTDIR):
            return
        reason = "no inotify watches left" if code == errno.ENOSPC else os.strerror(code).lower()
        if reason != self._blind:
            self._blind = reason
            logger.warning("cannot watch %s: %s; it is polled", path, reason)


def create_wakeup() -> Wakeup:
    """Inotify where it works, else polling; which one is logged."""
    try:
        return InotifyWakeup()
    except OSError as error:
        logger.warning("no inotify (%s): files are polled", error.strerror)
        return PollingWakeup()


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "inotify_init1"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    libc.inotify_add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
    return libc


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _identity(path: str) -> tuple[int, int] | None:
    try:
        st = os.stat(path)
    except OSError:
        return None
    return st.st_dev, st.st_ino


def _notify_all(interests: Iterable[_Interest]) -> None:
    for interest in list(interests):  # a notify may add or close watches
        interest.notify()
