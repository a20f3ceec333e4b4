"""printable: text from the other side, as a log or a terminal may show it."""

from __future__ import annotations


def printable(text: str) -> str:
    """*text* without what a terminal would act on, or could not encode: names come from the other side."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
