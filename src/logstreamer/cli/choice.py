"""Which lines are wanted: levels, patterns, times, and the lines around them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from logstreamer.cli.entries import Entry
from logstreamer.cli.patterns import Patterns, searchable
from logstreamer.lines import LEVELS

MOST_HELD = 4 << 20
"""Bytes of lines that are held in case the next one is wanted."""

_RANK = {level: rank for rank, level in enumerate(LEVELS)}
_UNSAID = _RANK["info"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked for.

    Args:
        include, exclude: any of the first has to be found in a line, none of the second may be.
        level: the least serious one that is shown; None: all. A line that names none counts as "info".
        since, until: seconds since the epoch, both included.
        before, after: lines that are shown around each that is wanted.
    """

    include: Patterns = field(default_factory=lambda: Patterns(()))
    exclude: Patterns = field(default_factory=lambda: Patterns(()))
    level: str | None = None
    since: float | None = None
    until: float | None = None
    before: int = 0
    after: int = 0

    @property
    def is_everything(self) -> bool:
        """Whether every line is wanted."""
        return not self.picks and self.since is None and self.until is None

    @property
    def picks(self) -> bool:
        """Whether lines are judged by what they say."""
        return bool(self.include) or bool(self.exclude) or self.level is not None

    def wants(self, entry: Entry) -> bool:
        """Whether *entry* is wanted for what it says."""
        if self.level is not None and _RANK.get(entry.level or "", _UNSAID) < _RANK[self.level]:
            return False
        if not self.include and not self.exclude:
            return True
        text = searchable(entry.text)
        return (not self.include or self.include.find(text)) and not self.exclude.find(text)

    def bars(self, entry: Entry) -> bool:
        """Whether *entry* is not even shown for the sake of a line beside it."""
        return bool(self.exclude) and self.exclude.find(searchable(entry.text))


class Filter:
    """The lines of one stream that are wanted, with the lines around them."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._everything = choice.is_everything
        self._picks = choice.picks
        self._seeks = bool(choice.include)
        self._before: deque[Entry] = deque()
        self._held = 0
        self._after = 0
        self._shown = False
        self.over = False
        """Whether every line from here on is later than wanted."""

    def feed(self, entry: Entry) -> Sequence[Entry]:
        """What is to be shown now that *entry* has come."""
        if self._everything:
            return (entry,)
        if entry.inside:
            return (entry,) if self._shown else ()
        self._shown = False
        choice = self._choice
        if choice.since is not None and entry.order < choice.since:
            return ()
        if self.over or (choice.until is not None and entry.order > choice.until):
            self.over = True
            return ()
        if not self._picks or choice.wants(entry):
            self._shown, self._after = True, choice.after
            return (*self._around(entry), entry) if self._before else (entry,)
        if self._after > 0 and not choice.bars(entry):
            self._shown, self._after = True, self._after - 1
            entry.context = True
            return (entry,)
        self.hold(entry)
        return ()

    def skips(self, block: bytes) -> bool:
        """Whether no line of *block* can be shown, for what it does not say."""
        return self._after == 0 and self._seeks and not self._choice.include.find(searchable(block))

    def hold(self, entry: Entry) -> None:
        """Keep *entry* for the case that one of the next is wanted."""
        if not self._choice.before or entry.inside or self._choice.bars(entry):
            return
        self._before.append(entry)
        self._held += entry.size
        while len(self._before) > self._choice.before or self._held > MOST_HELD:
            self._held -= self._before.popleft().size

    def _around(self, entry: Entry) -> Sequence[Entry]:
        found = tuple(self._before)
        for held in found:
            held.context, held.order = True, entry.order
        self._before.clear()
        self._held = 0
        return found
