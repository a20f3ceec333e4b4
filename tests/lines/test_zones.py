"""Where a log was written, judged by when it arrived."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from logstreamer.lines.zones import zone_of, zone_said

NOON = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)


def arrived(text, seconds=0.2):
    """A line, and when it came: *seconds* after noon."""
    return text.encode(), NOON.timestamp() + seconds


@pytest.mark.parametrize("hours", [-11, -4, 0, 1, 2, 5.5, 5.75, 13])
def test_lines_that_came_when_they_were_written_tell_their_zone(hours):
    """Also one of half an hour."""
    local = NOON.astimezone(timezone(timedelta(hours=hours)))
    lines = [arrived(local.strftime("%Y-%m-%d %H:%M:%S,000 INFO x")) for _ in range(3)]

    zone = zone_of([*lines, arrived("no time"), (b"2026-07-01 12:00:00 x", None)])

    assert zone is not None
    assert zone.utcoffset(None) == timedelta(hours=hours)


def test_nothing_is_told_by_others():
    """Those that name their zone, those that came much later."""
    assert zone_of([arrived("2026-07-01T12:00:00Z x"), arrived("no time")]) is None
    assert zone_of([arrived("2026-07-01 11:53:00 x")]) is None
    assert zone_of([arrived("2026-06-29 12:00:00 x")]) is None
    assert zone_of([]) is None


@pytest.mark.parametrize(
    ("name", "hours"), [("Europe/Berlin", 1), ("+05:30", 5.5), ("-03:00", -3), ("Etc/UTC", 0), ("+00:00", 0)]
)
def test_the_zone_that_a_sender_says(name, hours):
    """A name, so that its summer is known as well, or an offset."""
    zone = zone_said({"zone": name})

    assert zone is not None
    assert datetime(2026, 11, 24, tzinfo=zone).utcoffset() == timedelta(hours=hours)


@pytest.mark.parametrize(
    "name", ["", "Nowhere/There", "../../etc/passwd", "/etc/passwd", "+99:00", "\0", "Europe", "x" * 5000]
)
def test_no_zone_that_is_known_here(name):
    """It comes from a peer, and may be anything."""
    assert zone_said({"zone": name}) is None
