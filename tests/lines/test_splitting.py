"""Blocks into lines, and lines into what people read."""

from __future__ import annotations

import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstreamer.lines import MAX_TEXT, Annotator, RawLine, Splitter, text_of


@given(st.lists(st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b"\r", b"xyz", b"\xff"])).map(b"".join)))
def test_any_blocks_give_the_same_lines(blocks):
    """Offsets cover every byte once, and the texts are what a whole split gives."""
    splitter = Splitter(7)
    lines = [line for block in blocks for line in splitter.feed(block)]
    rest = splitter.rest()
    whole = b"".join(blocks)

    expected = [text.removesuffix(b"\r") for text in whole.split(b"\n")[:-1]]
    assert [line.data for line in lines] == expected
    assert (rest.data if rest else b"") == whole.split(b"\n")[-1]
    position = 7
    for line in [*lines, *([rest] if rest else [])]:
        assert line.offset == position
        position = line.end
    assert position == splitter.end == 7 + len(whole)
    assert splitter.offset == (rest.offset if rest else position)


def test_a_line_of_any_length_costs_little_memory():
    """50 MB in one line: its beginning is kept, its end is known."""
    block, splitter = b"x" * (1 << 20), Splitter()
    tracemalloc.start()
    for _ in range(50):
        assert splitter.feed(block) == []
    rest = splitter.rest()
    (line,) = splitter.feed(b"yz\n")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert rest == RawLine(0, 50 << 20, b"x" * MAX_TEXT, True)
    assert line == RawLine(0, (50 << 20) + 3, b"x" * MAX_TEXT, True)
    assert peak < 4 << 20


@pytest.mark.parametrize("step", [100, 1000, MAX_TEXT, 1 << 20])
def test_a_long_progress_bar_shows_its_last_state(step):
    """One line for hours, rewritten with carriage returns: its end is there, while it grows and when it is whole."""
    splitter, whole = Splitter(), b"".join(b"\r%6d of many" % number for number in range(10_000))
    for start in range(0, len(whole), step):
        assert splitter.feed(whole[start : start + step]) == []
    rest = splitter.rest()
    (line,) = splitter.feed(b"\n")

    assert rest is not None
    for shown in (rest, line):
        assert shown.cut
        assert len(shown.data) <= MAX_TEXT
        assert shown.data.startswith(b"\r     0 of many\r     1 of many")
        assert shown.data.split(b"\r")[-1] == b"  9999 of many"
    assert (line.offset, line.end) == (0, len(whole) + 1)


@pytest.mark.parametrize("size", [MAX_TEXT - 1, MAX_TEXT, MAX_TEXT + 1, MAX_TEXT + 2])
@pytest.mark.parametrize("step", [1000, MAX_TEXT, 1 << 20])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_limit_of_a_line(size, step, end):
    """Exactly at it nothing is cut, however it comes."""
    splitter, whole = Splitter(), b"x" * size + end + b"after\n"
    first, second = [
        line for start in range(0, len(whole), step) for line in splitter.feed(whole[start : start + step])
    ]

    assert (first.cut, len(first.data)) == (size + len(end) - 1 > MAX_TEXT, min(size, MAX_TEXT))
    assert second == RawLine(size + len(end), len(whole), b"after")


@pytest.mark.parametrize("character", ["ä", "€", "😀"])
def test_a_cut_through_a_character(character):
    """Leaves it out; what was never whole is shown as replaced."""
    data = b"ab" + character.encode()
    for size in range(2, len(data)):
        assert text_of(data[:size], cut=True) == "ab"
    assert text_of(data, cut=True) == "ab" + character
    assert text_of(data[:-1]) == "ab\N{REPLACEMENT CHARACTER}"
    assert text_of(b"", cut=True) == text_of(b"") == ""


def annotated(text, **known):
    """The lines of *text*."""
    annotator = Annotator(**known)
    return [annotator.line(raw) for raw in Splitter().feed(text)]


def test_a_traceback_belongs_to_its_line():
    """With its level and time, through chained exceptions, to the line that says what was raised."""
    text = b"""\
2026-11-24 18:20:37 ERROR it failed
Traceback (most recent call last):
  File "a.py", line 1, in f
    f()
ValueError: first

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 1, in f
KeyError: second
2026-11-24 18:20:38 INFO goes on
"""
    head, *others, last = annotated(text)

    assert not head.more
    assert all(line.more for line in others)
    assert {(line.level, line.time) for line in (head, *others)} == {("error", 1795544437.0)}
    assert (last.more, last.level, last.time) == (False, "info", 1795544438.0)


def test_a_traceback_out_of_nothing_is_an_error():
    """Printed by a program that dies."""
    lines = annotated(b'INFO starting\nTraceback (most recent call last):\n  File "a"\nValueError: x\ndone\n')

    assert [(line.level, line.more) for line in lines] == [
        ("info", False), ("error", False), ("error", True), ("error", True), (None, False),
    ]  # fmt: skip


def test_indented_lines_go_on():
    """Java's traces, and objects over several lines."""
    lines = annotated(b"WARN x {\n  a: 1\n}\nplain\n\n  \nERROR y\n\tat z\nCaused by: w\n")

    assert [line.more for line in lines] == [False, True, True, False, False, False, False, True, True]
    assert [line.level for line in lines] == ["warn"] * 3 + [None] * 3 + ["error"] * 3
    assert not annotated(b"  indented\n")[0].more


def test_arrival_is_the_time_of_a_line_without_one():
    """It is that of the record at or below its first byte."""
    lines = annotated(b"one\ntwo\n2026-11-24 18:20:37 x\n", arrivals=[(100.0, 4), (200.0, 8)])

    assert [(line.time, line.arrived) for line in lines] == [(None, None), (100.0, 100.0), (1795544437.0, 200.0)]


def test_what_is_nothing_is_left_out():
    """Lines are small on the wire."""
    (line,) = annotated(b"x\n")

    assert msgspec.json.encode(line) == b'{"offset":0,"end":2,"text":"x"}'
