"""Values that the follower gives and takes: where a segment begins, and where to resume."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

HEAD_SIZE = 1024
"""Bytes of a file's beginning that identify its content."""

ANCHOR_SIZE = 64
"""Bytes before a position that show that what was read is still there."""

Reason = Literal["start", "rotated", "truncated", "gap"]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """SHA-256 of *length* bytes (0 <= length); a short one is compared as a prefix."""

    length: int
    digest: bytes

    @classmethod
    def of(cls, data: bytes | memoryview) -> Fingerprint:
        """The fingerprint of *data*, all of it."""
        return cls(len(data), hashlib.sha256(data).digest())


@dataclass(frozen=True, slots=True)
class SegmentStart:
    """What follows comes from another source, or from another place of it.

    Args:
        source: names the file for us alone, e.g. its device and inode; opaque to everybody else.
        source_offset: position in the source of the first byte that follows.
        reason: why the segment begins.
        lost: bytes known to be lost right before it; None: unknown how many; 0: none that we know of.
        detail: for people, at most one line.
    """

    source: str
    source_offset: int
    reason: Reason
    lost: int | None = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """The place at which a receiver's copy ends, in terms of the file it came from.

    Args:
        source: as in the `SegmentStart` of the copy's last segment.
        start: its `source_offset`.
        position: position in the source of the next byte wanted (>= start).
        head: of the first <= HEAD_SIZE bytes that the receiver holds of this segment.
        anchor: of the last <= ANCHOR_SIZE bytes that it holds of this segment.
    """

    source: str
    start: int
    position: int
    head: Fingerprint
    anchor: Fingerprint
