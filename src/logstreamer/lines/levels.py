"""How serious a line says it is."""

from __future__ import annotations

import re
from typing import Any

from logstreamer.lines.fields import HEAD, fields_of, without_colours

LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")
"""From the least to the most serious."""

_NAMES = {
    "trace": ("TRACE", "TRC", "FINEST", "FINER", "VERBOSE"),
    "debug": ("DEBUG", "DBG", "FINE"),
    "info": ("INFO", "INF", "NOTICE", "INFORMATION", "INFORMATIONAL"),
    "warn": ("WARN", "WARNING", "WRN"),
    "error": ("ERROR", "ERR", "SEVERE", "EROR"),
    "fatal": ("FATAL", "CRITICAL", "CRIT", "FTL", "EMERG", "EMERGENCY", "ALERT", "PANIC", "DPANIC"),
}
_LEVEL = {name.encode(): level for level, names in _NAMES.items() for name in names}
_LETTER = {b"I": "info", b"W": "warn", b"E": "error", b"F": "fatal"}
_PRIORITY = ("fatal", "fatal", "fatal", "error", "warn", "info", "info", "debug")
"""Syslog's severities, RFC 5424."""

# The first letter comes before the look behind it, so that the search jumps from one such letter to the next.
_UPPER = (
    rb"(?P<upper>[ACDEFINPSTW](?<![\w/.-].)(?:(?<=A)LERT|(?<=C)RIT(?:ICAL)?|(?<=D)(?:EBUG|BG|PANIC)|(?<=E)(?:RR(?:OR)?|MERG)"
    rb"|(?<=F)(?:ATAL|TL|INER?)|(?<=I)NFO?|(?<=N)OTICE|(?<=P)ANIC|(?<=S)EVERE|(?<=T)R(?:ACE|C)|(?<=W)(?:ARN(?:ING)?|RN)))(?![\w/-])"
)
_WORDS = rb"(trace|debug|info|notice|warn(?:ing)?|err(?:or)?|fatal|crit(?:ical)?|panic|alert|emerg)"
_FIRST = re.compile(_UPPER)
# Small letters are a level only where something says so: a key, brackets, or the line's beginning.
_KEYED = re.compile(
    rb"(?:\b(?:level|lvl|severity)[=:] ?\"?|[\[<|] {0,2}(?:[\w.]{1,24}:)?)" + _WORDS + rb"(?=[\]>|\"\s,;]|$)", re.I
)
_BEGINS = re.compile(
    rb"(?:[\d\s:.,/TZ+-]*|\S{1,200}:\d+:(?:\d+:)? )(?:fatal )?"
    rb"(trace|debug|info|warning|warn|error|fatal|panic|critical):",
    re.I,
)
_RAISED = re.compile(
    rb"(?:[\w.]*(?:Error|Exception|Interrupt|SystemExit)(?::|$)|Traceback \(most recent|Exception in )"
)
_WARNED = re.compile(rb"\b[A-Z]\w*Warning: ")
_GLOG = re.compile(rb"(?:\[rank\d+\]:?\s?)?\[?([IWEF])\d{4}(?:\d{4})? \d\d:\d\d:")
_SPECIAL = frozenset({b"I", b"W", b"E", b"F", b"[", b"<"})
_SYSLOG = re.compile(rb"<(\d{1,3})>")


def level_of(line: bytes) -> str | None:
    """One of `LEVELS` if *line* names its level, or is recognised as a warning or an exception; else None."""
    if line[:1] == b"{":
        fields = fields_of(line)
        return level_in(fields.levels, fields.levelno)
    head = without_colours(line) if b"\x1b" in line else line[:HEAD]
    if head[:1] in _SPECIAL:
        match = _GLOG.match(head)
        if match is not None:
            return _LETTER[match[1]]
        match = _SYSLOG.match(head)
        if match is not None and int(match[1]) < 192:
            return _PRIORITY[int(match[1]) & 7]
    match = _FIRST.search(head)
    if match is not None:
        return _LEVEL[match[0]]
    match = _KEYED.search(head) if b"[" in head or b"=" in head or b"|" in head or b"<" in head else None
    if match is None and b": " in head:
        match = _BEGINS.match(head)
    if match is not None:
        return _LEVEL[match[1].upper()]
    if b"Warning: " in head and _WARNED.search(head):
        return "warn"
    return "error" if _RAISED.match(head) else None


def level_in(values: tuple[Any, ...], number: Any = None) -> str | None:
    """The level that the first usable one of *values*, from JSON, says; *number*: one of Python's."""
    for value in values:
        if isinstance(value, str):
            found = _LEVEL.get(value.strip().upper().encode("utf-8", "replace"))
            if found is not None:
                return found
        elif isinstance(value, int) and not isinstance(value, bool):
            if 0 <= value < len(_PRIORITY):
                return _PRIORITY[value]
            if 10 <= value <= 60:
                return LEVELS[value // 10 - 1]  # pino and bunyan: 10, 20, ... 60
    if isinstance(number, int) and 5 <= number <= 59:
        return LEVELS[number // 10]
    return None
