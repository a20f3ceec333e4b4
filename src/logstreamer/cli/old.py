"""Old: files that look like the rotated past of another one, until they grow by themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Container
from dataclasses import dataclass

from logstreamer.tail.siblings import name_matcher, possible_bases

GRACE_SECONDS = 3.0
"""How long the last words of a writer who has not noticed the rotation yet are no sign of a file of its own."""


@dataclass(frozen=True, slots=True)
class _Sight:
    inode: tuple[int, int]
    size: int
    since: float


class Old:
    """Remembers the suspects: `worker.2.log` beside `worker.log` may be its past, or the log of another worker.

    The past of a file was that file once, or stands still. What grows under one name, and never was the file whose past
    it looks like, is a file of its own. Its directory is looked at now and then only: of a file that was rotated twice
    between two looks it is not known what it was.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._suspects: dict[str, _Sight] = {}
        self._told: set[str] = set()
        self._was: dict[tuple[int, int], tuple[str, int]] = {}  # inode -> the path that named it, and its size then

    def grows(self, path: str, base: str, status: os.stat_result) -> bool:
        """Whether *path* with *status*, which looks like the past of *base*, is a file of its own."""
        now, inode = self._clock(), (status.st_dev, status.st_ino)
        self.note(base)
        before = self._suspects.get(path)
        if before is None or before.inode != inode or status.st_size < before.size:
            self._suspects[path] = _Sight(inode, status.st_size, now)
            return False
        was, size = self._was.get(inode, ("", 0))
        if was == base and before.size >= size:  # a smaller one has got the inode of a file that was deleted
            return False
        return status.st_size > before.size and now - before.since >= GRACE_SECONDS

    def is_news(self, path: str) -> bool:
        """Whether *path* was not asked about before."""
        news = path not in self._told
        self._told.add(path)
        return news

    def note(self, base: str) -> None:
        """Remember which file *base* names now."""
        try:
            status = os.stat(base)
        except OSError:
            return
        self._was[(status.st_dev, status.st_ino)] = (base, status.st_size)


def past_of(path: str, present: Container[str]) -> str:
    """The file beside *path*, one of *present*, that *path* looks like an older part of; "" if there is none."""
    directory, name = os.path.split(path)
    bases = (os.path.join(directory, base) for base in sorted(possible_bases(name)) if name_matcher(base)(name))
    return next((base for base in bases if base in present), "")
