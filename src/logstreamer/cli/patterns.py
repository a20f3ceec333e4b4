"""Patterns of users: any of several, found in a line."""

from __future__ import annotations

from collections.abc import Iterable

from logstreamer.lines.pattern import Pattern, without_colours
from logstreamer.lines.pattern import searchable as _as_utf8

MOST_MARKED = 1000
"""Places that stand out in one line."""


class Patterns:
    """Any of several regular expressions in RE2's syntax.

    Raises:
        ConfigError: one cannot be understood; it says which, and why.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [Pattern(pattern) for pattern in patterns]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def find(self, text: bytes) -> bool:
        """Whether any is found in *text*, see `searchable`."""
        return any(pattern.find(text) is not None for pattern in self._patterns)

    def spans(self, text: bytes) -> list[tuple[int, int]]:
        """Where they are found in *text* (UTF-8): byte ranges, not empty, in order, none over another."""
        found = sorted(span for pattern in self._patterns for span in pattern.spans(text, MOST_MARKED))
        merged: list[tuple[int, int]] = []
        for start, end in found:
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged


def searchable(line: bytes) -> bytes:
    """*line* as a person reads it: without colours, and with a mark for each byte that is no UTF-8."""
    return _as_utf8(without_colours(line))
