"""What tells one file from another: its inode while it is held open, its text otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from logstreamer.tail.types import ANCHOR_SIZE, HEAD_SIZE, Fingerprint, ResumePoint

ReadAt = Callable[[int, int], bytes]
"""(offset, size) -> at most size bytes from offset; b"" at the end. Raises OSError."""

_MOST_MARKS = 32


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
