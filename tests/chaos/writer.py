"""A log and the program that writes it: numbered lines, each unique, through whatever its rotator does."""

from __future__ import annotations

import logging
import os
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path
from random import Random
from typing import Any

from tests.chaos.clock import Clock
from tests.chaos.plan import FileSpec, Plan
from tests.chaos.truth import Generation, Truth

HANDLER_BYTES = 400_000
"""Size at which a RotatingFileHandler rolls over by itself."""


class LogFile:
    """A log as its writer has it open.

    Attributes:
        lock: held by whoever writes or rotates, so that what a rotator destroys is known exactly.
        shelf: the generations of the rotated siblings, the newest (.1) first, and their suffixes ("" or ".gz").
    """

    def __init__(self, path: Path, spec: FileSpec, truth: Truth, filler: Random) -> None:
        self.path = path
        self.spec = spec
        self.truth = truth
        self.lock = threading.RLock()
        self.shelf: list[tuple[Generation, str]] = []
        self._filler = filler
        self._count = 0
        self._header = (f"# {spec.label} ".encode() + b"=" * spec.header)[: spec.header]
        self._fd = -1
        self._handler: RotatingFileHandler | None = None
        if spec.scheme == "handler":
            self.current = truth.begin()
            self._handler = _Handler(self)
        else:
            self.reopen()

    def line(self, length: int) -> bytes:
        """The next line, with *length* random characters."""
        self._count += 1
        text = self._filler.randbytes((length + 1) // 2).hex()[:length]
        return f"{self.spec.name} {self._count:08d} {text}\n".encode()

    def write(self, data: bytes) -> None:
        """Append *data*; whole lines, or parts of one, where no handler writes."""
        with self.lock:
            if self._handler is None:
                self._write(data)
                return
            for line in data.splitlines():
                record = logging.LogRecord("chaos", logging.INFO, "", 0, line.decode(), None, None)
                self._handler.emit(record)
                self.truth.append(line + b"\n")

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        self.truth.append(data)

    def reopen(self) -> None:
        """Create the file anew, and write there from now on."""
        with self.lock:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            self.begin()

    def begin(self) -> None:
        """A new generation has begun, in a new file or in the same one."""
        self.current = self.truth.begin()
        if self._header:
            # With a line of its own: files that are the same in every byte cannot be told from copies of each other.
            self._write(self._header + f"\nfile {len(self.truth.generations)}\n".encode())

    def roll_over(self) -> None:
        """As logging does it by itself when the file is large enough."""
        with self.lock:
            if self._handler is not None:
                self._handler.doRollover()

    def sibling(self, number: int, suffix: str = "") -> Path:
        """Where the *number*-th sibling lies."""
        return self.path.with_name(f"{self.path.name}.{number}{suffix}")

    def put_on_shelf(self) -> None:
        """The current generation is sibling .1 now."""
        self.shelf.insert(0, (self.current, ""))

    def drop_oldest(self) -> None:
        """The last sibling was deleted."""
        generation, _ = self.shelf.pop()
        self.truth.destroy(generation, "overwritten")

    def close(self) -> None:
        """The program ends."""
        with self.lock:
            if self._handler is not None:
                self._handler.close()
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
            self.truth.close()


class _Handler(RotatingFileHandler):
    """The real one, watched."""

    def __init__(self, log: LogFile) -> None:
        super().__init__(log.path, maxBytes=HANDLER_BYTES, backupCount=log.spec.keep, encoding="utf-8")
        self._log = log

    def doRollover(self) -> None:  # noqa: N802 logging's name
        log = self._log
        with log.lock:
            log.truth.leave(log.current)
            super().doRollover()
            log.put_on_shelf()
            if len(log.shelf) > log.spec.keep:
                log.drop_oldest()
            log.begin()

    def handleError(self, record: Any) -> None:  # noqa: N802 logging's name
        raise


class Writer(threading.Thread):
    """Writes what the plan says until the clock stops.

    Attributes:
        failure: what ended it before its time.
    """

    def __init__(self, log: LogFile, plan: Plan, clock: Clock) -> None:
        super().__init__(name=f"writer {log.spec.label}", daemon=True)
        self._log = log
        self._plan = plan
        self._clock = clock
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            self._write()
        except BaseException as error:  # noqa: BLE001 told by the runner
            self.failure = error
            self._clock.stop()

    def _write(self) -> None:
        for burst in self._plan.bursts(self._log.spec):
            if not self._clock.wait(burst.pause):
                return
            data = b"".join(self._log.line(length) for length in burst.lengths)
            cut = len(data) - len(data) // 7 if burst.torn and self._log.spec.scheme != "handler" else len(data)
            self._log.write(data[:cut])
            if cut < len(data):
                if not self._clock.wait(0.02):
                    return
                self._log.write(data[cut:])
