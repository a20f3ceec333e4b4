"""Moments: what people write for times and durations, and how times are written back."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from logstreamer.errors import ConfigError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(?:(?:\d{1,9}(?:\.\d{1,9})?)(?:ms|[smhdw]))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds: `90`, `90s`, `5m`, `1h30m`, `2d`, `250ms`.

    Raises:
        ConfigError: it is no such thing.
    """
    if text.isascii() and text.isdecimal() and len(text) <= 9:
        return float(text)
    if not _DURATION.fullmatch(text):
        raise ConfigError(f"{text!r} is no duration, as in 30s, 5m, 1h30m or 2d")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def parse_moment(text: str, zone: tzinfo | None, now: float) -> float:
    """Seconds since the epoch: a duration before *now*, or RFC 3339; a time without an offset is one of *zone*.

    Args:
        zone: None is this machine's.

    Raises:
        ConfigError: it is neither.
    """
    try:
        return now - parse_duration(text)
    except ConfigError:
        pass
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and zone is not None:
            moment = moment.replace(tzinfo=zone)
        return moment.timestamp()
    except (ValueError, OverflowError, OSError):
        raise ConfigError(
            f"{text!r} is no time, as in 5m (ago), 2h, 2026-01-31T12:00:00Z or 2026-01-31T12:00"
        ) from None


def parse_zone(text: str) -> tzinfo | None:
    """The time zone called *text*: `local` (None), `UTC`, `Area/City`.

    Raises:
        ConfigError: there is none of that name.
    """
    if text.lower() == "local":
        return None
    if text.upper() in ("UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"{text!r} is no time zone, as in local, UTC or Europe/Vienna") from None


def iso_text(moment: float, zone: tzinfo | None) -> str:
    """*moment* (seconds since the epoch) as RFC 3339 with milliseconds; "-" for one outside of the calendar."""
    local = _local(moment, zone)
    return local.isoformat(timespec="milliseconds").replace("+00:00", "Z") if local else "-"


def clock_text(moment: float, zone: tzinfo | None, now: float | None = None) -> str:
    """*moment* as a person reads it beside other lines: the time of the day, with the date unless it is today's."""
    local, today = _local(moment, zone), _local(time.time() if now is None else now, zone)
    if local is None:
        return "-"
    clock = local.strftime("%H:%M:%S.") + f"{local.microsecond // 1000:03d}"
    if today is not None and local.date() == today.date():
        return clock
    year = "" if today is not None and local.year == today.year else f"{local.year:04d}-"
    return f"{year}{local.strftime('%m-%d')} {clock}"


def _local(moment: float, zone: tzinfo | None) -> datetime | None:
    try:
        moment = round(moment, 3)
        return datetime.fromtimestamp(moment, zone) if zone is not None else datetime.fromtimestamp(moment).astimezone()
    except (ValueError, OverflowError, OSError):
        return None
