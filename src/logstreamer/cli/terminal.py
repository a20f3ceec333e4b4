"""What a line of a log looks like on a terminal that must not obey it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from logstreamer.cli.colours import DIM, FOUND, LINE, RESET, WORD, colour_of
from logstreamer.cli.patterns import Patterns

# They belong to words and to emoji; other format characters hide themselves, or turn text around.
_JOINERS = frozenset("\u200c\u200d")
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_TIME = re.compile(rb"[\[(]?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d))?[\])]?")
_LEVEL = re.compile(
    rb"\b(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|FATAL|CRITICAL|PANIC|(?i:(?<=level=)[a-z]{4,8}|(?<=\[)[a-z]{4,8}(?=\])))\b"
)
_LEVEL_WITHIN = 120

Mark = tuple[int, bytes]
"""A colour sequence, and the byte of the visible text before which it stands."""


def neutral(line: bytes) -> bytes:
    """*line* (without its newline) with every control character made visible, as `cat -v` does; colours are left out.

    Of what was overwritten by carriage returns only the last state is left; a tab stays. What is no UTF-8 shows as
    a replacement character.
    """
    return _visible(_last_state(line), [])


def painted(line: bytes, level: str | None, highlights: Sequence[Patterns] = (), *, head: bool = True) -> bytes:
    """The same in colours: its own ones, else those of its *level*; what *highlights* find stands out.

    Args:
        head: its time and its level are looked for; a line that continues another has none.
    """
    marks: list[Mark] = []
    text = _visible(_last_state(line), marks)
    if not marks:
        marks = _of_level(text, level) if head else [(0, LINE[level])] if level in LINE else []
    found = sorted(span for patterns in highlights for span in patterns.spans(text))
    return _joined(text, marks, found)


def _last_state(line: bytes) -> str:
    text = line.decode("utf-8", "replace").removesuffix("\r")
    return text.rpartition("\r")[2]


def _visible(text: str, marks: list[Mark]) -> bytes:
    if text.isprintable() or text.replace("\t", "").isprintable():
        return text.encode()
    parts: list[bytes] = []
    position = at = 0
    for match in _COLOUR.finditer(text) if "\x1b" in text else ():
        part = _shown(text[at : match.start()])
        parts.append(part)
        position += len(part)
        at = match.end()
        colour = colour_of(match[0].encode())
        if colour:
            marks.append((position, colour))
    parts.append(_shown(text[at:]))
    return b"".join(parts)


def _shown(text: str) -> bytes:
    if not text.isprintable():
        text = "".join(char if char == "\t" or _is_harmless(char) else _caret(char) for char in text)
    return text.encode("utf-8", "replace")


def _is_harmless(char: str) -> bool:
    return char in _JOINERS or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _caret(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return "^" + chr(code + 0x40)
    return "^?" if code == 0x7F else f"<U+{code:04X}>"


def _of_level(text: bytes, level: str | None) -> list[Mark]:
    """The time faint, the word of the level bright, the rest in the level's colour."""
    base = LINE.get(level or "", b"")
    marks = [(0, base)] if base else []
    time = _TIME.match(text)
    if time is not None and base != DIM:
        marks = [(0, DIM), (time.end(), RESET + base)]
    word = _LEVEL.search(text, time.end() if time else 0, _LEVEL_WITHIN) if level in WORD and base != DIM else None
    if word is not None:
        marks += [(word.start(), WORD[level or ""]), (word.end(), RESET + base)]
    return marks


def _joined(text: bytes, marks: Sequence[Mark], found: Sequence[tuple[int, int]]) -> bytes:
    """*text* with *marks* in it; within *found* they are kept back."""
    if not marks and not found:
        return text
    edges = sorted([(start, 1, FOUND) for start, _ in found] + [(end, 0, b"") for _, end in found])
    events = sorted([(at, 2, colour) for at, colour in marks] + list(edges), key=lambda event: event[:2])
    parts: list[bytes] = []
    current, depth, last = b"", 0, 0
    for at, kind, colour in events:
        parts.append(text[last:at])
        last = at
        if kind == 2:
            current = b"" if colour == RESET else colour if colour.startswith(RESET) else current + colour
            if depth == 0:
                parts.append(colour)
        elif kind == 1:
            depth += 1
            parts.append(RESET + colour)
        else:
            depth -= 1
            if depth == 0:
                parts.append(RESET + current)
    return b"".join((*parts, text[last:], RESET))
