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
_PROOF = rf"(\d{{1,4}})\.(\d{{1,19}})\.(\d{{1,2}})\.([0-9a-f]{{{_DIGEST}}})"
_TOKEN = re.compile(rf"([0-9a-f]+-[0-9a-f]+):{_PROOF}(?:@(\d{{1,20}})(?:<{_PROOF})?)?")


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


class Proof(NamedTuple):
    """Shows a text again: SHA-256, cut short, of its first *head* bytes and of *anchor* bytes before *position*.

    Where none had been seen, head is 0 and the digest random: only the process that made it can know the file again.
    """

    head: int
    position: int
    anchor: int
    digest: str

    @classmethod
    def of(cls, trail: Trail) -> Proof:
        """Of the text of which *trail* is remembered."""
        if not trail.head:
            return cls(0, 0, 0, os.urandom(_DIGEST // 2).hex())
        position, anchor = trail.marks[-1] if trail.marks else (len(trail.head), b"")
        return cls(len(trail.head), position, len(anchor), _digest_of(trail.head, anchor))

    @classmethod
    def read(cls, head: str, position: str, anchor: str, digest: str) -> Proof:
        """Put together what was read; one that makes no sense shows nothing."""
        proof = cls(int(head), int(position), int(anchor), digest)
        sound = proof.head <= HEAD_SIZE and proof.anchor <= min(proof.position, ANCHOR_SIZE)
        return proof if sound else cls(0, 0, 0, "")

    def __str__(self) -> str:
        return f"{self.head}.{self.position}.{self.anchor}.{self.digest}"

    def fits(self, read: ReadAt, size: int) -> bool:
        """Whether a text of *size* bytes is this one, grown or not; False for a proof that shows none."""
        if self.head == 0 or size < max(self.head, self.position):
            return False
        return _digest_of(read(0, self.head), read(self.position - self.anchor, self.anchor)) == self.digest


class Before(NamedTuple):
    """The file that the path named before another one.

    Args:
        mtime_ns: as it was seen last.
        proof: of its text; None when that is not known.
    """

    mtime_ns: int
    proof: Proof | None


class Token(NamedTuple):
    """What a segment mark says of its file, so that a sender that was restarted finds its place again.

    Its text, `NAME:PROOF@SINCE<PROOF`, is `SegmentStart.source`; `PROOF` is `HEAD.POSITION.ANCHOR.DIGEST`. By the first
    one the file is found though not one byte arrived behind the mark. By SINCE what came after it is found where the
    file itself is not.

    Args:
        name: device and inode; the whole text where that is no token.
        proof: of the file's text, as far as it had been seen.
        since: mtime in ns: of the file, or of the one before it where that is later. What was written later follows
            the mark. None in marks of older senders.
        before: the text before, which does not follow even if it was written later; None: not known.
    """

    name: str
    proof: Proof
    since: int | None = None
    before: Proof | None = None

    @classmethod
    def read(cls, text: str) -> Token:
        """Take the text of a mark apart; one that is none, as of an older sender, is a name that shows nothing."""
        match = _TOKEN.fullmatch(text)
        if match is None:
            return cls(text, Proof(0, 0, 0, ""))
        name, *proof = match.groups()[:5]
        since, *before = match.groups()[5:]
        return cls(
            name,
            Proof.read(*proof),
            int(since) if since else None,
            Proof.read(*before) if before[0] else None,
        )

    def __str__(self) -> str:
        since = "" if self.since is None else f"@{self.since}"
        return f"{self.name}:{self.proof}{since}" + (f"<{self.before}" if self.before else "")

    @property
    def shows_text(self) -> bool:
        """Whether the file can be known again by its content."""
        return self.proof.head > 0


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


def surely_same(one: ReadAt, one_size: int, other: ReadAt, other_size: int) -> bool:
    """As `same_text`, but False for one line again and again: logs of their own may agree in that."""
    return same_text(one, one_size, other, other_size) and not _is_one_line(one, min(one_size, other_size))


def _is_one_line(read: ReadAt, size: int) -> bool:
    """Whether a text, as far as its two ends tell, is the same line again and again."""
    head, last = read(0, min(size, HEAD_SIZE)), read(max(0, size - ANCHOR_SIZE), min(size, ANCHOR_SIZE))
    line = head[: head.find(b"\n") + 1]
    if not line or len(line) == len(head):
        return False
    times = (len(head) + len(last)) // len(line) + 2
    return (line * times).startswith(head) and last in line * times
