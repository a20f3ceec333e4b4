"""One stored stream, open for appending."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from msgspec.structs import replace

from logstreamer.errors import OffsetMismatch, StoreError
from logstreamer.store import disk, sidecar
from logstreamer.store.digests import Digests
from logstreamer.store.layout import Place, Root
from logstreamer.store.record import StreamRecord
from logstreamer.store.sidecar import Run, Segment, Sidecar, Trouble

HEAD_SIZE = 1024
ANCHOR_SIZE = 64

SegmentReason = Literal["start", "rotated", "truncated", "gap"]


class Fingerprint(NamedTuple):
    """SHA-256 of *length* bytes."""

    length: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class SegmentState:
    """The last segment of the copy, so that its sender can find its place again.

    Args:
        offset: stream offset of the segment's first byte.
        source, source_offset: as given to `start_segment`; source "" if it is not known (a recovered stream).
        head: of the first <= HEAD_SIZE bytes held of it.
        anchor: of the last <= ANCHOR_SIZE bytes held of it.
    """

    offset: int
    source: str
    source_offset: int
    head: Fingerprint
    anchor: Fingerprint


@dataclass(slots=True)
class Shelf:
    """What the streams of one store share."""

    root: Root
    descriptors: disk.Descriptors
    writer: str
    fsync: bool
    open: dict[str, StreamFile] = field(default_factory=dict)


class StreamFile:
    """The stored file and its sidecar.

    Invariant: `durable` is the size of the stored file, and the segments cover [0, durable) without holes. Made by
    `Store.open`; not safe for use from two threads.
    """

    def __init__(self, shelf: Shelf, place: Place, known: Sidecar) -> None:
        self._shelf = shelf
        self._place = place
        self._known = known
        self._unwritten = False  # self._known differs from the file, e.g. because the disk was full
        self._torn = False  # the file may be longer than durable, by bytes of a failed append
        self._refused = ""  # why no bytes may be written any more
        self._closed = False
        self._identity: tuple[int, int] | None = None
        status = os.fstat(self._fd())
        self.durable = status.st_size
        self._modified = status.st_mtime
        self._digests = Digests(self._read)
        self._watch()

    @property
    def path(self) -> str:
        """Relative to the store's root."""
        return self._place.path

    @property
    def key(self) -> str:
        """Identity of the stream."""
        return self._known.key

    @property
    def segments(self) -> int:
        """How many segments the copy has."""
        return len(self._known.segments)

    @property
    def finished(self) -> bool:
        """Whether the stream has ended for good."""
        return self._known.finished is not None

    def record(self) -> StreamRecord:
        """What is known now, the state included."""
        return StreamRecord.of(self._known, self._place, self.durable, self._modified, believed=True)

    def resume_point(self) -> SegmentState | None:
        """Where a sender continues: at `durable`, in this segment; None if there is none yet."""
        if not self._known.segments:
            return None
        last = self._known.segments[-1]
        held = self.durable - last.offset
        head = self._fingerprint(last.offset, min(held, HEAD_SIZE))
        anchor_length = min(held, ANCHOR_SIZE)
        anchor = self._fingerprint(self.durable - anchor_length, anchor_length)
        return SegmentState(last.offset, last.source, last.source_offset, head, anchor)

    def begin_run(self, run: str) -> int:
        """A run of a sender attaches; return the offset at which its bytes begin.

        A run that goes on (after a reconnect, or a restart of the receiver) continues where it was; one that has
        ended is begun anew. Another run that still goes on is ended: its sender was restarted.

        Raises:
            StoreError: nothing has changed, the call may be repeated; `DiskFull` where that is the reason.
        """
        self._check_writable()
        runs = self._known.runs
        if runs and runs[-1].run == run and runs[-1].end is None:
            self._enter_state("live", "")
            return runs[-1].start
        begun = Run(_text(run, "run"), self.durable, sidecar.now())
        self._commit(self._in_state("live", "", runs=(*self._runs_ended("", f"run {run} took over"), begun)))
        self._watch()
        return begun.start

    def start_segment(
        self, offset: int, source: str, source_offset: int, reason: SegmentReason, lost: int | None, detail: str
    ) -> None:
        """What is appended from now on comes from another source, or from another place of it.

        The same start as the last one is ignored: a sender repeats it after a cut.

        Raises:
            OffsetMismatch: *offset* is not `durable`.
            StoreError: nothing has changed, the call may be repeated; `DiskFull` where that is the reason.
        """
        self._check_writable()
        started = Segment(
            offset,
            _text(source, "source"),
            source_offset,
            reason,
            lost,
            _text(detail, "detail"),
            at=sidecar.now(),
        )
        segments = self._known.segments
        if segments and segments[-1].same_start(started):
            return
        self._check_offset(offset)
        if source_offset < 0 or (lost is not None and lost < 0):
            raise StoreError(f"segment of {self.path} has a negative offset or loss")
        if self._shelf.fsync:
            self.sync()  # the sidecar must not reach the disk before the bytes that it closes a segment over
        # Written before the first byte of the segment: a crash in between leaves an empty segment, which is true.
        # The other order would leave its first bytes in the segment before it.
        self._commit(replace(self._known, segments=(*self._segments_closed(), started)))
        self._watch()

    def append(self, offset: int, payload: bytes | memoryview) -> int:
        """Write *payload* (any number of bytes; a memoryview is of format "B") and return the new `durable`.

        Returned means handed to the operating system; `sync` puts it on the disk.

        Raises:
            OffsetMismatch: *offset* is not `durable`.
            DiskFull: nothing of it was kept; it may be offered again later.
            StoreError: there is no segment yet, or the stored file was changed by somebody else.
        """
        self._check_writable()
        self._check_offset(offset)
        if not self._known.segments:
            raise StoreError(f"bytes for {self.path} before its first segment")
        fd = self._fd()
        self._check_end(fd)
        try:
            disk.write_all(fd, payload)
        except OSError as error:
            # What was written of it goes again, if it can; if not, the next append tries once more. Nobody was told
            # that these bytes are durable.
            self._torn = True
            with contextlib.suppress(OSError):
                self._cut_torn(fd)
            raise disk.store_error(error, f"write {self.path}") from error
        self._digests.update(offset, payload)
        self.durable = offset + len(payload)
        self._modified = time.time()
        return self.durable

    def sync(self) -> None:
        """Return when all appended bytes are on the disk.

        Raises:
            StoreError: they may not be. Nothing more is written then: after a failed fsync the kernel forgets which
                bytes it did not write, so a second one would succeed and prove nothing.
        """
        try:
            disk.sync_data(self._fd())
        except OSError as error:
            self._refused = f"{self.path} could not be put on the disk"
            raise disk.store_error(error, f"put {self.path} on the disk") from error

    def check_run_digest(self, start: int, digest: bytes) -> bool:
        """Whether *digest* is the xxh3-128 of the bytes [start, durable).

        Cheap while the run was watched from its start; after a restart of the receiver the bytes are read again, see
        `catch_up`.
        """
        if not 0 <= start <= self.durable:
            return False
        with disk.ours(f"read {self.path}"):
            return self._digests.digest(start, self.durable) == digest

    def catch_up(self, limit: int | None = None) -> int:
        """Read at most *limit* of the bytes that no running digest has seen (None: all); return how many are left.

        Only after a restart is there anything to do. Called now and then with a limit, it spares `finish` and
        `start_segment` a long read at an inconvenient time.
        """
        with disk.ours(f"read {self.path}"):
            return self._digests.catch_up(self.durable, limit)

    def finish(self) -> None:
        """The stream has ended: digests are written, and it never changes again. A second call does nothing.

        Raises:
            StoreError: it is not finished; the call may be repeated. `DiskFull` where that is the reason.
        """
        if self.finished:
            return
        self._check_writable()
        self._check_end(self._fd())
        if self._shelf.fsync:
            self.sync()
        self.catch_up()
        done = self._in_state(
            "finished",
            "",
            runs=self._runs_ended("OK", ""),
            segments=self._segments_closed(),
            finished=sidecar.now(),
            digest=self._hex_digest(0),
        )
        self._commit(done)
        # Only a help against accidents, and for finding out without a sidecar that the stream had ended.
        with contextlib.suppress(OSError):
            disk.make_read_only(self._fd())

    def end_run(self, rc: str, reason: str) -> None:
        """The run has ended otherwise (timeout, abort); the stream may be continued by another.

        The state becomes "dead" for TIMEOUT and "failed" for everything else. Kept in memory where the disk is full.
        """
        self._check_open()
        if self.finished:
            return
        state = "dead" if rc == "TIMEOUT" else "failed"
        ended = self._runs_ended(_text(rc, "rc"), _text(reason, "reason"))
        self._commit_if_room(self._in_state(state, f"{rc} {reason}".strip(), runs=ended))

    def set_state(self, state: str, detail: str = "") -> None:
        """Keep *state* (live, quiet, disk full, ...) on disk; free if it is the state already.

        Never fails for want of room: "disk full" must be possible on a full disk. It is then kept in memory, and
        written with the next change.
        """
        self._check_open()
        if not self.finished:
            self._enter_state(_text(state, "state"), _text(detail, "detail"))

    def close(self) -> None:
        """Forget the stream; it stays as it is and can be opened again. A second call does nothing.

        With `Store(fsync=True)` the bytes are put on the disk first, and a failure of that is a StoreError, after
        closing.
        """
        if self._closed:
            return
        try:
            if not self._refused and not self.finished:
                if self._shelf.fsync:
                    self.sync()
                self._commit_if_room(self._known, writer="")  # nobody keeps the state up from here on
        finally:
            self._closed = True
            self._shelf.descriptors.drop(self.path)
            self._shelf.open.pop(self.path, None)

    # -- checks

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self.path} is closed")

    def _check_writable(self) -> None:
        self._check_open()
        if self._refused:
            raise StoreError(self._refused)
        if self.finished:
            raise StoreError(f"{self.path} is finished and never changes again")

    def _check_offset(self, offset: int) -> None:
        if offset != self.durable:
            raise OffsetMismatch(self.durable, offset)

    def _check_end(self, fd: int) -> None:
        """Before every write: one fstat, some 1 us, finds a stored file that an operator's tool cut or removed."""
        if self._torn:
            with disk.ours(f"write {self.path}"):
                self._cut_torn(fd)
        status = os.fstat(fd)
        if status.st_size == self.durable and status.st_nlink == 1:
            return
        self._refused = f"{self.path} was changed or removed by somebody else"
        if status.st_size > self.durable:  # shorter is found and recorded when the stream is opened again
            detail = f"{status.st_size - self.durable} bytes at {self.durable} are not from the sender"
            trouble = Trouble("longer", status.st_size, detail, sidecar.now())
            self._commit_if_room(replace(self._known, troubles=(*self._known.troubles, trouble)))
        raise StoreError(self._refused)

    def _cut_torn(self, fd: int) -> None:
        disk.truncate(fd, self.durable)
        self._torn = False

    # -- the file

    def _fd(self) -> int:
        return self._shelf.descriptors.get(self.path, self._open_file)

    def _open_file(self) -> int:
        self._check_open()
        with disk.ours(f"open {self.path}"):
            flags = os.O_RDONLY if self.finished else os.O_RDWR | os.O_APPEND
            fd = self._shelf.root.open_file(self._place, flags)
        status = os.fstat(fd)
        identity = (status.st_dev, status.st_ino)
        if self._identity not in (None, identity):
            os.close(fd)
            self._refused = f"{self.path} was replaced by somebody else"
            raise StoreError(self._refused)
        self._identity = identity
        return fd

    def _read(self, offset: int, limit: int) -> bytes:
        block = os.pread(self._fd(), limit, offset)
        if not block:
            raise StoreError(f"{self.path} ends at {offset}, but had {self.durable} bytes")
        return block

    def _fingerprint(self, offset: int, length: int) -> Fingerprint:
        data = b""
        with disk.ours(f"read {self.path}"):
            while len(data) < length:
                data += self._read(offset + len(data), length - len(data))
        return Fingerprint(length, hashlib.sha256(data).digest())

    # -- the sidecar

    def _watch(self) -> None:
        """Keep digests of the whole file, the last run and the last segment."""
        starts = [0]
        starts += [run.start for run in self._known.runs[-1:]]
        starts += [segment.offset for segment in self._known.segments[-1:]]
        self._digests.watch(*starts)

    def _hex_digest(self, start: int) -> str:
        with disk.ours(f"read {self.path}"):
            return self._digests.digest(start, self.durable).hex()

    def _segments_closed(self) -> tuple[Segment, ...]:
        if not self._known.segments:
            return ()
        *before, last = self._known.segments
        return (*before, replace(last, end=self.durable, digest=self._hex_digest(last.offset)))

    def _runs_ended(self, rc: str, reason: str) -> tuple[Run, ...]:
        if not self._known.runs or self._known.runs[-1].end is not None:
            return self._known.runs
        *before, last = self._known.runs
        return (*before, replace(last, end=self.durable, ended=sidecar.now(), rc=rc, reason=reason))

    def _in_state(self, state: str, detail: str, **changes: object) -> Sidecar:
        known = self._known
        since = known.since if known.state == state else sidecar.now()
        return replace(known, state=state, state_detail=detail, since=since, **changes)

    def _enter_state(self, state: str, detail: str) -> None:
        known = self._known
        if (known.state, known.state_detail, known.writer) != (state, detail, self._shelf.writer) or self._unwritten:
            self._commit_if_room(self._in_state(state, detail))

    def _commit_if_room(self, known: Sidecar, writer: str | None = None) -> None:
        try:
            self._commit(known, writer)
        except disk.DiskFull:
            self._known = known
            self._unwritten = True

    def _commit(self, known: Sidecar, writer: str | None = None) -> None:
        """Write *known*, then believe it: a failure leaves both as they were."""
        shelf = self._shelf
        known = replace(known, writer=shelf.writer if writer is None else writer, size=self.durable)
        with disk.ours(f"write the sidecar of {self.path}"), shelf.root.directory(self._place.parents) as directory:
            disk.replace(self._place.sidecar, sidecar.encode(known), directory, fsync=shelf.fsync)
        self._known = known
        self._unwritten = False


def _text(value: str, what: str) -> str:
    """*value* if JSON can carry it; it comes from a peer."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise StoreError(f"{what} {value!r} is not valid Unicode") from error
    return value
