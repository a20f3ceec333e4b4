"""What a line of a log looks like on a terminal that must not obey it."""

from __future__ import annotations

import unicodedata

_BIDI = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def neutral(line: bytes) -> bytes:
    """*line* (without its newline) with every control character made visible, as `cat -v` does.

    Of what was overwritten by carriage returns only the last state is left; a tab stays. What is no UTF-8 shows as
    a replacement character.
    """
    if line.isascii() and line.isalnum():
        return line
    text = line.decode("utf-8", "replace").removesuffix("\r")
    text = text.rpartition("\r")[2]
    return "".join(char if char == "\t" or _is_harmless(char) else _shown(char) for char in text).encode()


def _is_harmless(char: str) -> bool:
    return char not in _BIDI and unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp")


def _shown(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return "^" + chr(code + 0x40)
    return "^?" if code == 0x7F else f"<U+{code:04X}>"
