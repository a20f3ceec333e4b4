"""When a line says it was written."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

from logstreamer.lines.fields import fields_of, without_colours

_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_MONTH = rb"(?P<name>" + b"|".join(_MONTHS) + rb")"
_CLOCK = rb"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?P<fraction>[.,]\d{1,9})?"
_ZONE = rb" ?(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?(?!\d|:\d)"

# The common one is split in what changes once a second, which is remembered, and the rest.
_ISO = re.compile(
    rb"[\[(<\"']?(\d{4}[-/.]\d\d[-/.]\d\d[T _,]\d\d:\d\d(?::\d\d)?)([.,]\d{1,9})?"
    rb"(?: ?(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?(?!\d|:\d)"
)
_ISO_PARTS = re.compile(rb"(\d{4}).(\d\d).(\d\d).(\d\d):(\d\d)(?::(\d\d))?")

_DAY = rb"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?"
_GLOG = re.compile(rb"[A-Z](?P<year>\d{4})?(?P<month>\d\d)(?P<day>\d\d) " + _CLOCK)
_SYSLOG = re.compile(  # and ctime, date(1)
    _DAY
    + _MONTH
    + rb" {1,2}(?P<day>\d\d?) (?:(?P<early>\d{4}) )?"
    + _CLOCK
    + rb"(?: (?:(?P<zone>UTC|GMT|[+-]\d{4}) )?(?P<year>\d{4})\b)?"
)
_MAIL = re.compile(_DAY + rb"(?P<day>\d\d?) " + _MONTH + rb" (?P<year>\d{4}) " + _CLOCK + _ZONE)
_COMPACT = re.compile(rb"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)[T ]" + _CLOCK.replace(b":(", b":?(") + _ZONE)
_SHORT = re.compile(rb"(?P<month>\d\d)[-/](?P<day>\d\d) " + _CLOCK + _ZONE)
_WEB = re.compile(rb"(?:\S+ \S+ \S+ \[)?(?P<day>\d\d)/" + _MONTH + rb"/(?P<year>\d{4}):" + _CLOCK + _ZONE)
_EPOCH = re.compile(rb"(\d{10})(\d{3}|\d{6}|\d{9})?(\.\d{1,9})?(?=[\]\s,:;|]|$)")

# What may stand before the time: a syslog priority, a level or a bracketed word, logfmt's key.
_BEFORE = re.compile(
    rb"(?:<\d{1,3}>(?:\d )?"
    rb"|(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|FATAL|CRITICAL)[\s:|-]+"
    rb"|\[[A-Za-z][\w./-]{0,40}\]:?\s*"
    rb"|(?:time|ts|timestamp|t)=)?[\[(\"']?"
)
_PREFIXED = re.compile(rb"[\[(<\"'\x1b]|t(?:=|ime|s=)|(?:TRACE|DEBUG|INFO|NOTICE|WARN|ERROR|FATAL|CRIT)")
_DIGITS = frozenset(b"0123456789")
_NAMED = frozenset(_MONTHS) | {b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"}

_REMEMBERED = 4096
_seconds: dict[Any, float | None] = {}


def time_of(line: bytes, zone: tzinfo = UTC, near: float | None = None) -> float | None:
    """Seconds since the epoch that *line* begins with, or has in the usual field if it is JSON; None: neither.

    Known are ISO 8601 and RFC 3339 in their variants (Python's logging, Go, Java, Rust), syslog, ctime, the logs of
    web servers, glog and klog, seconds since the epoch (and thousandths, ...), also behind a level, a priority or a
    bracket.

    Args:
        zone: of times that name none.
        near: seconds since the epoch, for times without a year: the year that is closest; None: now.
    """
    match = _ISO.match(line)
    if match is not None:
        return _iso(match, zone)
    if line[:1] == b"{":
        return time_in(fields_of(line).times, zone, near)
    if _PREFIXED.match(line):
        line = without_colours(line)
        before = _BEFORE.match(line)
        line = line[before.end() :] if before else line
        match = _ISO.match(line)
        if match is not None:
            return _iso(match, zone)
    return _rare(line, zone, near) if len(line) > 9 else None


def time_in(values: tuple[Any, ...], zone: tzinfo = UTC, near: float | None = None) -> float | None:
    """The time that the first usable one of *values*, from JSON, says."""
    for value in values:
        found: float | None = None
        if isinstance(value, str) and value[:1] != "{":
            found = time_of(value.encode()[:100], zone, near)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = _scaled(value)
        if found is not None:
            return found
    return None


def _iso(match: re.Match[bytes], zone: tzinfo) -> float | None:
    whole, fraction, offset = match.groups()
    key = (whole, offset, zone)
    try:
        second = _seconds[key]
    except KeyError:
        if len(_seconds) >= _REMEMBERED:
            _seconds.clear()
        parts = _ISO_PARTS.match(whole)
        numbers = [int(part or 0) for part in parts.groups()] if parts else [0] * 6
        second = _epoch(numbers, _zone(offset, zone))
        _seconds[key] = second
    if fraction is None or second is None:
        return second
    return second + _part(fraction)


def _part(fraction: bytes) -> float:
    """ ".25" or ",25" as 0.25."""
    return float(b"." + fraction[1:])


def _rare(line: bytes, zone: tzinfo, near: float | None) -> float | None:
    """The time at the beginning of *line* in one of the forms that are not ISO's; the first letters say which."""
    if line[0] in _DIGITS:
        match = _EPOCH.match(line)
        if match is not None:
            whole, more, fraction = match.groups()
            return _scaled(float(whole + (more or b"") + (fraction or b"")))
        match = _SHORT.match(line) or _COMPACT.match(line) or _MAIL.match(line) or _WEB.match(line)
    elif line[:3] in _NAMED:
        match = _SYSLOG.match(line) or _MAIL.match(line)
    elif line[1] in _DIGITS:
        match = _GLOG.match(line)
    else:
        match = _WEB.match(line) if b"/" in line[:100] else None
    return None if match is None else _of_parts(match, zone, near)


def _of_parts(match: re.Match[bytes], zone: tzinfo, near: float | None) -> float | None:
    parts = match.groupdict()
    month = int(parts["month"]) if "month" in parts else _MONTHS.index(parts["name"]) + 1
    clock = int(parts["day"]), int(parts["hour"]), int(parts["minute"]), int(parts["second"])
    zone = _zone(parts.get("zone"), zone)
    fraction, year = parts["fraction"], parts.get("year") or parts.get("early")
    part = _part(fraction) if fraction else 0.0
    if year:
        second = _second((int(year), month, *clock), zone)
    else:
        second = _closest(month, clock, zone, time.time() if near is None else near)
    return None if second is None else second + part


def _closest(month: int, clock: tuple[int, int, int, int], zone: tzinfo, near: float) -> float | None:
    """The second of a day of *month* in the year in which it is closest to *near*."""
    about = datetime.fromtimestamp(near, UTC)
    # Half a year away in one year, it is closer in the other.
    year = about.year + (about.month - month > 6) - (month - about.month > 6)
    return _second((year, month, *clock), zone)


def _second(numbers: tuple[int, ...], zone: tzinfo) -> float | None:
    """As `_epoch`, remembered: the same second comes again and again."""
    key = (numbers, zone)
    try:
        return _seconds[key]
    except KeyError:
        if len(_seconds) >= _REMEMBERED:
            _seconds.clear()
        second = _seconds[key] = _epoch(numbers, zone)
        return second


def _epoch(numbers: Sequence[int], zone: tzinfo) -> float | None:
    """Year, month, day, hour, minute and second, as seconds since the epoch; None for the 45th of some month."""
    year, month, day, hour, minute, second = numbers
    try:
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        return None


def _zone(text: bytes | None, otherwise: tzinfo) -> tzinfo:
    if not text:
        return otherwise
    if text in (b"Z", b"UTC", b"GMT"):
        return UTC
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(b":") or 0)
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[:1] == b"-" else offset) if offset < timedelta(hours=24) else UTC


def _scaled(value: float) -> float | None:
    """Seconds, thousandths, ... since the epoch as seconds, if they lie between 2001 and 2096."""
    for scale in (1, 1_000, 1_000_000, 1_000_000_000):
        if 1_000_000_000 * scale <= value < 4_000_000_000 * scale:  # first: an int may be too large to be divided
            return value / scale
    return None
