"""When lines say they were written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstreamer.lines import time_of

AT = datetime(2026, 11, 24, 18, 20, 37, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("line", "time"),
    [
        (b"2026-11-24T18:20:37Z x", AT),
        (b"2026-11-24T18:20:37.123456789Z", AT + 0.123456789),
        (b"2026-11-24T20:20:37.5+02:00 x", AT + 0.5),
        (b"2026-11-24 20:20:37+0200", AT),
        (b"2026-11-24 18:20:37 UTC x", AT),
        (b"2026-11-24 18:20:37,123 - name - INFO - x", AT + 0.123),
        (b"[2026-11-24 18:20:37,123] INFO x", AT + 0.123),
        (b"2026/11/24 18:20:37 [error] x", AT),
        (b"2026-11-24 18:20 x", AT - 37),
        (b"\x1b[2m2026-11-24T18:20:37Z\x1b[0m x", AT),
        (b"INFO 2026-11-24 18:20:37 x", AT),
        (b"WARNING:2026-11-24 18:20:37:x", AT),
        (b"[INFO] 2026-11-24 18:20:37 x", AT),
        (b"[rank0]: 2026-11-24 18:20:37 x", AT),
        (b"INFO 11-24 18:20:37 [engine.py:12] x", AT),
        (b"20261124T182037Z x", AT),
        (b"20261124 18:20:37 x", AT),
        (b"Nov 24 18:20:37 host prog[1]: x", AT),
        (b"<34>Nov 24 18:20:37 host x", AT),
        (b"<34>1 2026-11-24T18:20:37Z host x", AT),
        (b"Tue Nov 24 18:20:37 2026 x", AT),
        (b"Tue Nov 24 18:20:37 UTC 2026", AT),
        (b"[Tue Nov 24 18:20:37.5 2026] [core:error] x", AT + 0.5),
        (b"Tue, 24 Nov 2026 18:20:37 GMT x", AT),
        (b'10.0.0.1 - - [24/Nov/2026:18:20:37 +0000] "GET / HTTP/1.1"', AT),
        (b"I1124 18:20:37.123456 12 file.cc:1] x", AT + 0.123456),
        (b"[rank0]:[W1124 18:20:37.5 x.cpp:1] x", AT + 0.5),
        (b"I20261124 18:20:37.5 x", AT + 0.5),
        (b"1795544437 x", AT),
        (b"1795544437.25 x", AT + 0.25),
        (b"[1795544437] x", AT),
        (b"1795544437123 x", AT + 0.123),
        (b'time="2026-11-24T18:20:37Z" level=info msg=x', AT),
        (b"ts=2026-11-24T18:20:37Z x", AT),
        (b'{"time":"2026-11-24T18:20:37Z","msg":"x"}', AT),
        (b'{"@timestamp":"2026-11-24 18:20:37.5","msg":"x"}', AT + 0.5),
        (b'{"level":30,"time":1795544437123,"msg":"x"}', AT + 0.123),
        (b'{"ts":1795544437.5}', AT + 0.5),
        (b'{"time":{"n":1},"ts":"1795544437"}', AT),
        (b"2026-11-24 18:20:60 a leap second", AT + 22),
    ],
)
def test_forms(line, time):
    """What is in use out there; a year is taken from what is near."""
    assert time_of(line, near=AT + 5000) == pytest.approx(time, abs=1e-6)


@pytest.mark.parametrize(
    "line",
    [
        b"", b"x", b"step 2026-11-24", b"2026-13-45 18:20:37 x", b"1.2.3.4 x", b"123456789012 x",
        b"12345678901234567890123", b"{", b'{"time":true}', b'{"time":"soon"}', b'{"time":' + b"[" * 5000,
        b'{"time":1e400}', b'{"ts":-1}', b'{"t":12}', b"I1399 99:99:99 x", b"Nov 31 18:20:37 x", b"9999999999999 x",
        b"0000-00-00 00:00:00", b"\xff\xfe\x00", b"<999999>x", b'{"time":"{\\"time\\":1}"}', b"12/24 x",
        b"2026-11-24 18:20:371 x", b"1795544437abc",
    ],
)  # fmt: skip
def test_no_time(line):
    """Neither guesses nor exceptions."""
    assert time_of(line) is None


def test_a_time_without_a_zone_is_in_the_given_one():
    """The site's, where it is known, with its summer."""
    assert time_of(b"2026-11-24 19:20:37", ZoneInfo("Europe/Berlin")) == AT
    assert time_of(b"2026-07-24 20:20:37", ZoneInfo("Europe/Berlin")) == AT - 123 * 86400
    assert time_of(b"2026-11-24 18:20:37Z", timezone(timedelta(hours=5))) == AT


def test_a_time_without_a_year_is_near():
    """On both sides of new year."""
    new_year = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    assert time_of(b"Dec 31 23:59:59 host x", near=new_year + 5) == new_year - 1
    assert time_of(b"Jan  1 00:00:01 host x", near=new_year - 5) == new_year + 1


@given(st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)), st.sampled_from(["T", " "]), st.binary(max_size=20))
def test_every_iso_time(at, separator, rest):
    """As the standard library writes it."""
    text = at.replace(tzinfo=UTC).isoformat(separator)

    assert time_of(text.encode() + b" " + rest) == pytest.approx(at.replace(tzinfo=UTC).timestamp(), abs=1e-5)


@given(st.binary(max_size=120) | st.from_regex(rb"[{<\[(]?[A-Z0-9 :.,/+\"{}-]{0,60}", fullmatch=True))
def test_hostile_lines(line):
    """Any bytes give a plausible number or None."""
    found = time_of(line)

    assert found is None or -63e9 < found < 260e9
