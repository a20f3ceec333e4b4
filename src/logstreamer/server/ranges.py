"""The Range header of RFC 9110, one range of bytes."""

from __future__ import annotations

import re

_ONE = re.compile(r"\s*bytes\s*=\s*(\d{0,4000})\s*-\s*(\d{0,4000})\s*", re.IGNORECASE)


class Unsatisfiable(ValueError):
    """The range begins at or beyond the end: 416."""


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """The bytes [start, end) of *size* that *header* asks for; None: all of them, as for no or a strange header.

    Several ranges are answered with everything, which the RFC allows.

    Raises:
        Unsatisfiable: nothing of the range is there.
    """
    match = _ONE.fullmatch(header)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < start:
            return None
    if start >= size or start >= end:
        raise Unsatisfiable(f"{header.strip()} of {size} bytes")
    return start, end
