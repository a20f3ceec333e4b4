"""Line: one line of a stored file, as the API tells it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class RawLine(NamedTuple):
    """One line's bytes.

    Args:
        offset: of its first byte in the stream.
        end: of the byte after its newline; of the byte after its last one where there is no newline yet.
        data: its first `MAX_TEXT` bytes at most, without the newline ("\\n" or "\\r\\n"); of a longer line that is
            rewritten with carriage returns, behind its beginning a carriage return and its end.
        cut: whether *data* is not all of it.
    """

    offset: int
    end: int
    data: bytes
    cut: bool = False


class Line(msgspec.Struct, omit_defaults=True):
    """One line for people.

    Args:
        offset, end: as of a `RawLine`.
        text: UTF-8, what is none of it replaced.
        cut: whether *text* is not all of it.
        time: seconds since the epoch: the line's own, that of the line it goes on with, or when it arrived.
        arrived: when its first byte came to the receiver, seconds since the epoch, to a second or so.
        level: one of `LEVELS`, or None.
        more: whether it goes on with the line above (an indented one, a traceback): it has that one's level.
        open: whether its newline has not come yet.
    """

    offset: int
    end: int
    text: str
    cut: bool = False
    time: float | None = None
    arrived: float | None = None
    level: str | None = None
    more: bool = False
    open: bool = False


def text_of(data: bytes, *, cut: bool = False) -> str:
    """*data* as text; a character that a cut went through is left out."""
    if cut:
        data = data[: _whole(data)]
    return data.decode("utf-8", "replace")


def _whole(data: bytes) -> int:
    """Length of *data* without the beginning of a character at its end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            needs = 1 if byte < 0xC0 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if needs > back else len(data)
    return len(data)
