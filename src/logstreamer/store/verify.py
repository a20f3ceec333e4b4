"""Do the stored bytes still have the digests that were taken when they were written?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, Protocol

import msgspec
import xxhash

from logstreamer.errors import StoreError
from logstreamer.store.follow import Reader
from logstreamer.store.record import Gap, StreamRecord
from logstreamer.store.sidecar import Trouble

_BLOCK = 1 << 20


class Damage(msgspec.Struct, frozen=True):
    """Bytes [offset, end) of a stored file that are not what was written.

    Args:
        segment: its index; None: the whole file.
        expected, got: xxh3-128 in hex; or what else is wrong, in words.
    """

    segment: int | None
    offset: int
    end: int
    expected: str
    got: str


class Report(msgspec.Struct, frozen=True):
    """What verifying found in one stream.

    Args:
        status: "ok": finished, and every digest holds; "unfinished": every digest that there is holds, the bytes from
            *verified* on have none yet; "damaged": see *damage*, or a trouble says that it differs.
        size: of the stored file, in bytes.
        verified: bytes from the beginning that have a digest: closed segments, and what had been stored when the
            sidecar was written last.
        gaps: lost before they came here: no damage of this disk.
        troubles: what the store itself noticed earlier.
    """

    path: str
    status: Literal["ok", "unfinished", "damaged"]
    size: int
    verified: int
    damage: tuple[Damage, ...]
    gaps: tuple[Gap, ...]
    troubles: tuple[Trouble, ...]


class Readable(Protocol):
    """A `View` or a `Store`."""

    def streams(self) -> list[StreamRecord]:
        """A snapshot of every stream."""

    def reader(self, path: str) -> Reader:
        """Read the stored file at *path*."""


def verify(
    store: Readable,
    records: Iterable[StreamRecord] | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Report]:
    """Read streams and compare all digests, one report for each stream. May run beside the receiver.

    Args:
        records: the streams to verify, e.g. from `match`; None: all.
        progress: called with the number of bytes read in all, after each block of at most 1 MiB.
    """
    done = 0

    def advance(size: int) -> None:
        nonlocal done
        done += size
        if progress is not None:
            progress(done)

    for record in store.streams() if records is None else records:
        yield _verify_one(store, record, advance)


def _verify_one(store: Readable, record: StreamRecord, advance: Callable[[int], None]) -> Report:
    damage: list[Damage] = []
    verified = 0
    whole = xxhash.xxh3_128()
    try:
        with store.reader(record.path) as reader:
            for index, segment in enumerate(record.segments):
                if segment.end is None or segment.digest is None:
                    break
                got = _digest(reader, segment.offset, segment.end, whole, advance)
                verified = segment.end
                if got != segment.digest:
                    damage.append(Damage(index, segment.offset, segment.end, segment.digest, got))
            checked = record.checked
            if not damage and checked is not None and verified < checked.size <= reader.size():
                _digest(reader, verified, checked.size, whole, advance)
                verified = checked.size
                if whole.hexdigest() != checked.digest:
                    damage.append(Damage(None, 0, checked.size, checked.digest, whole.hexdigest()))
        damage += _whole_file(record, whole.hexdigest())
    except (StoreError, FileNotFoundError) as error:
        damage.append(Damage(None, verified, record.size, "readable bytes", str(error)))
    status: Literal["ok", "unfinished", "damaged"] = "unfinished" if record.finished is None else "ok"
    return Report(
        record.path,
        "damaged" if damage or any(trouble.kind == "differs" for trouble in record.troubles) else status,
        record.size,
        verified,
        tuple(damage),
        record.gaps,
        record.troubles,
    )


def _whole_file(record: StreamRecord, got: str) -> list[Damage]:
    """A finished stream has the digest and the size that it was finished with."""
    if record.finished is None:
        return []
    end = record.segments[-1].end or 0 if record.segments else 0
    if record.digest != got:
        return [Damage(None, 0, end, record.digest or "a digest", got)]
    if record.size != end:
        low, high = sorted((record.size, end))
        return [Damage(None, low, high, f"{end} bytes", f"{record.size} bytes")]
    return []


def _digest(reader: Reader, offset: int, end: int, whole: xxhash.xxh3_128, advance: Callable[[int], None]) -> str:
    hasher = xxhash.xxh3_128()
    while offset < end:
        block = reader.read(offset, min(_BLOCK, end - offset))
        if not block:
            break  # a file cut short: the digest will not hold
        hasher.update(block)
        whole.update(block)
        offset += len(block)
        advance(len(block))
    return hasher.hexdigest()
