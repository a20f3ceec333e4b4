"""Copies that lie there already when the receiver starts."""

from __future__ import annotations

from pathlib import Path

from cli.stored import write

HUGE = "s/j/huge.log"
HUGE_SIZE = 3 << 30
"""A file of 3 GB with lines at its beginning, in its middle and at its end, and holes between them."""

LINES = 20000

TORN = "old/j/torn.log"
"""A finished copy with a gap of 4 KiB behind line 1."""


def tear(copies: Path) -> None:
    """Write it."""
    write(copies, TORN, b"INFO line 1\n", 4096, b"INFO line 2\n", state="finished")


def block(name: str) -> bytes:
    """Lines of one of the three places."""
    return b"".join(b"2026-11-24 10:00:00,000 INFO %s line %d\n" % (name.encode(), number) for number in range(LINES))


def middle_of_huge() -> int:
    """Where the lines in the middle begin."""
    return HUGE_SIZE // 2


def prepare(copies: Path) -> None:
    """Write them."""
    path = copies / HUGE
    path.parent.mkdir(parents=True)
    last = block("end")
    with path.open("wb") as file:
        file.write(block("beginning"))
        file.seek(middle_of_huge() - 1)
        file.write(b"\n" + block("middle"))
        file.seek(HUGE_SIZE - len(last) - 1)
        file.write(b"\n" + last)
