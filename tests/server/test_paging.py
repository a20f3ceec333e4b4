"""Whole lines around a place, against a file that is split at once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logstreamer.lines import MAX_TEXT, Splitter
from logstreamer.server import paging
from logstreamer.server.paging import MAX_PAGE, span_around, start_of_line


class Bytes:
    """Something to read from; counts how much was."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.count = 0

    def read(self, offset: int, limit: int) -> bytes:
        found = self.data[offset : offset + limit]
        self.count += len(found)
        return found


def whole(data: bytes):
    """Every line of *data*, the last one with or without a newline."""
    splitter = Splitter()
    lines = splitter.feed(data)
    rest = splitter.rest()
    return [*lines, *([rest] if rest else [])]


@pytest.fixture
def small(monkeypatch):
    """Blocks of a few bytes, so that everything happens at their edges."""
    monkeypatch.setattr(paging, "_BLOCK", 3)


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from([b"\n", b"a", b"bcde", b"\r\n"])).map(b"".join),
    st.integers(0, 40),
    st.integers(0, 6),
    st.integers(0, 6),
    st.sampled_from([1, 2, 3, 7, 64]),
)
def test_every_page_of_every_file(data, offset, before, after, block):
    """The lines are those of the whole file, and the nearest ones."""
    offset = min(offset, len(data))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paging, "_BLOCK", block)
        found = span_around(Bytes(data), len(data), offset, before, after)
    lines = whole(data)
    middle = next((index for index, line in enumerate(lines) if offset < line.end), len(lines))

    expected = lines[max(0, middle - before) : middle + after]
    assert list(found.lines) == expected
    if expected:
        assert (found.start, found.end) == (expected[0].offset, expected[-1].end)
    is_open = bool(expected) and expected[-1].end == len(data) and not data.endswith(b"\n")
    assert found.open == is_open


def test_a_page_has_room_for_the_nearest_lines():
    """Of lines that are too much together, those around the place are given, and at least one."""
    data = (b"x" * 50_000 + b"\n") * 400
    found = span_around(Bytes(data), len(data), 200 * 50_001, 5000, 5000)

    assert found.start < 200 * 50_001 < found.end
    assert sum(len(line.data) for line in found.lines) <= MAX_PAGE
    assert len(found.lines) > 60
    end = span_around(Bytes(data), len(data), len(data), 5000, 0)
    assert end.end == len(data)
    assert sum(len(line.data) for line in end.lines) <= MAX_PAGE


def test_a_line_of_fifty_megabytes():
    """Is one line that is cut, from whichever side one comes; what is read for it is bounded."""
    data = b"before\n" + b"x" * (50 << 20) + b"\nafter\n"
    for offset in (7, 25 << 20, len(data) - 7):
        reader = Bytes(data)
        found = span_around(reader, len(data), offset, 1, 2)
        assert [line.offset for line in found.lines] == [0, 7, len(data) - 6]
        assert (found.lines[1].cut, len(found.lines[1].data)) == (True, MAX_TEXT)
        assert reader.count < 160 << 20


def test_a_line_without_end_is_taken_in_pieces(monkeypatch):
    """No question reads more than a part of it, and pages go on where the last one ended."""
    monkeypatch.setattr(paging, "MAX_SCAN", 1 << 20)
    data = b"y" * (5 << 20)
    reader = Bytes(data)
    position, pieces = 0, 0
    while position < len(data):
        found = span_around(reader, len(data), position, 0, 10)
        assert found.lines
        assert found.end > position
        position, pieces = found.end, pieces + 1
    assert 2 <= pieces <= 4
    reader.count = 0
    end = span_around(reader, len(data), len(data), 3, 0)
    assert 0 < end.start < end.end == len(data)
    assert end.open
    assert reader.count < 4 << 20


def test_a_file_that_was_cut_while_it_is_read():
    """What is there is given; nobody waits for what is gone."""
    found = span_around(Bytes(b"one\ntwo"), 1000, 0, 0, 10)

    assert [line.data for line in found.lines] == [b"one", b"two"]
    assert span_around(Bytes(b""), 1000, 1000, 10, 10).lines == ()


def test_the_line_of_a_byte(small):
    """A newline belongs to the line that it ends."""
    reader = Bytes(b"abcdef\n\nghi")

    assert [start_of_line(reader, offset) for offset in range(11)] == [0] * 7 + [7] + [8] * 3
