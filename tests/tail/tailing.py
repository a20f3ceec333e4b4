"""A follower with one cursor and a clock moved by hand, and a log whose writer rotates it in every known way."""

from __future__ import annotations

import gzip
import itertools
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from logstreamer.tail import Cursor, Fingerprint, Follower, ResumePoint, SegmentStart
from logstreamer.tail.types import ANCHOR_SIZE, HEAD_SIZE

GRACE = 1.0


class Reading:
    """What one target gets. `items` are the segments and bytes in the order in which they came."""

    def __init__(
        self,
        path: Path,
        *,
        resume: ResumePoint | None = None,
        limit: int = 1 << 16,
        follower: Follower | None = None,
        **options: Any,
    ) -> None:
        self.now = 0.0
        self.limit = limit
        self.follower = follower or Follower(path, now=self.now, rotate_grace=GRACE, **options)
        self.cursor: Cursor = self.follower.cursor(resume, self.now)
        self.items: list[SegmentStart | bytes] = []

    def poll(self, seconds: float = 0.5) -> None:
        """Let time pass and look, without reading."""
        self.now += seconds
        self.follower.poll(self.now)

    def read(self, most: int = 1 << 30) -> bytes:
        """Read what there is, at most *most* times; return the new bytes."""
        got = []
        for _ in range(most):
            item = self.cursor.read(self.limit, self.now)
            if item is None:
                break
            self.items.append(item)
            if isinstance(item, bytes):
                assert 1 <= len(item) <= self.limit
                got.append(item)
        return b"".join(got)

    def step(self, seconds: float = 0.5) -> bytes:
        """Let time pass, look, read all; return the new bytes."""
        self.poll(seconds)
        return self.read()

    def settle(self) -> bytes:
        """As long as it takes for every rotated file to be finished."""
        return b"".join(self.step() for _ in range(8))

    @property
    def data(self) -> bytes:
        return b"".join(item for item in self.items if isinstance(item, bytes))

    @property
    def segments(self) -> list[SegmentStart]:
        return [item for item in self.items if isinstance(item, SegmentStart)]

    @property
    def reasons(self) -> list[str]:
        return [segment.reason for segment in self.segments]

    @property
    def lost(self) -> list[int | None]:
        return [segment.lost for segment in self.segments if segment.lost != 0]

    def resume_point(self) -> ResumePoint:
        """As a receiver that holds all of `items` would give it."""
        start = max(index for index, item in enumerate(self.items) if isinstance(item, SegmentStart))
        segment = self.items[start]
        assert isinstance(segment, SegmentStart)
        held = b"".join(item for item in self.items[start + 1 :] if isinstance(item, bytes))
        return resume_point(segment, held)

    def close(self) -> None:
        self.follower.close()


def resume_point(segment: SegmentStart, held: bytes) -> ResumePoint:
    position = segment.source_offset + len(held)
    head, anchor = Fingerprint.of(held[:HEAD_SIZE]), Fingerprint.of(held[-ANCHOR_SIZE:] if held else b"")
    return ResumePoint(segment.source, segment.source_offset, position, head, anchor)


class Log:
    """A log at *path* and its writer. Each action takes 10 ms of the file system's clock, so mtimes are distinct.

    *line* makes the text of the n-th line; by default each is unique.
    """

    def __init__(self, path: Path, line: Callable[[int], bytes] = lambda n: b"line %07d\n" % n) -> None:
        self.path = path
        self.line = line
        self.numbers = itertools.count()
        self._clock = 1_700_000_000_000_000_000

    def lines(self, count: int) -> bytes:
        return b"".join(self.line(next(self.numbers)) for _ in range(count))

    def append(self, count: int = 1, *, to: Path | None = None) -> bytes:
        text = self.lines(count)
        self.write(text, to=to)
        return text

    def write(self, text: bytes, *, to: Path | None = None, mode: str = "ab") -> None:
        target = to or self.path
        with open(target, mode) as file:
            file.write(text)
        self.tick(target)

    def tick(self, path: Path) -> None:
        self._clock += 10_000_000
        os.utime(path, ns=(self._clock, self._clock))
        os.utime(path.parent, ns=(self._clock, self._clock))

    def numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def shift(self) -> None:
        """Make room for a new .1"""
        for path in self.rotated():
            number, suffix = re.fullmatch(r"(\d+)(.*)", path.name[len(self.path.name) + 1 :]).groups()
            path.rename(self.numbered(int(number) + 1).as_posix() + suffix)

    def packed(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}.gz")

    def rotated(self) -> list[Path]:
        """The rotated files, the oldest first."""
        numbered = re.compile(re.escape(self.path.name) + r"\.(\d+)(\.gz)?")
        found = [match for name in os.listdir(self.path.parent) if (match := numbered.fullmatch(name))]
        return [self.path.with_name(match[0]) for match in sorted(found, key=lambda match: -int(match[1]))]

    def texts(self) -> list[bytes]:
        """What stands in the rotated files and in the log, the oldest first."""
        files = [*self.rotated(), *([self.path] if self.path.exists() else [])]
        return [gzip.decompress(raw) if (raw := f.read_bytes())[:2] == b"\x1f\x8b" else raw for f in files]

    def rotate(self, *, create: bool = True) -> Path:
        """By rename; the rotated file is .1"""
        self.shift()
        self.path.rename(self.numbered(1))
        self.tick(self.path.parent)
        if create:
            self.create()
        return self.numbered(1)

    def create(self) -> None:
        self.write(b"", mode="xb")

    def copytruncate(self) -> Path:
        self.shift()
        shutil.copyfile(self.path, self.numbered(1))
        self.tick(self.numbered(1))
        self.truncate()
        return self.numbered(1)

    def truncate(self) -> None:
        os.truncate(self.path, 0)
        self.tick(self.path)

    def compress(self, number: int) -> None:
        """As gzip does: mtime is kept."""
        plain, packed = self.numbered(number), self.packed(number)
        st = plain.stat()
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        os.utime(packed, ns=(st.st_mtime_ns, st.st_mtime_ns))
        plain.unlink()
