"""The last line of a stored file, for lists."""

from __future__ import annotations

import re

from logstreamer.errors import StoreError
from logstreamer.store.follow import Reader

MAX_CHARS = 200
_TAIL = 4096
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def last_line(reader: Reader) -> str:
    """The text of the last line that is not blank, at most `MAX_CHARS` characters without control sequences.

    Of a line that was rewritten with carriage returns, its last state; "" where there is none near the end.
    """
    size = reader.size()
    start = max(0, size - _TAIL)
    try:
        data = reader.read(start, size - start)
    except StoreError:
        return ""
    begin = 0 if start == 0 else data.find(b"\n") + 1  # 0: one long line, of which the end is shown
    for line in reversed(data[begin:].split(b"\n")):
        for part in reversed(line.split(b"\r")):
            text = _CONTROL.sub("", part.decode("utf-8", "replace")).strip()
            if text:
                return text[:MAX_CHARS]
    return ""
