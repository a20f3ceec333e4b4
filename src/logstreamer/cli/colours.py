"""Colours: when there are any, and which."""

from __future__ import annotations

import os
import re
from typing import IO, Any

RESET = b"\x1b[0m"
BOLD, DIM = b"\x1b[1m", b"\x1b[2m"
RED, GREEN, YELLOW, CYAN = b"\x1b[31m", b"\x1b[32m", b"\x1b[33m", b"\x1b[36m"
FOUND = b"\x1b[30;43m"
"""What a pattern was found in: black on yellow, in whatever theme."""

STREAMS = (b"\x1b[36m", b"\x1b[32m", b"\x1b[35m", b"\x1b[34m", b"\x1b[96m", b"\x1b[92m", b"\x1b[95m", b"\x1b[94m")
"""For the names of streams, one after the other; red and yellow belong to levels."""

LINE = {"fatal": RED, "error": RED, "warn": YELLOW, "debug": DIM, "trace": DIM}
"""The whole line of a level."""

WORD = {
    "fatal": b"\x1b[1;97;41m",
    "error": b"\x1b[1;31m",
    "warn": b"\x1b[1;33m",
    "info": b"\x1b[32m",
    "debug": DIM,
    "trace": DIM,
}
"""The word in it that says the level."""

STATE = {
    "waiting": DIM,
    "live": GREEN,
    "quiet": CYAN,
    "behind": YELLOW,
    "disk full": b"\x1b[1;31m",
    "stalled": b"\x1b[1;31m",
    "dead": b"\x1b[1;31m",
    "failed": b"\x1b[1;31m",
    "refused by site": b"\x1b[1;31m",
    "stopped": DIM,
    "finished": DIM,
    "unknown": DIM,
    "gap": b"\x1b[1;33m",
    "back": GREEN,
}

_SGR = re.compile(rb"\x1b\[([0-9;:]*)m")
_PLAIN = frozenset(
    (*range(1, 5), 7, 9, *range(21, 25), 27, 29, *range(30, 38), 39, *range(40, 48), 49, *range(90, 108))
)


def wanted(choice: str, stream: IO[Any]) -> bool:
    """Whether *stream* gets colours: `always`, `never`, or `auto`: a terminal does, without NO_COLOR and TERM=dumb."""
    if choice != "auto":
        return choice == "always"
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def colour_of(sequence: bytes) -> bytes | None:
    """What is left of *sequence* if it only colours text: nothing that hides it or blinks; None: it is no colour."""
    match = _SGR.fullmatch(sequence)
    if match is None:
        return None
    numbers = [
        int(part) if part.isdigit() and len(part) < 4 else 0 for part in match[1].replace(b":", b";").split(b";")
    ]
    kept: list[int] = []
    while numbers:
        number = numbers.pop(0)
        if number == 0:
            kept = [0]
        elif number in (38, 48) and numbers[:1] in ([5], [2]):
            length = 2 if numbers[0] == 5 else 4
            if len(numbers) >= length and all(part < 256 for part in numbers[:length]):
                kept += [number, *numbers[:length]]
            del numbers[:length]
        elif number in _PLAIN:
            kept.append(number)
    return b"\x1b[%sm" % b";".join(b"%d" % number for number in kept) if kept else b""
