"""Watching: the directories in which a follower's files stand, watched."""

from __future__ import annotations

from collections.abc import Iterable

from logstreamer.tail.follower import Follower
from logstreamer.tail.wakeup import Notify, Wakeup, Watch


class Watching:
    """Keeps the watches of one follower where its files are; call `update` after each look that brought news.

    Args:
        notify: called after something happened to one of its files, or to one that rotation derives from them.
    """

    def __init__(self, follower: Follower, wakeup: Wakeup, notify: Notify) -> None:
        self._follower = follower
        self._wakeup = wakeup
        self._notify = notify
        self._watches: dict[str, Watch] = {}
        self._bases: frozenset[str] = frozenset()
        follower.watched = self._sees_all

    def update(self) -> None:
        """Watch what has to be watched now."""
        directories, bases = self._follower.directories(), self._follower.bases()
        if bases != self._bases:  # the path links to another name now
            self._bases = bases
            self._unwatch(list(self._watches))
        if directories == self._watches.keys():
            return
        self._unwatch(self._watches.keys() - directories)
        for new in directories - self._watches.keys():
            self._watches[new] = self._wakeup.watch(new, self._notify, bases)

    def _sees_all(self) -> bool:
        return bool(self._watches) and all(watch.sees_all for watch in self._watches.values())

    def close(self) -> None:
        """Watch nothing more."""
        self._unwatch(list(self._watches))

    def _unwatch(self, directories: Iterable[str]) -> None:
        for directory in directories:
            self._watches.pop(directory).close()
