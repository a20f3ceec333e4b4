"""Stop: what SIGINT, SIGTERM and SIGHUP ask for."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """Set by the first signal; the second one ends the process at once. A context manager, for the main thread.

    A closed terminal sends SIGHUP, often twice and before a SIGTERM: it asks to stop as well, but is never one of the
    two signals that end at once. Where it was ignored already, as under nohup, it stays ignored.

    A plain flag and a pipe: `threading.Event.set` in a signal handler can deadlock with a `wait` that it interrupts.

    Args:
        at_once: called for the second signal, right before the process ends with 128 + its number.
    """

    def __init__(self, at_once: Callable[[], None] = lambda: None) -> None:
        self.at_once = at_once
        self.signal: signal.Signals | None = None
        self._set = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._before: dict[int, Any] = {}
        self._wakeup_before = -1

    def is_set(self) -> bool:
        """Whether to stop; from any thread."""
        return self._set

    def set(self) -> None:
        """Stop, as if a signal had come."""
        self._set = True
        self.nudge()

    def nudge(self) -> None:
        """End a `wait` under way; from any thread."""
        with contextlib.suppress(OSError):  # full: it will be read anyway
            os.write(self._write, b".")

    def wait(self, seconds: float | None = None) -> None:
        """Sleep until a signal or a nudge comes, at most *seconds*."""
        select.select([self._read], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 65536)

    def wait_until_set(self) -> None:
        """Sleep until it is set."""
        while not self._set:
            self.wait()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal in (None, signal.SIGHUP):
            self.signal = signal.Signals(number)
        elif number != signal.SIGHUP:
            self.at_once()
            os._exit(128 + number)
        self.set()

    def __enter__(self) -> Self:
        # Python calls a handler between two bytecodes of the main thread. A signal that comes right before `select`, or
        # that the kernel gives to another thread, would wait for the next one: the pipe is written by the C handler.
        self._wakeup_before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        wanted = [number for number in SIGNALS if not _is_hangup_ignored(number)]
        self._before = {number: signal.signal(number, self._handle) for number in wanted}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._read)
        os.close(self._write)


def _is_hangup_ignored(number: signal.Signals) -> bool:
    return number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN
