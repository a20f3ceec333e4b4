"""Bytes become lines, however they come."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as some

from logstreamer.cli.entries import MOST_OF_A_LINE, Cutter


def cut(blocks, **options):
    """The lines of *blocks*, the last one finished."""
    cutter, offset, found = Cutter("a", **options), 0, []
    for block in blocks:
        found += cutter.feed(block, offset)
        offset += len(block)
    return [*found, *cutter.finish()]


@given(some.lists(some.binary(max_size=30).map(lambda data: data.replace(b"\x07", b"\n").replace(b"\x01", b"\n"))))
def test_every_byte_is_in_one_line_at_its_offset(blocks):
    """Whatever the blocks are."""
    whole = b"".join(blocks)

    entries = cut(blocks)

    assert b"".join(entry.text + b"\n" * entry.ended for entry in entries) == whole
    for entry in entries:
        assert whole[entry.offset : entry.end] == entry.text + b"\n" * entry.ended
        assert b"\n" not in entry.text


def test_a_line_of_50_mb_is_held_in_pieces():
    """Each at most a MiB, none through a letter."""
    cutter, offset, most, pieces = Cutter("a"), 0, 0, []
    block = "äx€\U0001d11e".encode() * 10_000
    for _ in range(500):
        for entry in cutter.feed(block, offset):
            entry.text.decode()
            pieces.append((entry.offset, entry.end, entry.cut, entry.inside))
        offset += len(block)
        most = max(most, len(cutter.rest))

    assert most <= MOST_OF_A_LINE
    assert pieces[0][:1] == (0,)
    assert all(before[1] == after[0] for before, after in pairwise(pieces))
    assert {piece[2:] for piece in pieces[1:]} == {(True, True)}


def test_a_line_that_rewrites_itself_is_its_last_state():
    """Where nobody could see the others: it does not grow for ever."""
    states = [b"%d%%\r" % number for number in range(100_000)]

    [entry] = cut([*states, b"done\nrest"], overwriting=True)[:1]

    assert (entry.text, entry.offset) == (b"done", 0)
    assert cut([b"a\rb\r\nc"], overwriting=True)[0].text == b"b\r"


def test_a_long_line_is_its_beginning_on_a_terminal():
    """With the place where it really ends."""
    entries = cut([b"x" * 3_000_000, b"y\nz\n"], overwriting=True)

    assert [(len(entry.text), entry.end) for entry in entries] == [(MOST_OF_A_LINE, 3_000_002), (1, 3_000_004)]
