"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import pytest

from logstreamer.cli.moments import clock_text, iso_text, parse_duration, parse_moment, parse_zone
from logstreamer.errors import ConfigError

NOON = 1_769_860_800.0  # 2026-01-31T12:00:00Z


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("2d", 172_800), ("250ms", 0.25), ("1.5h", 5400)],
)
def test_durations(text, seconds):
    """Numbers with units; seconds without one."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "m", "5 m", "-5m", "5x", "1h30", "5m!", "٣s", "9999999999s", "nan"])
def test_what_is_no_duration(text):
    """Is told what one looks like."""
    with pytest.raises(ConfigError, match="is no duration, as in 30s, 5m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "zone", "moment"),
    [
        ("5m", UTC, NOON - 300),
        ("2026-01-31T12:00:00Z", UTC, NOON),
        ("2026-01-31T13:00:00+01:00", UTC, NOON),
        ("2026-01-31T12:00:00.250Z", UTC, NOON + 0.25),
        ("2026-01-31 12:00", UTC, NOON),
        ("2026-01-31T13:00", timezone(timedelta(hours=1)), NOON),
        ("2026-01-31", UTC, NOON - 12 * 3600),
    ],
)
def test_moments(text, zone, moment):
    """A time before now, or one of the calendar."""
    assert parse_moment(text, zone, NOON) == pytest.approx(moment)


def test_a_moment_without_a_zone_is_one_here(monkeypatch):
    """As the shell's clock says it."""
    import time

    monkeypatch.setenv("TZ", "Etc/GMT-3")
    time.tzset()
    try:
        assert parse_moment("2026-01-31T15:00", None, NOON) == NOON
        assert iso_text(NOON, None) == "2026-01-31T15:00:00.000+03:00"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["yesterday", "2026-02-31", "12:00", "2026-01-31T25:00Z"])
def test_what_is_no_time(text):
    """Is told what one looks like."""
    with pytest.raises(ConfigError, match="is no time, as in 5m"):
        parse_moment(text, UTC, NOON)


def test_zones():
    """By name; the database comes with us."""
    assert parse_zone("local") is None
    assert parse_zone("utc") is UTC
    assert iso_text(NOON, parse_zone("Asia/Kolkata")) == "2026-01-31T17:30:00.000+05:30"
    for text in ("Middle/Earth", "../etc/passwd", ""):
        with pytest.raises(ConfigError, match="is no time zone"):
            parse_zone(text)


def test_clocks_leave_out_what_is_clear():
    """The date of today, the year of this year."""
    assert clock_text(NOON + 0.0604, UTC, NOON) == "12:00:00.060"
    assert clock_text(NOON - 86_400, UTC, NOON) == "01-30 12:00:00.000"
    assert clock_text(NOON - 86_400 * 40, UTC, NOON) == "2025-12-22 12:00:00.000"
    assert clock_text(1e18, UTC, NOON) == iso_text(1e18, UTC) == "-"
