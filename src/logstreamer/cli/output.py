"""Lines for people: what is said on stderr, and numbers as people write them."""

from __future__ import annotations

import contextlib
import sys


def say(text: str) -> None:
    """One line on stderr; a closed stderr ends nothing."""
    with contextlib.suppress(OSError, ValueError):
        print(f"logstreamer: {printable(text)}", file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """*text* without what a terminal would act on, or could not encode: names come from the other side."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def bytes_text(size: float) -> str:
    """2048 as 2.0 KiB."""
    if size < 1024:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TiB"


def duration_text(seconds: float) -> str:
    """75 as 1m15s; at most two units."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours < 48 else f"{hours // 24}d{hours % 24:02d}h"


def count_text(number: int, noun: str) -> str:
    """1 file, 2 files."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
