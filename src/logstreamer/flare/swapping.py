"""Swapping: how a simulator's client process that makes room for another client's leaves its logs."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType
from typing import Any

from logstreamer.flare.job_end import JobEnd

LEAVE_SECONDS = 4.0
"""How long a process that is to end may take for it, for all its logs together: NVFlare kills it after 5 s."""


class Swapping:
    """The logs that this process follows, and that the client's next process will continue.

    NVFlare's simulator runs more clients than it has threads by turns. It fires SWAP_OUT in the process that has to go,
    and sends it SIGTERM at the same moment: whichever comes first, the logs are left open with all that they hold.
    """

    def __init__(self) -> None:
        self._logs: dict[JobEnd, threading.Thread] = {}
        self._former: Any = None
        self._is_installed = False

    def add(self, end: JobEnd, thread: threading.Thread) -> None:
        """*thread* sends a log, until *end*."""
        self._logs[end] = thread

    def remove(self, end: JobEnd) -> None:
        """That log comes to its end here."""
        self._logs.pop(end, None)

    def install(self) -> None:
        """This process may be swapped out."""
        if not self._is_installed and threading.current_thread() is threading.main_thread():
            self._is_installed = True
            self._former = signal.signal(signal.SIGTERM, self._on_terminate)

    def leave(self) -> None:
        """Leave all logs, when what they hold is delivered."""
        deadline = time.monotonic() + LEAVE_SECONDS
        logs = dict(self._logs)
        for end in logs:
            end.leave()
        for thread in logs.values():
            thread.join(max(0.0, deadline - time.monotonic()))

    def _on_terminate(self, number: int, frame: FrameType | None) -> None:
        self.leave()
        signal.signal(signal.SIGTERM, self._former if self._former is not None else signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


swapping = Swapping()
"""Of this process."""
