"""One generation of a file: from the moment the path named it, or it was truncated, until it is finished."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from enum import Enum

from logstreamer.tail.content import Content, Look
from logstreamer.tail.identity import Before, Proof, Token, Trail
from logstreamer.tail.siblings import Sibling
from logstreamer.tail.types import ANCHOR_SIZE, HEAD_SIZE, Reason, SegmentStart

SETTLE_TIME = 0.1
"""Seconds after which a write would show in mtime; well above the tick of any file system's clock."""

_MOST_LOOKS = 3

_HOLE = bytes(4)  # no text ends so in any encoding


class Change(Enum):
    """What a look at a source found."""

    NONE = "none"
    GREW = "grew"
    TRUNCATED = "truncated"


class Source:
    """A node of the chain that cursors walk, oldest to newest.

    Invariant: start <= size. Bytes from start to *end* can be read, to *size* while end is None (it may still grow);
    bytes up to *written* are known to have existed, so a cursor that leaves at p has lost written - p.

    Args:
        content: None when nothing of it can be read (any more).
        opening: what a cursor is told that enters it.
        prior: it is older than our following, found again for a receiver that resumes in it.
    """

    __slots__ = (
        "_blank",
        "_changed_at",
        "_settled",
        "born_ns",
        "content",
        "end",
        "fate",
        "id",
        "left_at",
        "look",
        "next",
        "opening",
        "prior",
        "quiet_since",
        "trail",
        "unlinked_at",
        "written",
    )

    def __init__(self, content: Content | None, opening: SegmentStart, now: float, *, prior: bool = False) -> None:
        self.content = content
        self.opening = opening
        self.prior = prior
        self.look = Look(0, 0, 1, False)
        self.trail = Trail()
        if content:
            self._look_and_remember(content)
        self.id = content.id if content else None
        self.born_ns = self.look.mtime_ns
        self.written = self.look.size
        self.end: int | None = None
        self.fate = ""
        self.next: Source | None = None
        self.left_at: float | None = None
        self.unlinked_at: float | None = None
        self.quiet_since = now
        self._blank: Proof | None = None
        self._changed_at = now
        self._settled = False

    @property
    def start(self) -> int:
        """Where its first byte stands, in bytes."""
        return self.opening.source_offset

    @property
    def readable(self) -> int:
        """Where a read must stop, in bytes."""
        return self.look.size if self.end is None else self.end

    def examine(self, look: Look, now: float) -> Change:
        """Compare *look*, just taken, with the last one; raises OSError when the text cannot be checked.

        The text is checked whenever mtime or size changed, and until SETTLE_TIME after that: a rewrite of the same
        length within one tick of the file system's clock leaves both as they are.
        """
        changed = look.size != self.look.size or look.mtime_ns != self.look.mtime_ns
        if not changed and self._settled:
            return Change.NONE
        assert self.content is not None
        if look.size < self.look.size:
            return Change.TRUNCATED
        if changed and not self.trail.head:
            # Nothing is remembered yet that would show whether what is read now is still the text of *look*.
            self._look_and_remember(self.content)
            self.written = max(self.written, self.look.size)
            return self._grew(now)
        # Read first, checked then: what is remembered is of a text that still held on after it was read.
        ends = self._read_ends(self.content, look.size) if changed else None
        if not self.trail.intact(self.content.read):
            return Change.TRUNCATED
        if ends is None:
            self._settled = now - self._changed_at >= SETTLE_TIME
            return Change.NONE
        self.look, self.written = look, max(self.written, look.size)
        self._remember(*ends)
        return self._grew(now)

    def _grew(self, now: float) -> Change:
        self._changed_at = self.quiet_since = now
        self._settled = False
        return Change.GREW

    def holds_on(self) -> bool:
        """Whether the text is still the one of the last look, grown or not; an empty one must be empty."""
        assert self.content is not None
        size = self.content.look().size
        return (size >= self.look.size > 0 or size == self.look.size) and self.trail.intact(self.content.read)

    def suspect(self) -> None:
        """Let the next look check the text, though size and mtime may be as they were."""
        self._settled = False

    @property
    def is_settled(self) -> bool:
        """Whether size and mtime show every further write: the path names it, it may grow, and has no holes."""
        return self._settled and self.left_at is None and self.end is None and not self.look.sparse

    def is_still(self, st: os.stat_result) -> bool:
        """Whether *st*, just taken of the path, is of this file as it was at the last look."""
        look = self.look
        return (
            self.content is not None
            and (st.st_dev, st.st_ino) == self.content.id
            and st.st_size == look.size
            and st.st_mtime_ns == look.mtime_ns
        )

    def _look_and_remember(self, content: Content) -> None:
        """Size, time and text of one moment: a log may be truncated, and written anew to the same size, in between.

        A text that will not hold still is left to the next look, as if nothing had been written yet.
        """
        for _ in range(_MOST_LOOKS):
            size, self.trail = content.look().size, Trail()
            ends = self._read_ends(content, size)
            self.look = content.look()._replace(size=size)
            self._remember(*ends)
            # If it holds on, the look was taken of it, whatever stood there before.
            if self.holds_on() and len(ends[1]) == min(size, ANCHOR_SIZE):
                return
        self.forget(self.look._replace(size=0))

    def _read_ends(self, content: Content, size: int) -> tuple[bytes, bytes]:
        """How the text begins, and how it ends at *size*: logs may begin alike for longer than any head."""
        head = self.trail.head
        if len(head) < HEAD_SIZE:
            head = content.read(0, HEAD_SIZE)
        length = min(size, ANCHOR_SIZE)
        return head, content.read(size - length, length)

    def _remember(self, head: bytes, last: bytes) -> None:
        self.trail.head = head
        # Zeros at the end are what a hole reads as: they may yet be written.
        if 0 < len(last) == min(self.look.size, ANCHOR_SIZE) and not last.endswith(_HOLE):
            self.trail.add(self.look.size, last)

    def leave(self, now: float) -> None:
        """The path no longer names it; it may still be written to through open descriptors."""
        if self.left_at is None:
            self.left_at = now
            self.quiet_since = max(self.quiet_since, now)

    def come_back(self) -> None:
        """The path names it again."""
        self.left_at = self.unlinked_at = None

    def idle_unlinked(self, now: float) -> float:
        """Seconds since it was seen deleted, or written to after that; 0 while it has a name."""
        return 0.0 if self.unlinked_at is None else now - max(self.unlinked_at, self.quiet_since)

    def seal(self) -> None:
        """It is finished: cursors go on behind its last byte."""
        if self.end is None:
            self.end = self.look.size

    def abandon(self, fate: str) -> None:
        """Close it; whatever a cursor has not read by now is lost, for the reason *fate*."""
        self.close()
        self.end = self.start
        self.fate = fate

    def adopt(self, copy: Content) -> None:
        """Read on in *copy*, which holds the same text and is finished."""
        self.fate = "written after it was copied, truncated before it was read"
        self.content, self.look = copy, copy.look()
        self.end = self.look.size
        self.written = max(self.written, self.end)

    def make_token(self, before: Before | None) -> Token:
        """What a segment mark says of it now, when *before* is the file before it."""
        since = self._last_time(before, time.time_ns())
        return Token(self.opening.source, self._proof(), max(0, since), before.proof if before else None)

    def _proof(self) -> Proof:
        if self.trail.head:
            return Proof.of(self.trail)
        self._blank = self._blank or Proof.of(self.trail)
        return self._blank

    def made(self, token: Token) -> bool:
        """Whether *token* was made of this very node, while nothing of it had been seen."""
        return token.proof == self._blank

    def as_before(self, before: Before | None) -> Before:
        """What its successor's mark says of it; of what came *before* it where its text is in no file any more."""
        proof = before.proof if before is not None else None
        if self.content is not None and self.trail.head:
            proof = Proof.of(self.trail)
        return Before(self._last_time(before, 0), proof)

    def _last_time(self, before: Before | None, default: int) -> int:
        """The later of its mtime and that of *before*; one that is yet to come would hide what is written now."""
        now = time.time_ns()
        times = (self.look.mtime_ns, before.mtime_ns if before is not None else 0)
        return max((one for one in times if 0 < one <= now), default=default)

    def go_on(self, start: int, trail: Trail) -> None:
        """An earlier node of this file was read up to *start*; *trail* is what was remembered of it."""
        self.opening = replace(self.opening, source_offset=start)
        self.trail = trail

    def forget(self, look: Look) -> None:
        """It is as at *look*, when it was empty: what was seen since was not read, and belongs to a later text."""
        self.look, self.trail, self.written = look, Trail(), 0

    def hand_over(self) -> None:
        """Give up the descriptor without closing it: the same file goes on as another generation."""
        self.content = None
        self.end = self.start
        self.fate = "truncated before it was read"

    def close(self) -> None:
        """Give the descriptor back. Idempotent."""
        if self.content is not None:
            self.content.close()
            self.content = None


def opening_of(content: Content, offset: int, reason: Reason, detail: str = "") -> SegmentStart:
    """The segment that begins with *content* at *offset*."""
    return SegmentStart(str(content.id), offset, reason, 0, detail)


def lost_source(sibling: Sibling, why: str, now: float, *, prior: bool = False) -> Source:
    """A node for a rotated file that cannot be read: its size is what is lost, unknown for a compressed one."""
    unknown = SegmentStart(str(sibling.id), 0, "gap", None, why)
    opening = unknown if sibling.packed else SegmentStart(str(sibling.id), 0, "rotated")
    source = Source(None, opening, now, prior=prior)
    source.written = 0 if sibling.packed else sibling.size
    source.end = 0
    source.fate = why
    return source
