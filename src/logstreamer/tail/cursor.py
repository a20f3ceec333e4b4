"""One target's place in the chain of sources."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Protocol

from logstreamer.tail.identity import Before
from logstreamer.tail.source import Source
from logstreamer.tail.types import ANCHOR_SIZE, ResumePoint, SegmentStart

logger = logging.getLogger(__name__)

HOLE_LIMIT = 1 << 20
"""Bytes: a shorter hole is read as the zeros it stands for, one of this size or longer is passed over as a gap."""


class Chain(Protocol):
    """What a cursor needs of its follower."""

    def doubt(self, source: Source, now: float) -> None:
        """What *source* holds is not what was read there: find out, and add what follows it. Raises OSError."""

    def passed(self) -> None:
        """A cursor left a source."""

    def failed(self, error: OSError) -> None:
        """A read failed; it will be tried again."""

    def forget(self, cursor: Cursor) -> None:
        """The cursor is closed."""


class Cursor:
    """Reads the stream for one target, in order, each byte once; made by `Follower.cursor`.

    It reads what the follower's last `poll` has seen, and checks with each read that the bytes before it are still
    those it read there, so a truncation between two polls is noticed.
    """

    def __init__(self, chain: Chain, resume: ResumePoint | None) -> None:
        self._chain = chain
        self.resume = resume
        self.source: Source | None = None
        self.position = 0
        self._before: Before | None = None
        self._due: SegmentStart | None = None
        self._urgent = False
        self._begun = False
        self._anchor = b""
        self._extent = (0, 0)  # no hole to pass between these two
        self._closed = False

    def enter(self, source: Source, position: int, opening: SegmentStart | None, before: Before | None = None) -> None:
        """Go to *position* of *source*, which came after *before*.

        *opening* is announced first; None where a segment goes on.
        """
        self.source, self.position, self._before = source, position, before
        self._announce(opening)
        if opening is None:
            self._begun = True
            self._take_up(source)

    @property
    def behind(self) -> int:
        """Bytes known to exist that this cursor has not read, in all sources held for it; holes included."""
        source, position, total = self.source, self.position, 0
        while source is not None:
            total += max(0, source.readable - position)
            source = source.next
            position = source.start if source else 0
        return total

    @property
    def is_at_end(self) -> bool:
        """Whether `read` would find nothing until the next look at the file."""
        source = self.source
        return source is not None and not self._urgent and source.end is None and self.position >= source.readable

    def read(self, limit: int, now: float) -> SegmentStart | bytes | None:
        """What comes next: where a segment begins, 1 to *limit* bytes of it, or None when there is nothing now.

        A segment is announced right before its first byte, a gap as soon as it is known. Never raises OSError: what
        fails is in `Follower.trouble`, and tried again by the next read.
        """
        if limit < 1:
            raise ValueError(f"limit must be at least 1, got {limit}")
        if self._closed:
            return None
        try:
            return self._next(limit, now)
        except OSError as error:
            self._chain.failed(error)
            return None

    def close(self) -> None:
        """Let go of the sources held for it. Idempotent."""
        if not self._closed:
            self._closed = True
            self.source = None
            self._chain.forget(self)

    def _next(self, limit: int, now: float) -> SegmentStart | bytes | None:
        while (source := self.source) is not None:
            if self._urgent:
                return self._take_due()
            if self.position >= source.readable:
                if not self._leave(source):
                    return None
                continue
            want = min(limit, source.readable - self.position)
            if source.look.sparse:
                want = self._before_hole(source, want)
                if self._urgent:
                    continue
                if want == 0:
                    return None
            if self._due is not None:
                return self._take_due()
            return self._read(source, want, now)
        return None

    def _read(self, source: Source, want: int, now: float) -> bytes | None:
        content, anchor = source.content, self._anchor
        assert content is not None
        data = content.read(self.position - len(anchor), want + len(anchor))
        # One pread for both: what precedes the data proves that the file is still the one we know.
        intact = len(data) > len(anchor) and data.startswith(anchor or self._head_of(source, data))
        # Logs may begin alike. Only at the path: what is compressed must not be read back and forth.
        if intact and source.end is None and source.left_at is None:
            intact = source.trail.ends(content.read)
        if not intact:
            self._chain.doubt(source, now)
            return None
        data = data[len(anchor) :] if anchor else data
        self._advance(source, data)
        return data

    def _head_of(self, source: Source, data: bytes) -> bytes:
        return source.trail.head[: len(data)] if self.position == 0 else b""

    def _advance(self, source: Source, data: bytes) -> None:
        self.position += len(data)
        whole = data if len(data) >= ANCHOR_SIZE else self._anchor + data
        self._anchor = whole[-ANCHOR_SIZE:]
        source.trail.add(self.position, self._anchor)

    def _take_up(self, source: Source) -> None:
        """Go on in the middle: the bytes before the position are checked from now on as if read here."""
        size = min(ANCHOR_SIZE, self.position)
        if size and source.content is not None:
            self._anchor = source.content.read(self.position - size, size)
            source.trail.add(self.position, self._anchor)

    def _before_hole(self, source: Source, want: int) -> int:
        """How many of *want* bytes lie before the next long hole; 0 inside one: then it waits, or a gap is due."""
        if not self._extent[0] <= self.position < self._extent[1]:
            self._extent = self._measure(source)
        return max(0, min(want, self._extent[1] - self.position))

    def _measure(self, source: Source) -> tuple[int, int]:
        content, position = source.content, self.position
        assert content is not None
        data = content.data_after(position)
        if data is None:
            if source.readable - position < HOLE_LIMIT:
                return position, source.readable
            if source.end is None:
                return position, position  # nothing written there yet: wait for it
            data = source.end
        if data - position >= HOLE_LIMIT:
            self._pass_hole(source, data)
            return position, position
        end = content.hole_after(data)
        return position, max(end, data)

    def _pass_hole(self, source: Source, data: int) -> None:
        detail = f"hole of {data - self.position} bytes"
        before = self._due
        if before is None:
            before = SegmentStart(source.opening.source, self.position, "gap", 0)
        self.position = data
        self._announce(replace(before, source_offset=data, reason="gap", detail=detail), urgent=True)

    def _leave(self, source: Source) -> bool:
        """Go on to the next source, or behind what is lost of this one; False when it may still grow."""
        if source.end is None:
            return False
        lost = max(0, source.written - self.position)
        following = source.next
        if following is not None:
            opening = _with_loss(following.opening, lost, source.fate)
            self.enter(following, following.start, opening, source.as_before(self._before))
            self._chain.passed()
            return True
        if lost:
            self.position = source.written
            self._announce(SegmentStart(source.opening.source, self.position, "gap", lost, source.fate))
        return lost > 0

    def _announce(self, opening: SegmentStart | None, urgent: bool = False) -> None:
        if opening is not None and not self._begun and opening.reason == "rotated":
            opening = replace(opening, reason="start", detail="")
        self._due = opening
        self._urgent = opening is not None and (urgent or opening.lost != 0 or opening.reason == "gap")
        self._anchor = b""
        self._extent = (0, 0)

    def _take_due(self) -> SegmentStart | None:
        due, self._due, self._urgent, self._begun = self._due, None, False, True
        if due is None or self.source is None:
            return None
        logger.info("segment %s from byte %d: %s %s", due.source, due.source_offset, due.reason, due.detail)
        return replace(due, source=str(self.source.make_token(self._before)))


def _with_loss(opening: SegmentStart, lost: int, fate: str) -> SegmentStart:
    if lost == 0:
        return opening
    total = None if opening.lost is None else opening.lost + lost
    reason = opening.reason if opening.reason == "truncated" else "gap"
    return replace(opening, lost=total, reason=reason, detail=fate or opening.detail)
