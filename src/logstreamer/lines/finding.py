"""Which lines of a block a pattern is found in."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from logstreamer.lines.pattern import Pattern, searchable, without_colours

Place = tuple[int, int, int]
"""Start and end of a line, the newline included, and where the pattern was found; its start if the line has colours."""


def lines_with(pattern: Pattern, data: bytes, begin: int = 0) -> list[Place]:
    """Each line of *data* from *begin* on, which is the start of one, that *pattern* is found in, without colours."""
    if b"\x1b" in data and begin < len(data):
        return _coloured(pattern, data, begin)
    text, end = searchable(data), len(data)
    found = []
    while begin < end and (hit := pattern.find(text, begin, end)) is not None:
        at = hit[0]
        if at == end and data.endswith(b"\n"):
            break  # what is behind the last newline is no line yet
        start = data.rfind(b"\n", begin, at) + 1 or begin
        begin = data.find(b"\n", at) + 1 or end
        found.append((start, begin, at))
    return found


def _coloured(pattern: Pattern, data: bytes, begin: int) -> list[Place]:
    lines = data[begin:].split(b"\n")
    if not lines[-1]:
        lines.pop()
    bare = [without_colours(line) for line in lines]
    starts = list(accumulate((len(line) + 1 for line in bare), initial=0))
    wholes = list(accumulate((len(line) + 1 for line in lines), initial=begin))
    text = searchable(b"\n".join(bare))
    found, position = [], 0
    while position <= len(text) and (hit := pattern.find(text, position)) is not None:
        index = bisect_right(starts, hit[0]) - 1
        found.append((wholes[index], min(wholes[index + 1], len(data)), wholes[index]))
        position = starts[index + 1]
    return found
