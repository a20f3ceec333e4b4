"""Pattern: a user's regular expression, run by RE2: its time grows with the text only, whatever was written."""

from __future__ import annotations

import re
from typing import Any

from logstreamer.errors import ConfigError

MEMORY = 8 << 20
"""Bytes that one pattern may use: what would need more is refused."""

MOST_LETTERS = 4096

_MANY_LINES = "(?m)"
_ENDS = re.compile(r"\\Q.*?(?:\\E|$)|\\([Az])|\\.|.", re.S)
_COLOURS = re.compile(rb"\x1b\[[0-9;:]*m")


class Pattern:
    """Looks at one line at a time, without its newline: `^` and `$` are a line's ends, nothing matches across two.

    Args:
        text: in RE2's syntax (https://github.com/google/re2/wiki/Syntax); no look-around, no back references.
        case: whether capitals differ from small letters.
        literal: *text* is looked for as it stands.

    Raises:
        ConfigError: it cannot be understood, or is too large; one line says why.
    """

    def __init__(self, text: str, *, case: bool = True, literal: bool = False) -> None:
        import re2  # a sender has no use for it

        if len(text) > MOST_LETTERS:
            raise ConfigError(f"a pattern of {len(text)} letters is too long: at most {MOST_LETTERS}")
        options = re2.Options()
        options.max_mem = MEMORY
        options.log_errors = False
        options.never_capture = True
        options.never_nl = True
        options.case_sensitive = case
        options.literal = literal
        try:
            self._compiled: Any = re2.compile((text if literal else _MANY_LINES + _by_line(text)).encode(), options)
        except (re2.error, UnicodeEncodeError) as error:
            raise ConfigError(f"the pattern {text[:80]!r} cannot be used: {_reason(error)}") from None

    def find(self, text: bytes, start: int = 0, end: int | None = None) -> tuple[int, int] | None:
        """Where it is found first in text[start:end], whose ends should be those of lines, see `searchable`."""
        match = self._compiled.search(text, start, len(text) if end is None else end)
        return None if match is None else match.span()

    def spans(self, text: bytes, limit: int) -> list[tuple[int, int]]:
        """Where it is found in one line, at most *limit* times; empty finds are left out."""
        found: list[tuple[int, int]] = []
        for match in self._compiled.finditer(text):
            if match.end() > match.start():
                found.append(match.span())
                if len(found) == limit:
                    break
        return found


def searchable(data: bytes) -> bytes:
    """*data* with a question mark for each byte that is no UTF-8, which RE2's `.` does not match; as long as before."""
    if data.isascii():
        return data
    return data.decode("utf-8", "surrogateescape").encode("utf-8", "replace")


def without_colours(line: bytes) -> bytes:
    """*line* without the sequences that colour it on a terminal."""
    return _COLOURS.sub(b"", line) if b"\x1b" in line else line


def _by_line(text: str) -> str:
    r"""*text* with `^` and `$` for `\A` and `\z`, which would mean the ends of a block of lines."""

    def other(match: re.Match[str]) -> str:
        return match[0] if match[1] is None else "^" if match[1] == "A" else "$"

    return _ENDS.sub(other, text)


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    return f"{' '.join(text.replace(_MANY_LINES, '', 1).split())[:200]} (the syntax is RE2's)"
