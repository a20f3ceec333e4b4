"""Which lines are shown, and which around them."""

from __future__ import annotations

import pytest

from logstreamer.cli.choice import MOST_HELD, Choice, Filter
from logstreamer.cli.entries import Entry
from logstreamer.cli.patterns import Patterns
from logstreamer.errors import ConfigError


def shown(lines, **choice):
    """Lines that are shown; one for the sake of another in brackets. A line may be an `Entry`."""
    patterns = {name: Patterns(choice.pop(name)) for name in ("include", "exclude") if name in choice}
    chosen = Filter(Choice(**patterns, **choice))
    entries = [line if isinstance(line, Entry) else Entry("a", 0, line.encode()) for line in lines]
    found = [out for entry in entries for out in chosen.feed(entry)]
    return [f"({entry.text.decode()})" if entry.context else entry.text.decode() for entry in found]


def test_any_of_the_included_none_of_the_excluded():
    """Found anywhere in the line."""
    lines = ["one", "two", "three", "other"]

    assert shown(lines) == lines
    assert shown(lines, include=["^t", "one"]) == ["one", "two", "three"]
    assert shown(lines, include=["o"], exclude=["^two$", "h"]) == ["one"]


def test_colours_and_broken_letters_do_not_hide_a_word():
    """A pattern sees what a person reads."""
    lines = [Entry("a", 0, b"lo\x1b[1;31mss\x1b[0m=1"), Entry("a", 0, b"x\xff\xfey"), Entry("a", 0, b"loss")]

    assert len(shown(lines[:1], include=["loss=1"])) == 1
    assert len(list(Filter(Choice(Patterns(["x..y"]))).feed(lines[1]))) == 1


@pytest.mark.parametrize("pattern", ["(", "a{99999}", "\\1", "x" * 5000, "(?<=a)b"])
def test_a_pattern_that_cannot_be_used_says_why(pattern):
    """Before anything is read."""
    with pytest.raises(ConfigError, match=r"pattern"):
        Patterns([pattern])


def test_time_grows_with_the_text_only():
    """A pattern that would keep a backtracking engine for ever."""
    assert not Patterns(["(a*)*(a*)*(a*)*b"]).find(b"a" * 100_000)


def test_levels_keep_tracebacks_and_count_the_unsaid_as_info():
    """What belongs to a line has its level."""
    levels = {"a": "debug", "b": "error", "b2": "error", "c": None, "d": "warn", "e": "fatal"}
    lines = [Entry("s", 0, text.encode(), level=level) for text, level in levels.items()]

    assert shown(lines, level="warn") == ["b", "b2", "d", "e"]
    assert shown(lines, level="info") == ["b", "b2", "c", "d", "e"]
    assert shown(lines, level="fatal") == ["e"]
    assert shown(lines, level="error", include=["2"]) == ["b2"]


def test_lines_around_are_shown_once():
    """As grep does; what is excluded is not even shown for another's sake."""
    lines = [*"abc", "X", *"defghi", "X", "j"]

    assert shown(lines, include=["X"], before=1, after=2) == ["(c)", "X", "(d)", "(e)", "(i)", "X", "(j)"]
    assert shown(["a", "X", "b", "X", "c"], include=["X"], before=1, after=1) == ["(a)", "X", "(b)", "X", "(c)"]
    assert shown(["a", "b", "X"], include=["X"], exclude=["b"], before=2) == ["(a)", "X"]


def test_lines_before_are_held_in_bounds():
    """However many are asked for."""
    chosen = Filter(Choice(Patterns(["X"]), before=10_000))
    for number in range(200):
        assert list(chosen.feed(Entry("a", number, b"y" * 100_000))) == []

    held = list(chosen.feed(Entry("a", 200, b"X")))

    assert len(held) > 10
    assert sum(entry.size for entry in held) < MOST_HELD + 200_000
    assert [entry.offset for entry in held] == list(range(201 - len(held), 201))


def test_times_are_both_included():
    """Beyond the last one nothing is wanted any more."""
    lines = [Entry("s", 0, str(number).encode(), order=float(number)) for number in range(6)]
    chosen = Filter(Choice(since=1.0, until=3.0))

    assert [int(out.text) for line in lines[:4] for out in chosen.feed(line)] == [1, 2, 3]
    assert not chosen.over
    assert [out for line in lines[4:] for out in chosen.feed(line)] == []
    assert chosen.over


def test_a_piece_of_a_line_goes_with_the_line():
    """Whatever it says itself."""
    lines = [
        Entry("s", 0, b"X", cut=True), Entry("s", 1, b"piece", inside=True),
        Entry("s", 2, b"y", cut=True), Entry("s", 3, b"X piece", inside=True),
    ]  # fmt: skip

    assert shown(lines, include=["X"]) == ["X", "piece"]
