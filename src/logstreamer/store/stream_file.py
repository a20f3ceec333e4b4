"""One stored stream, open for appending."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Literal

from msgspec.structs import replace

from logstreamer.crash import reach
from logstreamer.errors import DiskFull, FileChanged, OffsetMismatch, StoreError
from logstreamer.store import disk, history, sidecar
from logstreamer.store.arrivals import Arrival, ArrivalLog
from logstreamer.store.data_file import DataFile, Fingerprint
from logstreamer.store.digests import Digests
from logstreamer.store.layout import Place, Root
from logstreamer.store.record import StreamRecord
from logstreamer.store.sidecar import Checked, Segment, Sidecar

HEAD_SIZE = 1024
ANCHOR_SIZE = 64

SegmentReason = Literal["start", "rotated", "truncated", "gap"]


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
    """What the streams of one store share.

    Args:
        writer: names the receiver in what it writes.
        open: the streams by path.
    """

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
        self._unwritten = False  # known is newer than the sidecar, because the disk was full
        self._closed = False
        self._data = DataFile(shelf.root, place, shelf.descriptors)
        self._digests = Digests(self._data.read)
        self._arrivals = ArrivalLog(shelf.root, place)
        self._recorded: tuple[object, StreamRecord] | None = None
        self._watch()
        if known.checked is not None:
            self._digests.expect(known.checked.size, known.checked.digest)

    @property
    def durable(self) -> int:
        """Size of the stored file in bytes: the offset at which it continues."""
        return self._data.size

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

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        """The latest arrivals, those that are in no file yet; from any thread."""
        return self._arrivals.pending

    @property
    def last_arrival(self) -> Arrival | None:
        """When bytes came last, as far as it is worth a record; None: not since it was opened."""
        return self._arrivals.latest

    def record(self) -> StreamRecord:
        """What is known now, the state included; the same object until that changes."""
        # A board asks for each of a thousand quiet streams each second: that was most of what they cost.
        now = (self._known, self.durable, self._data.modified, self._closed)
        if self._recorded is None or self._recorded[0] != now:
            known, size, modified, closed = now
            self._recorded = now, StreamRecord.of(known, self._place, size, modified, believed=not closed)
        return self._recorded[1]

    def resume_point(self) -> SegmentState | None:
        """Where a sender continues: at `durable`, in this segment; None if there is none yet."""
        self._check_open()
        if not self._known.segments:
            return None
        last = self._known.segments[-1]
        held = self.durable - last.offset
        tail = min(held, ANCHOR_SIZE)
        head = self._data.fingerprint(last.offset, min(held, HEAD_SIZE))
        anchor = self._data.fingerprint(self.durable - tail, tail)
        return SegmentState(last.offset, last.source, last.source_offset, head, anchor)

    def begin_run(self, run: str) -> int:
        """A run of a sender attaches; return the offset at which its bytes begin.

        A run that goes on (after a reconnect, or a restart of the receiver) continues where it was; one that has
        ended is begun anew. Another run that still goes on is ended: its sender was restarted.

        Raises:
            StoreError: nothing has changed, the call may be repeated; `DiskFull` where that is the reason.
        """
        self._check_writable()
        if self._shelf.fsync:
            self._settle()
        runs = self._known.runs
        if runs and runs[-1].run == run and runs[-1].end is None:
            self._enter_state("live", "")
            return runs[-1].start
        begun = history.run_begun(self._known, run, self.durable)
        self._commit(history.in_state(begun, "live", "", self.durable))
        self._watch()
        return self.durable

    def start_segment(
        self,
        offset: int,
        source: str,
        source_offset: int,
        reason: SegmentReason,
        lost: int | None = 0,
        detail: str = "",
    ) -> None:
        """What is appended from now on comes from another source, or from another place of it.

        The same start as the last one is ignored: a sender repeats it after a cut.

        Args:
            lost: bytes known to be lost right before it; None: unknown how many. Anything but 0 is a gap.

        Raises:
            OffsetMismatch: *offset* is not `durable`.
            StoreError: nothing has changed, the call may be repeated; `DiskFull` where that is the reason. For good
                when the stream has some 80,000 segments (`sidecar.FULL`).
        """
        self._check_writable()
        source, detail = history.text(source, "source"), history.words(detail, "detail")
        started = Segment(offset, source, source_offset, reason, lost, detail, at=sidecar.now())
        if self._known.segments and self._known.segments[-1].same_start(started):
            return
        self._check_offset(offset)
        if source_offset < 0 or (lost is not None and lost < 0):
            raise StoreError(f"a segment of {self.path} has a negative offset or loss")
        if self._shelf.fsync:
            self.sync()  # the sidecar must not reach the disk before the bytes that it closes a segment over
        # Written before the first byte of the segment: a crash in between leaves an empty segment, which is true.
        # The other order would leave its first bytes in the segment before it.
        self._commit(history.segment_started(self._segment_closed(), started), most=sidecar.FULL)
        self._watch()

    def append(self, offset: int, payload: bytes | memoryview) -> int:
        """Write *payload* (any number of bytes; a memoryview is of format "B") and return the new `durable`.

        Returned means handed to the operating system; `sync` puts it on the disk.

        Raises:
            OffsetMismatch: *offset* is not `durable`.
            DiskFull: nothing of it was kept; it may be offered again later.
            StoreError: there is no segment yet, or the stored file was changed by somebody else (then nothing more is
                taken until the stream is closed and opened again).
        """
        self._check_writable()
        self._check_offset(offset)
        if not self._known.segments:
            raise StoreError(f"bytes for {self.path} before its first segment")
        try:
            self._data.append(payload)
        except FileChanged as error:
            self._note(error)
            raise
        self._digests.update(offset, payload)
        self._arrivals.note(self._data.modified, offset)
        return self._data.size

    def sync(self) -> None:
        """Return when all appended bytes are on the disk.

        Raises:
            StoreError: they may not be; the stream takes no more bytes until it is closed and opened again.
        """
        self._check_open()
        self._data.sync()

    def check_run_digest(self, start: int, digest: bytes) -> bool:
        """Whether *digest* is the xxh3-128 of the bytes [start, durable).

        Cheap while the run was watched from its start; after a restart of the receiver the bytes are read again, see
        `catch_up`.
        """
        self._check_open()
        return 0 <= start <= self.durable and self._digests.digest(start, self.durable) == digest

    def note_difference(self, start: int) -> None:
        """Keep, for `verify`, that the bytes [start, durable) did not have the digest of those that were sent."""
        detail = f"the bytes from offset {start} on are not those that were sent"
        self._commit_if_room(history.troubled(self._known, "differs", self.durable, detail))

    def catch_up(self, limit: int | None = None) -> int:
        """Read at most *limit* of the bytes that no running digest has seen (None: all); return how many are left.

        Only after a restart is there anything to do. Called now and then with a limit, it spares `finish` and
        `start_segment` a long read at an inconvenient time.
        """
        self._check_open()
        left = self._digests.catch_up(self.durable, limit)
        if self._digests.differs:
            self._digests.differs = False
            detail = "its beginning is not what was stored before this receiver was started"
            self._commit_if_room(history.troubled(self._known, "differs", self.durable, detail))
        return left

    def finish(self) -> None:
        """The stream has ended: digests are written, and it never changes again. A second call does nothing.

        Raises:
            StoreError: it is not finished; the call may be repeated. `DiskFull` where that is the reason.
        """
        self._check_open()
        if self.finished:
            return
        try:
            self._data.check_end()
        except FileChanged as error:
            self._note(error)
            raise
        if self._shelf.fsync:
            self.sync()
        self.catch_up()
        self._commit(history.finished(self._segment_closed(), self.durable, self._hex_digest(0)))
        reach("finish.recorded")
        self._data.make_read_only()

    def end_run(self, rc: str, reason: str) -> None:
        """The run has ended otherwise (timeout, abort); the stream may be continued by another.

        The state becomes that of `history.END_STATES`, "failed" for everything else. Kept in memory where the disk is
        full.
        """
        self._check_open()
        if not self.finished:
            known = history.run_ended(self._known, self.durable, rc, reason)
            state = history.END_STATES.get(rc, "failed")
            words = f"{rc} {reason}".strip() if state == "failed" else reason
            self._commit_if_room(history.in_state(known, state, words, self.durable))

    def set_state(self, state: str, detail: str = "", *, at: str = "", later: bool = False) -> None:
        """Keep *state* (live, quiet, disk full, ...) on disk; free if it is the state already.

        Never fails for want of room: "disk full" must be possible on a full disk. It is then kept in memory, and
        written with the next change.

        Args:
            at: when it was entered, RFC 3339; "": now.
            later: keep it in memory, as one that is not worth a write.
        """
        self._check_open()
        if self.finished:
            return
        if not later:
            self._enter_state(state, detail, at)
        elif self._known.state != state:
            self._known = history.in_state(self._known, state, detail, self.durable, at)
            self._unwritten = True

    def close(self) -> None:
        """Forget the stream; it stays as it is and can be opened again. A second call does nothing.

        Raises:
            StoreError: with `Store(fsync=True)`, the bytes could not be put on the disk. It is closed all the same.
        """
        if self._closed:
            return
        self._arrivals.flush()
        try:
            if not self.finished:
                if self._shelf.fsync:
                    self.sync()
                with contextlib.suppress(StoreError):  # the file itself says all that is needed to continue
                    self._commit(self._known, writer="")  # nobody keeps the state up from here on
        finally:
            self._closed = True
            self._data.close()
            self._shelf.open.pop(self.path, None)

    def _settle(self) -> None:
        """What is found is on the disk: the sender is told that it need not keep it.

        A receiver that was killed may have left bytes, and the file's own name, with the operating system.
        """
        self.sync()
        with (
            disk.ours(f"put {self.path} on the disk"),
            self._shelf.root.directory(self._place.parents) as directory,
        ):
            disk.sync_dir(directory)

    # -- checks

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self.path} is closed")

    def _check_writable(self) -> None:
        self._check_open()
        if self.finished:
            raise StoreError(f"{self.path} is finished and never changes again")
        self._data.check_usable()

    def _check_offset(self, offset: int) -> None:
        if offset != self.durable:
            raise OffsetMismatch(self.durable, offset)

    def _note(self, error: FileChanged) -> None:
        """Keep a trouble about foreign bytes; a shorter file is found, and noted, when it is opened again."""
        noted = any(trouble.kind == "longer" and trouble.size == error.size for trouble in self._known.troubles)
        if error.size > error.expected and not noted:
            detail = f"{error.size - error.expected} bytes from offset {error.expected} on are not from the sender"
            self._commit_if_room(history.troubled(self._known, "longer", error.size, detail))

    # -- digests and the sidecar

    def _watch(self) -> None:
        """Keep digests of the whole file, the last run and the last segment."""
        runs = [run.start for run in self._known.runs[-1:]]
        segments = [segment.offset for segment in self._known.segments[-1:]]
        self._digests.watch(0, *runs, *segments)

    def _hex_digest(self, start: int) -> str:
        return self._digests.digest(start, self.durable).hex()

    def _segment_closed(self) -> Sidecar:
        if not self._known.segments:
            return self._known
        return history.segment_closed(self._known, self.durable, self._hex_digest(self._known.segments[-1].offset))

    def _enter_state(self, state: str, detail: str, at: str = "") -> None:
        known = self._known
        if (known.state, known.state_detail, known.writer) != (state, detail, self._shelf.writer) or self._unwritten:
            self._commit_if_room(history.in_state(known, state, detail, self.durable, at))

    def _commit_if_room(self, known: Sidecar) -> None:
        try:
            self._commit(known)
        except DiskFull:
            self._known = known
            self._unwritten = True

    def _commit(self, known: Sidecar, writer: str | None = None, most: int | None = None) -> None:
        """Write *known*, in at most *most* bytes, then believe it: a failure leaves both as they were."""
        shelf = self._shelf
        known = replace(known, writer=shelf.writer if writer is None else writer, size=self.durable)
        digest = self._digests.so_far(self.durable)
        if digest is not None and known.finished is None:
            known = replace(known, checked=Checked(self.durable, digest))
        raw = sidecar.encode(known)
        if most is not None and len(raw) > most:
            raise StoreError(f"{self.path} has too many segments: {self.segments}")
        with disk.ours(f"write the sidecar of {self.path}"), shelf.root.directory(self._place.parents) as directory:
            disk.replace(self._place.sidecar, raw, directory, fsync=shelf.fsync)
        self._known = known
        self._unwritten = False
