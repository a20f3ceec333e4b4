"""Patterns of users: line by line, in linear time, and one clear line for what cannot be used."""

from __future__ import annotations

import pytest

from logstreamer.errors import ConfigError
from logstreamer.lines.pattern import MOST_LETTERS, Pattern, searchable, without_colours


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("b+", b"abba", (1, 3)),
        ("^b$", b"a\nb\nc", (2, 3)),
        (r"\Ab\z", b"a\nb\nc", (2, 3)),
        (r"a\nb", b"a\nb", None),
        (r"\s+", b"\n\n a", (2, 3)),
        ("[^x]+", b"xab\ncd", (1, 3)),
        ("(?s)a.*b", b"a\nb ab", (4, 6)),
        (r"\Q\A\E", rb"x\Ay", (1, 3)),
        ("é+", "aéé".encode(), (1, 5)),
    ],
)
def test_each_line_is_looked_at_alone(pattern, text, found):
    """Whatever is written, a find lies within one line of a block."""
    assert Pattern(pattern).find(text) == found


def test_a_part_of_a_block_is_looked_at():
    """Offsets are those of the whole block, and the start of a line is one there too."""
    assert Pattern("^b").find(b"ab\nb\nb", 3) == (3, 4)
    assert Pattern("b$").find(b"ab\nb\nb", 0, 2) == (1, 2)


def test_capitals_and_plain_text():
    """Both are asked for."""
    assert Pattern("error").find(b"ERROR") is None
    assert Pattern("error", case=False).find(b"ERROR") == (0, 5)
    assert Pattern("a.c(", literal=True).find(b"abc( a.c(") == (5, 9)


def test_spans_are_not_empty_and_limited():
    """For marking what was found."""
    assert Pattern("a*").spans(b"aa b a a", 2) == [(0, 2), (5, 6)]


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "missing )"),
        ("a{1001}", "repetition"),
        ("((a{100}){100}){100}", "repetition"),
        (r"(\pL{50}){19}", "too large"),
        (r"(a)\1", "escape"),
        ("(?=a)", "perl operator"),
        ("\ud800", "utf-8"),
        ("x" * (MOST_LETTERS + 1), "too long"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(pattern, reason):
    """The message names the reason and nothing of our own making."""
    with pytest.raises(ConfigError) as caught:
        Pattern(pattern)

    assert reason in str(caught.value)
    assert "(?m)" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pattern_that_ruins_others_takes_no_time():
    """An engine that goes back needs longer than the universe has been there for this."""
    assert Pattern("(a+)+$").find(b"a" * 1_000_000 + b"b\n") is None
    assert Pattern("(a|a)*b$").find(b"a" * 1_000_000) is None


def test_bytes_that_are_no_text_hide_nothing_and_move_nothing():
    """RE2's "." stands for a whole character."""
    data = b"a\xff\xfe\x00b \xc3\xa9\xc3"

    assert searchable(data) == b"a??\x00b \xc3\xa9?"
    assert Pattern("a.*b").find(data) is None
    assert Pattern("a.*b").find(searchable(data)) == (0, 5)


def test_colours_are_left_out():
    """As a person reads it."""
    assert without_colours(b"\x1b[1;31mERROR\x1b[0m: x") == b"ERROR: x"
