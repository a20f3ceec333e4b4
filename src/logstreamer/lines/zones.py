"""The time zone of a log whose times name none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from logstreamer.lines.times import time_of

_STEP = 900.0
_FARTHEST = 14 * 3600.0
_TOLERANCE = 120.0
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")
_OTHER = timezone(timedelta(hours=1))


def zone_of(lines: Iterable[tuple[bytes, float | None]]) -> tzinfo | None:
    """The zone in which *lines* (each with the time it arrived, seconds since the epoch) arrived just when they say.

    None: they name their zone, say no time, or came long after they were written. Zones are multiples of 15 minutes;
    a clock that is more than two minutes wrong is not seen through.
    """
    found: Counter[float] = Counter()
    for line, arrived in lines:
        if arrived is None:
            continue
        said = time_of(line, UTC, arrived)
        if said is None or said == time_of(line, _OTHER, arrived):
            continue
        offset = round((said - arrived) / _STEP) * _STEP
        if abs(offset) <= _FARTHEST and abs(said - arrived - offset) <= _TOLERANCE:
            found[offset] += 1
    if not found:
        return None
    [(offset, _)] = found.most_common(1)
    return timezone(timedelta(seconds=offset))


ZONE = "zone"
"""Under this name a sender says in a stream's meta which zone its machine is in."""


def zone_said(meta: Mapping[str, str]) -> tzinfo | None:
    """The zone that a stream's *meta* says, "Area/City" or "+HH:MM"; None: none, or none that is known here."""
    name = meta.get(ZONE, "")
    match = _OFFSET.fullmatch(name)
    if match is not None:
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(-offset if match[1] == "-" else offset) if offset < timedelta(hours=24) else None
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None  # it comes from a peer, and may be anything
