"""Lines are found from the end of a file to its beginning, whatever the bytes are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logstreamer.lines.pattern import Pattern, searchable, without_colours
from logstreamer.server.search import backward
from logstreamer.server.search.backward import Backward, Found
from logstreamer.store.follow import Reader

PIECES = [b"a", b"b", b"ab", b" ", b"\n", b"\n\n", b"\x1b[1m", b"\xff", b"\x00", "é".encode(), b"a" * 13, b"b" * 40]
PATTERNS = ["a", "ab", "^a", "b$", "^$", "", "é", "a.b", "^b.*a$", "aaab"]


def every_line(data: bytes, pattern: Pattern) -> list[tuple[int, int]]:
    """Start and end of each line that *pattern* is found in, by looking at one after the other; the newest first."""
    found, start = [], 0
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        if pattern.find(searchable(without_colours(data[start:end].removesuffix(b"\n")))):
            found.append((start, end))
        start = end
    return found[::-1]


def look(path: Path, end: int, pattern: Pattern) -> list[Found]:
    """Everything that is found below *end*."""
    found = []
    with Reader(path) as reader:
        looking = Backward(reader, end, pattern)
        while looking.position > 0:
            before = looking.position
            found += looking.step()
            assert looking.position < before
    return found


@pytest.fixture
def small_blocks(monkeypatch):
    """Every edge comes often."""
    monkeypatch.setattr(backward, "BLOCK", 16)
    monkeypatch.setattr(backward, "MOST_LINE", 1 << 20)
    monkeypatch.setattr(backward, "OVERLAP", 8)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join),
    pattern=st.sampled_from(PATTERNS),
    cut=st.floats(0, 1),
)
def test_as_by_looking_at_every_line(small_blocks, tmp_path, data, pattern, cut):
    """Over the edges of blocks, with colours and broken characters, also from the middle of a line."""
    path, end = tmp_path / "f", int(len(data) * cut)
    path.write_bytes(data)

    found = look(path, end, Pattern(pattern))

    assert [(one.start, one.end) for one in found] == every_line(data[:end], Pattern(pattern))
    assert all(one.start <= one.at <= one.end for one in found)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(0, 300), min_size=1, max_size=6),
    places=st.lists(st.floats(0, 1), min_size=1, max_size=6),
    newline=st.booleans(),
)
def test_lines_that_are_looked_at_in_pieces(small_blocks, tmp_path, monkeypatch, lengths, places, newline):
    """A find shorter than the overlap is never missed, and a line is given once, as a whole."""
    monkeypatch.setattr(backward, "MOST_LINE", 64)
    lines = []
    for length, place in zip(lengths, places, strict=False):
        at = int(length * place)
        lines.append(b"." * at + b"needle" + b"." * (length - at))
        lines.append(b"." * length)
    data = b"\n".join(lines) + b"\n" * newline
    path = tmp_path / "f"
    path.write_bytes(data)

    found = look(path, len(data), Pattern("needle"))

    assert [(one.start, one.end) for one in found] == every_line(data, Pattern("needle"))
    assert all(data[one.at : one.at + 6] == b"needle" for one in found)


def test_a_file_that_was_cut_ends_the_search(tmp_path):
    """Nothing lies below what is missing, as far as can be told."""
    path = tmp_path / "f"
    path.write_bytes(b"a\n")

    assert look(path, 1 << 30, Pattern("a")) == []
