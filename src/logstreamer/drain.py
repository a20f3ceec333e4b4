"""When a stopped stream may end."""

from __future__ import annotations

DRAIN_POLLS = 20
"""For how many poll intervals after a stop new lines are still taken, if the writer never pauses for one."""

DRAIN_SECONDS = 1.0
"""The same as a least time in seconds, for very short poll intervals."""


UNREADABLE_SECONDS = 5.0
"""How long bytes that are known to be there and cannot be read are waited for: the successor of a file that was
rotated a moment ago is read when that one has been quiet for a while."""


class Drain:
    """The end of a stream after its stop; all times in seconds of one monotonic clock.

    It ends after two empty reads in a row that lie one poll interval apart. A writer that never pauses that long is
    cut off: what the file holds `bound` seconds after the stop was seen is all sent, however long that takes, and
    nothing written later. So the bound limits the writer, never the link.

    Args:
        now: when the stop was seen.
        poll_interval: how long the file must have been quiet (> 0).
        at_first_end: the first empty read is the last: the file had got its last line before it was read.
    """

    def __init__(self, now: float, poll_interval: float, *, at_first_end: bool = False) -> None:
        self._poll_interval = poll_interval
        self._deadline = now + max(DRAIN_POLLS * poll_interval, DRAIN_SECONDS)
        self._quiet_since: float | None = None
        self._goal: int | None = None
        self._at_first_end = at_first_end
        self._unreadable_since: float | None = None

    def saw_data(self) -> None:
        """A read brought bytes: the two empty reads have to come after it."""
        self._quiet_since = self._unreadable_since = None

    def saw_nothing(self, now: float, unread: int) -> float:
        """A read was empty: how many seconds must pass until the next may be the last; 0.0: it was the last.

        Args:
            unread: bytes known to be there all the same.
        """
        if self._quiet_since is None:
            self._quiet_since = now
        quiet_for = 0.0 if self._at_first_end else self._quiet_since + self._poll_interval - now
        return max(0.0, quiet_for, self._patience(now) if unread else 0.0)

    def _patience(self, now: float) -> float:
        if self._unreadable_since is None:
            self._unreadable_since = now
        return min(self._unreadable_since + UNREADABLE_SECONDS - now, self._poll_interval)

    def needs_goal(self, now: float) -> bool:
        """Whether the bound has passed and `set_goal` has not been told the end yet."""
        return self._goal is None and now >= self._deadline

    def set_goal(self, offset: int) -> None:
        """Bytes beyond *offset* of the stream are not sent any more."""
        self._goal = offset

    def is_cut_off(self, offset: int) -> bool:
        """Whether everything up to the goal has been read, at *offset* of the stream."""
        return self._goal is not None and offset >= self._goal
