"""What a line's beginning looks like without colours, and the fields of a line that is a JSON object."""

from __future__ import annotations

import re
from typing import Any

import msgspec

HEAD = 200
"""Bytes of a line that are looked at for its level."""

_COLOUR = re.compile(rb"\x1b\[[0-9;:]*[A-Za-z]")


class Fields(msgspec.Struct):
    """The fields that loggers give time and level in."""

    at: Any = msgspec.field(default=None, name="@timestamp")
    timestamp: Any = None
    time: Any = None
    ts: Any = None
    asctime: Any = None
    datetime: Any = None
    date: Any = None
    t: Any = None
    level: Any = None
    severity: Any = None
    levelname: Any = None
    lvl: Any = None
    dotted: Any = msgspec.field(default=None, name="log.level")
    loglevel: Any = None
    levelno: Any = None

    @property
    def times(self) -> tuple[Any, ...]:
        """What may be the time, the likeliest first."""
        return self.at, self.timestamp, self.time, self.ts, self.asctime, self.datetime, self.date, self.t

    @property
    def levels(self) -> tuple[Any, ...]:
        """What may be the level, the likeliest first."""
        return self.level, self.severity, self.levelname, self.lvl, self.dotted, self.loglevel


_decoder = msgspec.json.Decoder(Fields)
_NOTHING = Fields()


def fields_of(line: bytes) -> Fields:
    """Those of *line*, which begins with "{"; none of them where it is not JSON."""
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _NOTHING


def without_colours(line: bytes) -> bytes:
    """The beginning of *line*, at most `HEAD` bytes, without the escape sequences that colour it."""
    return _COLOUR.sub(b"", line[: 2 * HEAD])[:HEAD] if b"\x1b" in line else line[:HEAD]
