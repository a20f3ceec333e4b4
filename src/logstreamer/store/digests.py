"""Running xxh3-128 digests of one growing file, from several starts to its end."""

from __future__ import annotations

from collections.abc import Callable

import xxhash

_BLOCK = 1 << 20


class _Digest:
    __slots__ = ("hasher", "position")

    def __init__(self, start: int) -> None:
        self.hasher = xxhash.xxh3_128()
        self.position = start


class Digests:
    """The digests of [start, end) for a few starts: the file's, the run's, the segment's.

    Equal starts share one hasher, so a file with one run and one segment is hashed once. One that has not seen every
    byte (after a restart of the receiver) stays where it is until `catch_up` has read the rest from the file.

    Args:
        read: (offset, limit) -> bytes of the file, never empty below its end.
    """

    def __init__(self, read: Callable[[int, int], bytes]) -> None:
        self._read = read
        self._digests: dict[int, _Digest] = {}
        self._expected: tuple[int, str] | None = None
        self.differs = False
        """Whether what was read again had not the digest that was expected."""

    def expect(self, end: int, digest: str) -> None:
        """The bytes [0, end) had this digest, in hex: `catch_up`, which reads them again, compares."""
        self._expected = (end, digest)

    def so_far(self, end: int) -> str | None:
        """The digest of [0, end) in hex, if it is known without reading."""
        known = self._digests.get(0)
        return known.hasher.hexdigest() if known is not None and known.position == end else None

    def watch(self, *starts: int) -> None:
        """Keep digests from exactly these starts; what a new one lies behind is read when it is needed."""
        self._digests = {start: self._digests.get(start) or _Digest(start) for start in starts}

    def update(self, offset: int, payload: bytes | memoryview) -> None:
        """*payload* was appended at *offset*."""
        for digest in self._digests.values():
            if digest.position == offset:
                digest.hasher.update(payload)
                digest.position = offset + len(payload)

    def catch_up(self, end: int, limit: int | None = None) -> int:
        """Read what was not seen, at most *limit* bytes (None: all); return how many bytes up to *end* are left."""
        position = min((digest.position for digest in self._digests.values()), default=end)
        stop = end if limit is None else min(end, position + limit)
        while position < stop:
            block = self._read(position, min(_BLOCK, self._next_stop(position, stop) - position))
            for digest in self._digests.values():
                seen = digest.position - position
                if 0 <= seen < len(block):
                    digest.hasher.update(memoryview(block)[seen:])
                    digest.position = position + len(block)
            position += len(block)
            self._compare()
        return max(0, end - position)

    def _next_stop(self, position: int, stop: int) -> int:
        return self._expected[0] if self._expected is not None and position < self._expected[0] < stop else stop

    def _compare(self) -> None:
        if self._expected is not None:
            found = self.so_far(self._expected[0])
            if found is not None:
                self.differs, self._expected = self.differs or found != self._expected[1], None

    def digest(self, start: int, end: int) -> bytes:
        """The 16 bytes of the digest of [start, end), where *end* is the end of the file."""
        known = self._digests.get(start)
        if known is not None and known.position == end:
            return known.hasher.digest()
        lone = known or _Digest(start)
        while lone.position < end:
            block = self._read(lone.position, min(_BLOCK, end - lone.position))
            lone.hasher.update(block)
            lone.position += len(block)
        return lone.hasher.digest()
