"""What logrotate and its kind do to a log, with exact knowledge of what they destroy."""

from __future__ import annotations

import gzip
import os
import shutil
import threading
import time
from collections import Counter

from tests.chaos.clock import Clock
from tests.chaos.plan import Plan, Rotation
from tests.chaos.writer import LogFile

HUSH = 1.5
"""Seconds without a write before bytes are destroyed: long enough for a sender that lives to have seen them all."""

YOUNGEST = 6.0
"""Seconds: a younger file is not destroyed; a sender frozen for shorter has at least seen that it existed."""


class Rotator(threading.Thread):
    """Rotates one log as the plan says.

    Attributes:
        done: how many rotations of each kind there were, "gzip" among them.
        failure: what ended it before its time.
    """

    def __init__(self, log: LogFile, plan: Plan, clock: Clock) -> None:
        super().__init__(name=f"rotator {log.spec.label}", daemon=True)
        self._log = log
        self._rotations = plan.rotations(log.spec)
        self._clock = clock
        self.done: Counter[str] = Counter()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            for rotation in self._rotations:
                if not self._clock.wait_until(rotation.at):
                    return
                self._rotate(rotation)
        except BaseException as error:  # noqa: BLE001 told by the runner
            self.failure = error
            self._clock.stop()

    def _rotate(self, rotation: Rotation) -> None:
        act = {
            "rename": self._rename,
            "copytruncate": self._copytruncate,
            "rollover": self._roll_over,
            "delete": self._remove,
            "truncate": self._truncate,
        }[rotation.kind]
        for _ in range(rotation.times):
            if act(rotation):
                self.done[rotation.kind] += 1
        if rotation.compress:
            self._compress(rotation.compress)

    # --- nothing is destroyed, but for the oldest sibling

    def _rename(self, rotation: Rotation) -> bool:
        log = self._log
        with log.lock:
            self._shift()
            log.truth.leave(log.current)
            log.path.rename(log.sibling(1))
            log.put_on_shelf()
            if not rotation.late:
                log.reopen()
        if rotation.late:
            self._clock.wait(rotation.late)  # the writer goes on with the renamed file
            log.reopen()
        return True

    def _copytruncate(self, rotation: Rotation) -> bool:
        log = self._log
        with log.lock:
            self._shift()
            shutil.copyfile(log.path, log.sibling(1))
            log.truth.leave(log.current)
            os.truncate(log.path, 0)
            log.put_on_shelf()
            log.begin()
        return True

    def _roll_over(self, rotation: Rotation) -> bool:
        self._log.roll_over()
        return True

    def _shift(self) -> None:
        """Make room for a new .1"""
        log = self._log
        if len(log.shelf) >= log.spec.keep:
            log.sibling(len(log.shelf), log.shelf[-1][1]).unlink()
            log.drop_oldest()
        for number in range(len(log.shelf), 0, -1):
            suffix = log.shelf[number - 1][1]
            log.sibling(number, suffix).rename(log.sibling(number + 1, suffix))

    def _compress(self, number: int) -> None:
        """As gzip does: the writer goes on meanwhile, mtime is kept, the plain file goes last."""
        log = self._log
        if len(log.shelf) < number or log.shelf[number - 1][1]:
            return
        plain, packed = log.sibling(number), log.sibling(number, ".gz")
        status = plain.stat()
        with open(plain, "rb") as source, gzip.open(packed, "wb", compresslevel=1) as target:
            shutil.copyfileobj(source, target, 1 << 18)
        os.utime(packed, ns=(status.st_mtime_ns, status.st_mtime_ns))
        plain.unlink()
        generation, _ = log.shelf[number - 1]
        log.shelf[number - 1] = (generation, ".gz")
        self.done["gzip"] += 1

    # --- what is not read by now is gone

    def _remove(self, rotation: Rotation) -> bool:
        log = self._log
        with log.lock:
            if not self._may_destroy():
                return False
            log.truth.leave(log.current)
            log.path.unlink()
            log.truth.destroy(log.current, "deleted")
            if not rotation.late:
                log.reopen()
        if rotation.late:
            self._clock.wait(rotation.late)  # the writer goes on with the deleted file
            log.reopen()
        return True

    def _truncate(self, rotation: Rotation) -> bool:
        log = self._log
        with log.lock:
            if not self._may_destroy():
                return False
            log.truth.leave(log.current)
            os.truncate(log.path, 0)
            log.truth.destroy(log.current, "truncated")
            log.begin()
        return True

    def _may_destroy(self) -> bool:
        """Keep the writer quiet for a while; False for a file that is too young, or when the run is over."""
        return time.time() - self._log.current.born > YOUNGEST and self._clock.wait(HUSH)
