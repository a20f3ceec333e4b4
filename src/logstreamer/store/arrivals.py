"""When bytes came to the receiver: a small file beside the sidecar that grows by at most one record a second.

A record is 16 bytes: milliseconds since the epoch and an offset, both big-endian; from that offset on bytes came at
that time. It is for people only: nothing depends on it, what is torn is dropped, and a disk that cannot take it costs
nothing else. While the wall clock is not set back, times ascend.
"""

from __future__ import annotations

import contextlib
import os
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from logstreamer.errors import StoreError
from logstreamer.store import disk, layout
from logstreamer.store.layout import Place, Root

_RECORD = struct.Struct(">QQ")
STEP_SECONDS = 1.0
"""Least time between two records,"""

FLUSH_SECONDS = 5.0
"""and between two writes: what comes after a pause is written at once."""

MAX_RECORDS = 1 << 16
"""Records of one stream; where there are more, every second one is dropped."""

Arrival = tuple[float, int]
"""Seconds since the epoch, offset."""


class ArrivalLog:
    """Keeps the arrivals of one stream that is open for writing.

    Attributes:
        latest: the last one of this life; None: there is none yet.
    """

    def __init__(self, root: Root, place: Place) -> None:
        self._root = root
        self._place = place
        self._last = self._flushed = float("-inf")
        self._pending: list[Arrival] = []
        self.latest: Arrival | None = None

    @property
    def pending(self) -> tuple[Arrival, ...]:
        """What is not in the file yet; from any thread."""
        return tuple(self._pending)

    def note(self, when: float, offset: int) -> None:
        """Bytes from *offset* on came at *when* (seconds since the epoch). For every append, so it is quick."""
        if -STEP_SECONDS < when - self._last < STEP_SECONDS:
            return
        self._last = when
        self.latest = (when, offset)
        self._pending.append(self.latest)
        if not -FLUSH_SECONDS < when - self._flushed < FLUSH_SECONDS:
            self._flushed = when
            self.flush()

    def flush(self) -> None:
        """Write what is pending; what cannot be written is given up."""
        if self._pending:
            with contextlib.suppress(OSError):
                self._write()
            self._pending = []

    def _write(self) -> None:
        data = b"".join(_RECORD.pack(max(0, int(when * 1000)), offset) for when, offset in self._pending)
        name = self._place.arrivals
        with self._root.directory(self._place.parents) as directory:
            fd = disk.open_file(name, os.O_RDWR | os.O_CREAT | os.O_APPEND, directory)
            try:
                size = _sound_size(fd, self._pending[0][1])
                if size != os.fstat(fd).st_size:
                    disk.truncate(fd, size)
                disk.write_all(fd, data)
                if size + len(data) > MAX_RECORDS * _RECORD.size:
                    disk.replace(name, _thinned(os.pread(fd, size + len(data), 0)), directory, fsync=False)
            finally:
                os.close(fd)


class Arrivals:
    """The arrivals of one stored stream, for reading. A context manager."""

    def __init__(self, fd: int, pending: Sequence[Arrival] = ()) -> None:
        self._fd = fd
        self._records = _Records(fd) if fd >= 0 else []
        count = len(self._records)
        last = self._records[count - 1][1] if count else -1
        self._pending = [arrival for arrival in pending if arrival[1] > last]

    def between(self, start: int, end: int) -> list[Arrival]:
        """Those that say when the bytes [start, end) came, ascending; the first one's offset may be below *start*."""
        end = max(end, start + 1)
        first = max(0, bisect_right(self._records, start, key=_offset) - 1)
        last = bisect_left(self._records, end, key=_offset)
        found = [*self._records[first:last], *(arrival for arrival in self._pending if arrival[1] < end)]
        while len(found) > 1 and found[1][1] <= start:
            del found[0]
        return found

    def offset_at(self, when: float) -> int | None:
        """Where the bytes that came at *when* or later begin; None: none are known to have."""
        index = bisect_left(self._records, when, key=_time)
        if index < len(self._records):
            return self._records[index][1]
        return next((offset for time, offset in self._pending if time >= when), None)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_arrivals(root: Root, path: str, pending: Sequence[Arrival] = ()) -> Arrivals:
    """The arrivals of the stream at *path*, relative to the root; none where nothing is known.

    Args:
        pending: those that are not in the file yet.

    Raises:
        NameRefused: no stream can lie there.
    """
    place = layout.place_of(path)
    try:
        with root.directory(place.parents) as directory:
            return Arrivals(disk.open_file(place.arrivals, os.O_RDONLY, directory), pending)
    except (StoreError, OSError):
        return Arrivals(-1, pending)


class _Records(Sequence[Arrival]):
    """The whole records in an open file, read when they are asked for."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._count = os.fstat(fd).st_size // _RECORD.size

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        if isinstance(index, slice):
            first, last, _ = index.indices(self._count)
            return _decoded(os.pread(self._fd, max(0, last - first) * _RECORD.size, first * _RECORD.size))
        found = _decoded(os.pread(self._fd, _RECORD.size, index * _RECORD.size))
        if not found:
            raise IndexError(index)
        return found[0]


def _decoded(data: bytes) -> list[Arrival]:
    whole = len(data) - len(data) % _RECORD.size
    return [(milliseconds / 1000, offset) for milliseconds, offset in _RECORD.iter_unpack(data[:whole])]


def _thinned(data: bytes) -> bytes:
    """Every second record of *data*."""
    size = _RECORD.size
    return b"".join(data[start : start + size] for start in range(0, len(data), 2 * size))


def _sound_size(fd: int, offset: int) -> int:
    """Bytes of the open file that can stay: whole records below *offset*, as a stored file that was cut grew anew."""
    records = _Records(fd)
    count = len(records)
    if count and records[count - 1][1] >= offset:
        count = bisect_left(records, offset, key=_offset)
    return count * _RECORD.size


def _offset(arrival: Arrival) -> int:
    return arrival[1]


def _time(arrival: Arrival) -> float:
    return arrival[0]
