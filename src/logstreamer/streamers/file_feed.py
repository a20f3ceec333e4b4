"""The followed file as a producer sees it: bytes to send, and a way to wait for more."""

from __future__ import annotations

import logging
import os

from logstreamer.follow_spec import FollowSpec
from logstreamer.tail import Follower, SegmentStart, Watch, create_wakeup

_logger = logging.getLogger(__name__)


class FileFeed:
    """The bytes of every file that the path names, one after the other.

    A receiver of plain chunks knows no segments: the bytes of one file simply follow those of the last. What was lost
    between them is therefore told here, in the sender's log: the first loss at once, the sum of all at the end.

    Args:
        follow: the file and how to follow it.
        now: seconds of the clock that all other calls use too.
        follower: of the file, without a cursor yet, where somebody follows it already; closed with the feed.
    """

    def __init__(self, follow: FollowSpec, now: float, follower: Follower | None = None) -> None:
        self._name = os.path.basename(follow.path)
        self._follower = follower or Follower(follow.path, now=now, poll_interval=follow.poll_interval)
        self._cursor = self._follower.cursor(None, now)
        self._wakeup = create_wakeup()
        self._watches: dict[str, Watch] = {}
        self._losses = 0
        self._lost_bytes = 0
        if follower is None and not os.path.exists(follow.path):
            _logger.info("%s does not exist yet, waiting for it", follow.path)

    def read(self, limit: int, now: float) -> bytes | None:
        """The next bytes (1 to *limit*), or None: nothing new."""
        due = self._follower.get_timer()
        is_fresh = due is not None and due <= now
        if is_fresh:
            self._follower.poll(now)
        data = self._read_bytes(limit, now)
        if data is None and not is_fresh:  # the cursor goes no further than the last poll has seen
            self._follower.poll(now)
            data = self._read_bytes(limit, now)
        return data

    def look(self, now: float) -> int:
        """Look at the path, so that no rotation goes unnoticed: how many bytes are there to be read."""
        self._follower.poll(now)
        return self._cursor.behind

    def wait(self, timeout: float, now: float) -> None:
        """Sleep *timeout* seconds (>= 0), less when the file changed or the follower wants to look at it."""
        self._watch_directories()
        due = self._follower.get_timer()
        if due is not None:
            timeout = min(timeout, max(0.0, due - now))
        self._wakeup.wait(timeout)

    def close(self) -> None:
        """Let go of all files; allowed more than once."""
        if self._losses > 1:
            _logger.warning("%s: %d losses, %d bytes or more in all", self._name, self._losses, self._lost_bytes)
            self._losses = 0
        self._wakeup.close()
        self._cursor.close()
        self._follower.close()

    def _watch_directories(self) -> None:
        wanted = self._follower.directories()
        for directory in self._watches.keys() - wanted:
            self._watches.pop(directory).close()
        for directory in wanted - self._watches.keys():
            self._watches[directory] = self._wakeup.watch(directory, self._follower.wake)
        self._wakeup.refresh()

    def _read_bytes(self, limit: int, now: float) -> bytes | None:
        while isinstance(item := self._cursor.read(limit, now), SegmentStart):
            self._note_loss(item)
        return item

    def _note_loss(self, segment: SegmentStart) -> None:
        if segment.lost == 0 and segment.reason != "gap":
            return
        self._losses += 1
        self._lost_bytes += segment.lost or 0
        if self._losses == 1:
            size = "an unknown number of" if segment.lost is None else str(segment.lost)
            _logger.warning("%s: %s bytes were gone before they could be read: %s", self._name, size, segment.detail)
