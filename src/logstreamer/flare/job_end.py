"""JobEnd: how a followed log ends with the process that writes it."""

from __future__ import annotations

import threading
from collections.abc import Callable


class JobEnd:
    """A stop for `stream_log` that comes in two steps.

    First the job's process is *ending*: its last lines are still to come, and nobody knows which is the last one. So
    whoever writes one waits until it is delivered, and the receiver is told that the process may be gone at any moment.
    Then it is set, like any stop event: what is there is all.

    Args:
        patience: how many seconds after the last word of the process the receiver may take what it has for all.
        taken: called as the method of that name.
    """

    def __init__(self, patience: float, taken: Callable[[str, bool], None] = lambda address, resumes: None) -> None:
        self.patience = patience
        self._tell = taken
        self._stop = threading.Event()
        self._follows = threading.Event()
        self._changed = threading.Condition()
        self._asked = 0
        self._delivered = 0
        self._is_taken = self._is_over = False
        self.keep_open = False
        self.is_awaited = False  # somebody waits for the first answer of a receiver
        self.is_ending = False

    def is_set(self) -> bool:
        """Whether the file has got its last line."""
        return self._stop.is_set()

    def set(self) -> None:
        """It has."""
        self._stop.set()

    def leave(self) -> None:
        """This process ends before the log does: another one continues it."""
        self.keep_open = True
        self.set()

    def begin(self) -> None:
        """The process is ending."""
        self.is_ending = True

    def wait_follows(self, seconds: float) -> bool:
        """Wait until the file is held, at most *seconds*: from then on a rotation takes nothing away."""
        return self._follows.wait(seconds)

    def wait_taken(self, seconds: float) -> bool:
        """Wait until a receiver has answered, at most *seconds*; False where none has, and more tries are to come."""
        self.is_awaited = True
        with self._changed:
            return self._changed.wait_for(lambda: self._is_taken or self._is_over, seconds)

    def wait_delivered(self, seconds: float) -> bool:
        """Wait until what the file holds now has arrived, at most *seconds*; False where it has not, or never will."""
        with self._changed:
            self._asked += 1
            asked = self._asked
            return self._changed.wait_for(lambda: self._delivered >= asked or self._is_over, seconds) and (
                self._delivered >= asked
            )

    # -- the sending side

    def asked(self) -> int:
        """The latest question; look at the file after this, and give it back to `delivered`."""
        with self._changed:
            return self._asked

    def follows(self) -> None:
        """The file was looked at for the first time."""
        self._follows.set()

    def taken(self, address: str, resumes: bool) -> None:
        """The receiver at *address* has answered; *resumes*: another process may continue the log there."""
        with self._changed:
            self._is_taken = True
            self._changed.notify_all()
        self._tell(address, resumes)

    def delivered(self, asked: int) -> None:
        """All that the file held when *asked* was taken has arrived."""
        with self._changed:
            if asked > self._delivered:
                self._delivered = asked
                self._changed.notify_all()

    def over(self) -> None:
        """Nothing will be delivered any more."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
