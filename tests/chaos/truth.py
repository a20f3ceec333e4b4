"""What was written to one path, in order, and which of it was destroyed when."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Generation:
    """The bytes [start, end) of the truth: one file from its creation, or from a truncation, on.

    Args:
        born, written: wall clock, seconds: when it began, and when its last byte was written.
        destroyed: wall clock: when no file held its bytes any more; None: one still does.
        how: what destroyed it: deleted, truncated, or overwritten (the oldest sibling was given up).
        left: wall clock: from when on the path did not name it; None: it still does.
    """

    start: int
    end: int
    born: float
    written: float
    destroyed: float | None = None
    how: str = ""
    left: float | None = None


class Truth:
    """Every byte written to one path, kept in a file of its own, and the generations it was written in.

    Thread-safe. The bytes are complete once the writer has ended.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.generations: list[Generation] = []
        self.size = 0
        self._file = open(path, "xb")  # noqa: SIM115 closed by close()
        self._lock = threading.Lock()

    def begin(self) -> Generation:
        """What is written from now on belongs to a new generation."""
        with self._lock:
            now = time.time()
            generation = Generation(self.size, self.size, now, now)
            self.generations.append(generation)
            return generation

    def append(self, data: bytes) -> None:
        """*data* was written to the newest generation."""
        with self._lock:
            self._file.write(data)
            self.size += len(data)
            newest = self.generations[-1]
            newest.end, newest.written = self.size, time.time()

    def leave(self, generation: Generation) -> None:
        """The path names *generation* no more; it was rotated away, deleted or truncated."""
        with self._lock:
            generation.left = generation.left or time.time()

    def destroy(self, generation: Generation, how: str) -> None:
        """No file holds the bytes of *generation* any more."""
        with self._lock:
            generation.destroyed, generation.how = time.time(), how

    def close(self) -> None:
        """Nothing more will be written."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Absence:
    """Seconds of wall clock in which a sender could not look at its files: killed and not yet back, or frozen."""

    began: float
    ended: float
    kind: str


@dataclass(slots=True)
class Absences:
    """All of one sender."""

    known: list[Absence] = field(default_factory=list)

    def within(self, began: float, ended: float, kinds: tuple[str, ...] = ("kill", "freeze")) -> bool:
        """Whether the sender was away at some moment of [began, ended]."""
        return any(a.kind in kinds and a.began <= ended and a.ended >= began for a in self.known)
