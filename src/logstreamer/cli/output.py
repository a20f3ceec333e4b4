"""Lines for people: what is said on stderr, and numbers as people write them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from logstreamer.printable import printable as printable  # it is part of what this module is for

if TYPE_CHECKING:
    from logstreamer.store.record import Gap


class Voice:
    """How things are said on stderr: for people, or one JSON object a line for a program that reads both."""

    def __init__(self) -> None:
        self.objects = False

    def say(self, text: str, kind: str, stream: str, fields: dict[str, object]) -> None:
        """One line."""
        if not self.objects:
            line = f"{stream}: {text}" if stream else text
            print(f"logstreamer: {printable(line)}", file=sys.stderr, flush=True)
            return
        import json

        known = {"notice": kind, **({"stream": stream} if stream else {}), **fields, "text": text}
        print(json.dumps(known), file=sys.stderr, flush=True)


VOICE = Voice()


def say(text: str, kind: str = "message", stream: str = "", **fields: object) -> None:
    """One line on stderr; a closed stderr ends nothing."""
    with contextlib.suppress(OSError, ValueError):
        VOICE.say(text, kind, stream, fields)


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


def gap_text(gap: Gap) -> str:
    """Where, how much, why."""
    lost = "an unknown number of bytes" if gap.lost is None else count_text(gap.lost, "byte")
    return f"gap at byte {gap.offset}: {lost} lost ({printable(gap.detail or gap.reason)})"


def gaps_text(gaps: Sequence[Gap]) -> str:
    """How many, and how much is known to be lost; a "+" where that is not all."""
    known = sum(gap.lost or 0 for gap in gaps)
    more = any(gap.lost is None for gap in gaps)
    size = f"{bytes_text(known)}{'+' if more else ''}" if known else "size unknown"
    return f"{len(gaps)} ({size})" if gaps else "-"
