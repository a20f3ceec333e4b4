"""Who else has a file open for writing, as far as /proc tells."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Writer:
    """A process.

    Args:
        name: of its program, as the kernel keeps it: at most 15 characters.
    """

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name or 'process'} {self.pid}"


def writers_of(path: str) -> list[Writer]:
    """The other processes that can still write to the file at *path*, by number.

    Empty where there is no /proc; the processes of other users are seen by root only. Raises OSError without the file.
    """
    status = os.stat(path)
    file = (status.st_dev, status.st_ino)
    return [Writer(pid, _name_of(pid)) for pid in sorted(_processes()) if pid != os.getpid() and _writes(pid, file)]


def _processes() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return []


def _writes(pid: int, file: tuple[int, int]) -> bool:
    return any(_is_writable(pid, number) for number in _descriptors(pid, file))


def _descriptors(pid: int, file: tuple[int, int]) -> Iterator[str]:
    directory = f"/proc/{pid}/fd"
    try:
        numbers = os.listdir(directory)
    except OSError:
        return  # it has ended, or is not ours
    for number in numbers:
        try:
            status = os.stat(f"{directory}/{number}")
        except OSError:
            continue
        if (status.st_dev, status.st_ino) == file:
            yield number


def _is_writable(pid: int, number: str) -> bool:
    try:
        with open(f"/proc/{pid}/fdinfo/{number}") as info:
            flags = next(line.split()[1] for line in info if line.startswith("flags:"))
    except (OSError, StopIteration):
        return False
    return int(flags, 8) & os.O_ACCMODE != os.O_RDONLY


def _name_of(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", errors="replace") as comm:
            return comm.read().strip()
    except OSError:
        return ""
