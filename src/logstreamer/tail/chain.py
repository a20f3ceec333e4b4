"""The sources of one path as cursors walk them, and which of them must stay open."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from logstreamer.tail.cursor import Cursor
from logstreamer.tail.source import Source

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HoldBudget:
    """How much of rotated files is held open for cursors that have not read it; beyond it, they get a gap.

    Args:
        bytes: most unread bytes in files that were deleted; only those occupy a disk because of us.
        seconds: longest time that a deleted file is held after its last write.
        files: most rotated files held open, deleted or not.
    """

    bytes: int = 1 << 30
    seconds: float = 3600.0
    files: int = 64


class SourceChain:
    """Sources in the order in which the path named them; `next` links them, the last has none.

    Before them stand prior ones: rotated files found again for receivers that resume in them. Until the first cursor
    is placed, everything from the first source on is kept for it.
    """

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.cursors: list[Cursor] = []
        self.newest: Source | None = None
        self.released = 0
        self._origin: Source | None = None
        self._awaiting_cursor = True
        self._loose: list[Source] = []

    @property
    def first(self) -> Source | None:
        """The oldest source still open of those that the path named since it is followed."""
        return self._origin or next((source for source in self.sources if not source.prior), None)

    @property
    def only_settled(self) -> Source | None:
        """The one source there is, where a stat of the path shows all that can happen to it; else None."""
        newest = self.newest
        return newest if newest is not None and len(self.sources) == 1 and newest.is_settled else None

    @property
    def all_placed(self) -> bool:
        """Whether no cursor waits for its place."""
        return all(cursor.source is not None for cursor in self.cursors)

    def append(self, source: Source, now: float) -> None:
        """The path names *source* now, or did so after the newest."""
        if self.newest is not None:
            self.newest.next = source
            self.newest.leave(now)
        for last in self._loose:
            last.next = source
        self._loose.clear()
        self.newest = source
        self.sources.append(source)
        if self._awaiting_cursor and self._origin is None:
            self._origin = source

    def insert(self, source: Source, successors: list[Source]) -> None:
        """Put *successors* right after *source*."""
        _link([source, *successors], source.next)
        index = self.sources.index(source) + 1
        self.sources[index:index] = successors
        if self.newest is source:
            self.newest = successors[-1]

    def prepend(self, prior: list[Source], link: Source | None) -> None:
        """Put *prior* sources before *link*; None: before the first source to come."""
        _link(prior, link)
        if link is None:
            self._loose.append(prior[-1])
        self.sources[:0] = prior

    def cursor_placed(self) -> None:
        """From now on the cursors say what is needed."""
        self._origin, self._awaiting_cursor = None, False

    def take_unneeded(self) -> list[Source]:
        """Remove and return the sources that no cursor will come to; the newest stays."""
        needed = {id(self.newest)}
        for root in (self._origin, *(cursor.source for cursor in self.cursors)):
            node = root
            while node is not None and id(node) not in needed:
                needed.add(id(node))
                node = node.next
        if len(needed) == len(self.sources):
            return []
        unneeded = [source for source in self.sources if id(source) not in needed]
        self.sources = [source for source in self.sources if id(source) in needed]
        self.released += sum(source.written - source.start for source in unneeded if not source.prior)
        return unneeded

    def unread(self, source: Source) -> int:
        """Most bytes that any cursor has still to read of *source*; all of them while it waits for the first cursor."""
        whole = source.readable - source.start
        most = whole if _reaches(self._origin, source) else 0
        for cursor in self.cursors:
            if cursor.source is source:
                most = max(most, source.readable - cursor.position)
            elif _reaches(cursor.source, source):
                most = max(most, whole)
        return most

    def enforce(self, budget: HoldBudget, now: float) -> None:
        """Abandon what *budget* does not allow to hold, the oldest first."""
        held = [s for s in self.sources if s.content is not None and s.left_at is not None]
        followed = [s for s in held if not s.prior]
        for source in followed[: max(0, len(followed) - budget.files)]:
            self._abandon(source, f"more than {budget.files} rotated files were unread")
        unlinked = [s for s in held if s.unlinked_at is not None and s.content is not None]
        total = sum(self.unread(source) for source in unlinked)
        for source in unlinked:
            unread = self.unread(source)
            if source.idle_unlinked(now) > budget.seconds:
                self._abandon(source, f"deleted, and not read within {budget.seconds:g} s")
            elif total > budget.bytes and unread:
                self._abandon(source, f"deleted, with more than {budget.bytes} bytes unread")
            else:
                continue
            total -= unread

    def _abandon(self, source: Source, fate: str) -> None:
        unread = self.unread(source)
        if unread:
            logger.warning("%d bytes of source %s are lost: %s", unread, source.opening.source, fate)
        source.abandon(fate)


def _link(nodes: list[Source], last: Source | None) -> None:
    for node, following in zip(nodes, [*nodes[1:], last], strict=True):
        node.next = following


def _reaches(source: Source | None, other: Source) -> bool:
    while source is not None:
        if source is other:
            return True
        source = source.next
    return False
