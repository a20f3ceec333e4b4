"""What tells one file from another: its inode while it is held open, its text otherwise."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from typing import NamedTuple

from logstreamer.tail.types import ANCHOR_SIZE, HEAD_SIZE, Fingerprint, ResumePoint

ReadAt = Callable[[int, int], bytes]
"""(offset, size) -> at most size bytes from offset; b"" at the end. Raises OSError."""

_MOST_MARKS = 32
_DIGEST = 24
_TOKEN = re.compile(rf"([0-9a-f]+-[0-9a-f]+):(\d{{1,4}})\.(\d{{1,19}})\.(\d{{1,2}})\.([0-9a-f]{{{_DIGEST}}})")


class FileId(NamedTuple):
    """Device and inode: unique among files that exist or are held open, reused as soon as one is neither."""

    device: int
    inode: int

    def __str__(self) -> str:
        return f"{self.device:x}-{self.inode:x}"


class Trail:
    """What we remember of a text: its first bytes, and a few bytes before some places that we saw or reached.

    A mark is (position, the <= ANCHOR_SIZE bytes before it). Marks ascend; the newest few are kept, older ones thinned
    out, so memory is bounded (about 4 KiB) and a copy that ends anywhere can still be recognised by a mark inside it.
    """

    __slots__ = ("head", "marks")

    def __init__(self, head: bytes = b"") -> None:
        self.head = head
        self.marks: list[tuple[int, bytes]] = []

    @property
    def position(self) -> int:
        """How far the text is remembered, in bytes; 0 when nothing is."""
        return self.marks[-1][0] if self.marks else 0

    def add(self, position: int, anchor: bytes) -> None:
        """Remember that *anchor* stands right before *position*; an older position is ignored."""
        if self.marks and position <= self.marks[-1][0]:
            return
        self.marks.append((position, anchor))
        if len(self.marks) > _MOST_MARKS:
            del self.marks[0:-8:2]

    def extend_head(self, read: ReadAt) -> None:
        """Read the first HEAD_SIZE bytes as far as they exist by now."""
        if len(self.head) < HEAD_SIZE:
            self.head = read(0, HEAD_SIZE)

    def intact(self, read: ReadAt) -> bool:
        """Whether the text still begins as it did, and what stood before the newest mark still does."""
        return (not self.head or read(0, len(self.head)) == self.head) and self.ends(read)

    def ends(self, read: ReadAt) -> bool:
        """Whether what stood before the newest mark still does."""
        return not self.marks or _stands(read, *self.marks[-1])

    def agrees(self, read: ReadAt, size: int) -> bool:
        """Whether a text of *size* bytes is, as far as both go, the one we remember; False when nothing can tell."""
        head = self.head[:size]
        if not head or read(0, len(head)) != head:
            return False
        inside = [mark for mark in self.marks if mark[0] <= size]
        # Logs may begin alike: a head proves a text that is no longer than it.
        return _stands(read, *inside[-1]) if inside else size <= len(head)


class Token(NamedTuple):
    """What a segment mark says of its file, so that it is found again though not one byte arrived behind the mark.

    Its text, `NAME:HEAD.POSITION.ANCHOR.DIGEST`, is `SegmentStart.source`: SHA-256, cut short, of the first HEAD bytes
    and of ANCHOR bytes before POSITION, as far as they had been seen. Where nothing had been, DIGEST is random, and
    only the process that made it can know the file again.

    Args:
        name: device and inode; "" for a text that is no token.
    """

    name: str
    head: int
    position: int
    anchor: int
    digest: str

    @classmethod
    def of(cls, name: str, trail: Trail) -> Token:
        """For the file *name* of which *trail* is remembered."""
        if not trail.head:
            return cls(name, 0, 0, 0, os.urandom(_DIGEST // 2).hex())
        position, anchor = trail.marks[-1] if trail.marks else (len(trail.head), b"")
        return cls(name, len(trail.head), position, len(anchor), _digest_of(trail.head, anchor))

    @classmethod
    def read(cls, text: str) -> Token:
        """Take the text of a mark apart; one that is none, as of an older sender, is a name that shows nothing."""
        match = _TOKEN.fullmatch(text)
        if match is None:
            return cls(text, 0, 0, 0, "")
        token = cls(match[1], int(match[2]), int(match[3]), int(match[4]), match[5])
        sound = token.head <= HEAD_SIZE and token.anchor <= min(token.position, ANCHOR_SIZE)
        return token if sound else cls(token.name, 0, 0, 0, "")

    def __str__(self) -> str:
        return f"{self.name}:{self.head}.{self.position}.{self.anchor}.{self.digest}"

    @property
    def shows_text(self) -> bool:
        """Whether the file can be known again by its content."""
        return self.head > 0

    def fits(self, read: ReadAt, size: int) -> bool:
        """Whether a text of *size* bytes is the one of the mark, grown or not; it has to show text."""
        if size < max(self.head, self.position):
            return False
        return _digest_of(read(0, self.head), read(self.position - self.anchor, self.anchor)) == self.digest


def _digest_of(head: bytes, anchor: bytes) -> str:
    return hashlib.sha256(head + anchor).hexdigest()[:_DIGEST]


def _stands(read: ReadAt, position: int, anchor: bytes) -> bool:
    return read(position - len(anchor), len(anchor)) == anchor


def continues(resume: ResumePoint, read: ReadAt, size: int) -> bool:
    """Whether a text of *size* bytes holds, up to resume.position, what the receiver holds; vacuous for no bytes."""
    if size < resume.position:
        return False
    for offset, proof in (
        (resume.start, resume.head),
        (resume.position - resume.anchor.length, resume.anchor),
    ):
        if offset < 0 or Fingerprint.of(read(offset, proof.length)) != proof:
            return False
    return True


def same_text(one: ReadAt, one_size: int, other: ReadAt, other_size: int) -> bool:
    """Whether two files agree at both ends of the part both have; False when one of them is empty."""
    size = min(one_size, other_size)
    if size == 0:
        return False
    head, tail = min(size, HEAD_SIZE), min(size, ANCHOR_SIZE)
    return one(0, head) == other(0, head) and one(size - tail, tail) == other(size - tail, tail)
