"""Scout: the lines that a rule's pattern is found in, as they arrive."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from logstreamer.errors import StoreError
from logstreamer.lines import LEVELS, level_of, text_of
from logstreamer.lines.finding import Place, lines_with
from logstreamer.lines.pattern import Pattern, without_colours
from logstreamer.server.alerts.detector import identity
from logstreamer.server.alerts.ledger import Known
from logstreamer.server.alerts.rules import Rule
from logstreamer.server.status import StreamStatus
from logstreamer.store.follow import Reader

logger = logging.getLogger(__name__)

BLOCK = 256 << 10
MOST_LINE = 4 << 20
"""A longer line is looked at in pieces of this size."""

MOST_TEXT = 2000
"""Bytes of a line that are told."""


@dataclass(frozen=True, slots=True)
class Match:
    """One line: where it begins in the stream, and what it says."""

    offset: int
    text: str


@dataclass(slots=True)
class Findings:
    """The first and the last line of *count*."""

    count: int = 0
    first: Match | None = None
    last: Match | None = None


class Scout:
    """Looks for one rule's pattern.

    Args:
        reader: opens a stored stream.
    """

    def __init__(self, rule: Rule, reader: Callable[[str], Reader]) -> None:
        self.rule = rule
        self._reader = reader
        self._offsets: dict[tuple[str, str], int] = {}  # ahead of what is kept on the disk
        self._troubled: set[str] = set()
        self._pattern = Pattern(rule.pattern, case=rule.case)
        self._least = LEVELS.index(rule.level) if rule.level else -1

    def offset(self, status: StreamStatus, known: Known) -> int:
        """Up to where was looked."""
        return max(known.offset, self._offsets.get((status.path, identity(status)), 0))

    def look(self, status: StreamStatus, known: Known, most: int, *, rest: bool) -> Findings:
        """What is found in the whole lines that are new, some *most* bytes of them; *known* then knows how far.

        Args:
            rest: whether what follows the last newline is looked at too: nothing will follow it soon.
        """
        known.offset = self.offset(status, known)
        found = Findings()
        if known.offset >= status.size or most <= 0:
            return found
        try:
            with self._reader(status.path) as reader:
                known.offset = self._look(reader, known.offset, min(status.size, reader.size()), most, rest, found)
        except StoreError as error:
            if status.path not in self._troubled:
                logger.warning("alerts: %s cannot be looked at now: %s", status.path, error)
            self._troubled.add(status.path)
        self._offsets[status.path, identity(status)] = known.offset
        return found

    def _look(self, reader: Reader, offset: int, size: int, most: int, rest: bool, found: Findings) -> int:
        stop = min(size, offset + most)
        while offset < stop:
            data = self._read(reader, offset, size)
            end = data.rfind(b"\n") + 1
            if not end and (rest or len(data) == MOST_LINE):
                end = len(data)
            if not end:
                break
            self._add(data[:end], offset, found)
            offset += end
        return offset

    def _read(self, reader: Reader, offset: int, size: int) -> bytes:
        data = reader.read(offset, min(BLOCK, size - offset))
        if b"\n" not in data and len(data) == BLOCK:
            data = reader.read(offset, min(MOST_LINE, size - offset))
        return data

    def _add(self, data: bytes, offset: int, found: Findings) -> None:
        """Add the lines of a block that begins at *offset*."""
        places = lines_with(self._pattern, data)
        if self._least >= 0:
            places = [place for place in places if self._is_serious(data[place[0] : place[1]])]
        if not places:
            return
        found.count += len(places)
        found.first = found.first or _match(data, offset, places[0])
        found.last = _match(data, offset, places[-1])

    def _is_serious(self, line: bytes) -> bool:
        level = level_of(line.rstrip(b"\r\n"))
        return level is not None and LEVELS.index(level) >= self._least


def _match(data: bytes, offset: int, place: Place) -> Match:
    start, end, at = place
    line = data[start:end].removesuffix(b"\n").removesuffix(b"\r")
    shown = 0 if at - start < MOST_TEXT - 200 else at - start - 200
    part = line[shown : shown + MOST_TEXT]
    return Match(offset + start, text_of(without_colours(part), cut=shown + len(part) < len(line)))
