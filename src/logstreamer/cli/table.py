"""The table of streams: what is in it, and how it fits into a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from logstreamer.cli import colours
from logstreamer.cli.output import bytes_text, duration_text, gaps_text, printable
from logstreamer.server.status import StreamStatus
from logstreamer.store.follow import match

LONG_AGO_SECONDS = 60.0
"""An end that is told as the latest news is no older."""

LEAST_STREAM, LEAST_STATE, LEAST_TEXT = 16, 12, 12
"""Letters that are left of a column that has to give way."""


def select(statuses: Iterable[StreamStatus], patterns: Sequence[str]) -> list[StreamStatus]:
    """Those that any of *patterns* names, each once and in their order; all without a pattern."""
    known = list(statuses)
    if not patterns:
        return known
    chosen = {record.path for pattern in patterns for record in match(known, pattern)}
    return [status for status in known if status.path in chosen]


def state_text(status: StreamStatus) -> str:
    """The state with what belongs to it."""
    detail = status.state_detail
    if status.state == "dead" and status.last_beat is not None:
        detail = f"no beat for {spaced(status.last_beat)}, at byte {status.size}"
    elif status.state != "finished" and status.ended is not None and status.ended >= LONG_AGO_SECONDS:
        detail = f"{duration_text(status.ended)} ago" + (f": {detail}" if detail else "")
    return f"{status.state} ({printable(detail)})" if detail else status.state


def spaced(seconds: float) -> str:
    """3 s, 1m15s: seconds alone are written as the receiver writes them."""
    return f"{seconds:.0f} s" if seconds < 60 else duration_text(seconds)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title, and what it says of a stream.

    Args:
        right: numbers, which end below each other.
    """

    title: str
    text: Callable[[StreamStatus], str]
    right: bool = False


def _last_data(status: StreamStatus) -> float | None:
    if status.last_data is not None:
        return status.last_data
    return _wall_age(status.modified) if status.size else None


STREAM = Column("STREAM", lambda status: printable(status.path))
STATE = Column("STATE", state_text)
SIZE = Column("SIZE", lambda status: bytes_text(status.size), right=True)
LAST_LINE = Column("LAST LINE", lambda status: _ago(_last_data(status)), right=True)
LAST_BEAT = Column("LAST BEAT", lambda status: _ago(status.last_beat), right=True)
RATE = Column("RATE", lambda status: f"{bytes_text(status.rate)}/s" if status.rate else "-", right=True)
BEHIND = Column("BEHIND", lambda status: bytes_text(status.behind) if status.behind else "-", right=True)
GAPS = Column("GAPS", lambda status: gaps_text(status.gaps))
RUNS = Column("RUNS", lambda status: str(len(status.runs) + status.runs_dropped), right=True)
CREATED = Column("CREATED", lambda status: status.created)
TEXT = Column("LAST LINE SAYS", lambda status: printable(status.last_line) or "-")

DEFAULT = (STREAM, STATE, SIZE, LAST_LINE, LAST_BEAT, RATE, BEHIND, GAPS)
WIDE = (*DEFAULT, RUNS, CREATED, TEXT)
_GIVE_WAY = (GAPS, BEHIND, CREATED, RUNS)
"""Columns that are left out of a narrow terminal where they say nothing, and then all the same."""


def table(
    statuses: Sequence[StreamStatus],
    columns: Sequence[Column] = DEFAULT,
    *,
    width: int | None = None,
    colour: bool = False,
) -> list[str]:
    """The lines of a table, header first.

    Args:
        width: columns of the terminal that it has to fit into; None: as wide as it is.
    """
    cells = {column.title: [column.text(status) for status in statuses] for column in columns}
    shown = list(columns)
    widths = {title: max(len(title), *map(_width, texts), 0) for title, texts in cells.items()}
    if width is not None:
        _fit(shown, cells, widths, width)
    header = _joined([(column, column.title[: widths[column.title]]) for column in shown], widths)
    lines = [f"\x1b[2m{header}\x1b[0m" if colour else header]
    for index, status in enumerate(statuses):
        row = [(column, _cut(cells[column.title][index], widths[column.title], column)) for column in shown]
        lines.append(_coloured(row, widths, status) if colour else _joined(row, widths))
    return lines


def _fit(shown: list[Column], cells: dict[str, list[str]], widths: dict[str, int], width: int) -> None:
    """Make columns narrower, or leave them out, until they fit."""

    def excess() -> int:
        return sum(widths[column.title] for column in shown) + 2 * (len(shown) - 1) - width

    whole = widths[STREAM.title]
    for column, least in ((TEXT, LEAST_TEXT), (STATE, LEAST_STATE + 12)):
        if column in shown and excess() > 0:
            widths[column.title] = max(min(least, widths[column.title]), widths[column.title] - excess())
    for empty_only in (True, False):
        for column in _GIVE_WAY:
            if excess() > 0 and column in shown and (not empty_only or set(cells[column.title]) <= {"-"}):
                shown.remove(column)
    for column, least in ((STATE, LEAST_STATE), (STREAM, LEAST_STREAM)):
        if excess() > 0:
            widths[column.title] = max(min(least, widths[column.title]), widths[column.title] - excess())
    while excess() > 0 and len(shown) > 2:
        shown.pop()
    if excess() > 0:
        widths[STREAM.title] = max(4, widths[STREAM.title] - excess())
    elif STREAM in shown:  # what the columns left out have freed: names tell streams apart
        widths[STREAM.title] = min(whole, widths[STREAM.title] - excess())


def _joined(row: Sequence[tuple[Column, str]], widths: dict[str, int]) -> str:
    return "  ".join(_padded(text, widths[column.title], column) for column, text in row).rstrip()


def _coloured(row: Sequence[tuple[Column, str]], widths: dict[str, int], status: StreamStatus) -> str:
    parts = []
    for column, text in row:
        colour = _colour(column, text, status)
        padded = _padded(text, widths[column.title], column)
        parts.append(f"{colour}{padded}\x1b[0m" if colour else padded)
    return "  ".join(parts)


def _colour(column: Column, text: str, status: StreamStatus) -> str:
    if column is STATE:
        return colours.STATE.get(status.state, b"").decode()
    if text == "-":
        return "\x1b[2m"
    if column in (BEHIND, GAPS):
        return "\x1b[33m"
    return "\x1b[2m" if column in (CREATED, TEXT) or status.state in ("finished", "stopped", "unknown") else ""


def _padded(text: str, width: int, column: Column) -> str:
    gap = " " * (width - _width(text))
    return gap + text if column.right else text + gap


def _cut(text: str, width: int, column: Column) -> str:
    """*text* in at most *width* letters; of a stream's name its end is left, which tells it apart."""
    if _width(text) <= width:
        return text
    if column is STREAM and width > 8:
        head = _begin_of(text, (width - 1) // 3)
        return head + "…" + _begin_of(text[::-1], width - 1 - _width(head))[::-1]
    return _begin_of(text, width - 1) + "…"


def _begin_of(text: str, width: int) -> str:
    text = text[: max(0, width)]
    while _width(text) > width:
        text = text[:-1]
    return text


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(
        2 if unicodedata.east_asian_width(char) in "WF" else 0 if unicodedata.combining(char) else 1 for char in text
    )


def _ago(age: float | None) -> str:
    return "-" if age is None else f"{duration_text(age)} ago"


def _wall_age(moment: str) -> float:
    """Seconds since *moment* by the wall clock: for people only."""
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
