"""Lines that are JSON, with anything in the fields that are looked at."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logstreamer.lines.levels import LEVELS, level_of
from logstreamer.lines.times import time_of

NAMES = ("@timestamp", "time", "ts", "asctime", "t", "level", "severity", "log.level", "levelno")
NUMBERS = st.integers() | st.integers(10**300, 10**400) | st.floats() | st.integers(0, 10**20)
VALUES = (
    st.none() | st.booleans() | NUMBERS | st.text() | st.dates().map(str) | st.lists(st.text(max_size=3), max_size=2)
)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
@example({"time": 10**399, "level": -(10**399), "levelno": 10**399})
@example({"ts": -(10**399)})
@example({"time": "{", "ts": "\ud800"})
def test_any_value_is_a_time_or_a_level_or_neither(fields: dict[str, object]):
    """A line that could not be looked at would hide all others of its stream."""
    line = json.dumps(fields).encode()

    found = time_of(line)
    assert found is None or -63e9 < found < 260e9
    assert level_of(line) in (*LEVELS, None)


@pytest.mark.parametrize("digits", [10, 13, 16, 19])
def test_seconds_and_their_parts(digits: int):
    """Thousandths, millionths, ..., told by their size."""
    number = int("1790000000123456789"[:digits])
    assert time_of(json.dumps({"ts": number}).encode()) == pytest.approx(1_790_000_000, abs=1)
