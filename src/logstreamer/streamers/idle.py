"""When a silent sender is given up: the clock of one stream, and the watcher that looks after them all."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

MAX_THREADS = 8
"""Most threads of one watcher; more than one exists only while `on_expired` calls are running."""

_LONGEST_WAIT = 3600.0
_LINGER = 5.0  # streams of short life, one after the other, need not make a thread each

_logger = logging.getLogger(__name__)


class IdleClock:
    """Decides when one stream has been silent for too long. It starts running at once.

    It is stamped on each message's arrival and again when the message has been dealt with; while one is being dealt
    with nothing expires. Safe to share between threads: of a message and the expiry exactly one comes first.

    Args:
        timeout: seconds of silence (> 0), of a monotonic clock.
        now: when the stream was opened.
        on_expired: called once, by the watcher, when the sender is given up.
    """

    def __init__(self, timeout: float, now: float, on_expired: Callable[[], object]) -> None:
        self._timeout = timeout
        self._stamp = now
        self._on_expired: Callable[[], object] | None = on_expired
        self._is_expired = False
        self._busy = 0
        self._lock = threading.Lock()

    def begin(self, now: float) -> bool:
        """A message has arrived; False when it comes too late, then there is no `end`."""
        with self._lock:
            if self._is_expired:
                return False
            self._busy += 1
            self._stamp = now
            return True

    def end(self, now: float) -> None:
        """The message has been dealt with."""
        with self._lock:
            self._busy -= 1
            self._stamp = now

    def stop(self) -> None:
        """Do not expire any more; allowed more than once."""
        with self._lock:
            self._on_expired = None

    def next_look(self, now: float) -> float | None:
        """The earliest time at which it can expire, as far as is known *now*; None when it cannot any more."""
        with self._lock:
            if self._on_expired is None:
                return None
            return (now if self._busy else self._stamp) + self._timeout

    def expire(self, now: float) -> Callable[[], object] | None:
        """What to call, under no lock, if the sender is to be given up *now*; handed out once."""
        with self._lock:
            if self._busy or self._on_expired is None or now < self._stamp + self._timeout:
                return None
            on_expired, self._on_expired = self._on_expired, None
            self._is_expired = True
            return on_expired


class IdleWatcher:
    """Looks after all idle clocks of the process with one daemon thread, which ends a few seconds after the last.

    A message costs no work here: a clock is looked at only when it could have expired, and put back when it has not.
    The thread that finds an expired clock runs its `on_expired` itself, and another takes over the watch meanwhile, so
    a call that hangs holds up nobody until MAX_THREADS of them hang at the same time.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._order = itertools.count()  # clocks due at the same moment are not comparable
        self._heap: list[tuple[float, int, IdleClock]] = []
        self._stopped = 0
        self._threads = 0
        self._is_watched = False

    @property
    def threads(self) -> int:
        """How many threads it has now."""
        with self._changed:
            return self._threads

    def watch(self, clock: IdleClock) -> None:
        """Look after *clock* until it expires or is stopped."""
        with self._changed:
            self._push(clock)
            self._ensure_watched()
            self._changed.notify_all()

    def forget(self, clock: IdleClock) -> None:
        """Stop *clock*; allowed more than once."""
        with self._changed:
            if clock.next_look(0.0) is None:
                return
            clock.stop()
            self._stopped += 1
            # Sweeping only when half is rubbish keeps the cost per stream constant, and memory too.
            if 2 * self._stopped >= len(self._heap):
                self._heap = [entry for entry in self._heap if entry[2].next_look(0.0) is not None]
                heapq.heapify(self._heap)
                self._stopped = 0
                self._changed.notify_all()

    def _push(self, clock: IdleClock) -> None:
        due = clock.next_look(self._monotonic())
        if due is not None:
            heapq.heappush(self._heap, (due, next(self._order), clock))

    def _ensure_watched(self) -> None:
        if self._is_watched or not self._heap or self._threads >= MAX_THREADS:
            return
        self._is_watched = True
        self._threads += 1
        threading.Thread(target=self._run, name="logstreamer-idle", daemon=True).start()

    def _run(self) -> None:
        while (on_expired := self._next_expired()) is not None:
            try:
                on_expired()
            except Exception:  # it ends in users' callbacks
                _logger.exception("ending an idle stream failed")
            with self._changed:
                if self._is_watched:  # by the thread that took over meanwhile
                    self._threads -= 1
                    return
                self._is_watched = True

    def _next_expired(self) -> Callable[[], object] | None:
        with self._changed:
            while self._heap or self._lingers():
                left = self._heap[0][0] - self._monotonic()
                if left > 0:
                    self._changed.wait(min(left, _LONGEST_WAIT))
                    continue
                clock = heapq.heappop(self._heap)[2]
                on_expired = clock.expire(self._monotonic())
                if on_expired is not None:
                    self._is_watched = False
                    self._ensure_watched()
                    return on_expired
                self._push(clock)
            self._is_watched = False
            self._threads -= 1
            return None

    def _lingers(self) -> bool:
        self._changed.wait(_LINGER)
        return bool(self._heap)


WATCHER = IdleWatcher()
"""The watcher of this process."""
