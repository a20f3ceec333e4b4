"""StoreSink: keeps the copy of one stream in the receiver's store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import msgspec

from logstreamer.apis.shareable import ReturnCode
from logstreamer.crash import reach
from logstreamer.errors import FileChanged, NameRefused, StoreError
from logstreamer.protocol.frames import Data, Eof, Heartbeat, Open, Segment, SegmentState
from logstreamer.protocol.receiver import Position
from logstreamer.receiver import EndStream, OpenSink
from logstreamer.sinks import GO_ON, Begun, NotReady, Sink, Verdict
from logstreamer.store.catalogue import Store
from logstreamer.store.record import StreamRecord
from logstreamer.store.stream_file import StreamFile

DEFAULT_JOB = "default"
"""Where streams of no job lie."""

CATCH_UP = 8 << 20
"""Bytes read again at a time for a digest after a restart, so that other streams wait a few milliseconds at most."""


class Stored:
    """One store and its lock: sinks work on the loop, and on worker threads where every byte is synced.

    Args:
        idle_timeout: seconds of silence after which a sender counts as dead; 0: never.
        sync: acknowledge only what is on the disk.

    Attributes:
        refused_at: when a stream could not begin last because of the store (monotonic seconds); None: never.
        on_change: called with a stream's path when something came from its sender, and at the end of its run; from
            the loop or from a worker thread, so it has to be quick.
    """

    def __init__(self, store: Store, *, idle_timeout: float, sync: bool = False) -> None:
        self.store = store
        self.idle_timeout = idle_timeout
        self.sync = sync
        self.lock = threading.RLock()
        self.refused_at: float | None = None
        self.on_change: Callable[[str], None] | None = None

    @property
    def open_sink(self) -> OpenSink:
        """Makes a sink for each run, see `Receiver`."""
        return self._open_sink

    def _open_sink(self, site: str, frame: Open, end_stream: EndStream) -> Sink:
        return StoreSink(self, site)

    def record(self, path: str) -> StreamRecord | None:
        """A snapshot of the stream at *path* while a sender has it open, else None; from any thread."""
        return self.store.live_record(path)

    def set_state(self, path: str, state: str, detail: str, *, at: str, later: bool) -> None:
        """Keep the state of the stream at *path*, if a sender has it open; see `StreamFile.set_state`."""
        with self.lock:
            stream = self.store.opened(path)
            if stream is not None:
                stream.set_state(state, detail, at=at, later=later)

    def settle(self, path: str, state: str, detail: str) -> None:
        """Keep the state of the stream at *path*, if no sender has it open; see `Store.set_state`."""
        with self.lock:
            self.store.set_state(path, state, detail)

    def changed(self, path: str) -> None:
        """Tell whoever watches."""
        if self.on_change is not None:
            self.on_change(path)

    def streams(self) -> list[StreamRecord]:
        """A snapshot of every stream; from any thread."""
        with self.lock:
            return self.store.streams()


class StoreSink:
    """Writes one run of one stream to its file; what is returned from is with the operating system, or synced."""

    def __init__(self, stored: Stored, site: str) -> None:
        self.blocking = stored.sync
        self._stored = stored
        self._site = site
        self._file: StreamFile | None = None
        self._finished: StreamRecord | None = None

    @property
    def path(self) -> str:
        """Where the copy lies, relative to the store's root; "" before `begin`."""
        return self._file.path if self._file is not None else ""

    def begin(self, frame: Open) -> Begun:
        if frame.kind != "log":
            raise StoreError("only logs are stored, not streams of objects")
        job, name, key = frame.key.job or DEFAULT_JOB, frame.key.name, msgspec.json.encode(frame.key).decode()
        with self._stored.lock:
            if self._file is None:
                self._finished = self._stored.store.finished(self._site, job, name, key=key, run=frame.run)
                if self._finished is not None:
                    size = self._finished.size
                    return Begun(Position(size, len(self._finished.segments)), size, self._stored.idle_timeout)
            try:
                if self._file is None:
                    meta = {item: value for item, value in frame.meta.items() if isinstance(value, str)}
                    self._file = self._stored.store.open(self._site, job, name, key=key, meta=meta)
                run_start = self._file.begin_run(frame.run)
            except NameRefused:
                raise
            except StoreError:
                self._stored.refused_at = time.monotonic()
                raise
            reach("run.begun")
            self._stored.changed(self._file.path)
            return Begun(self.position(), run_start, self._stored.idle_timeout)

    def position(self) -> Position:
        with self._stored.lock:
            if self._file is None:
                return Position()
            return Position(self._file.durable, self._file.segments, _segment_state(self._file))

    def segment(self, frame: Segment) -> Verdict:
        with self._stored.lock:
            file = self._open_file()
            if file.catch_up(CATCH_UP) > 0:  # the digest of the segment before is written down now
                return Verdict(again=True)
            file.start_segment(frame.offset, frame.source, frame.source_offset, frame.reason, frame.lost, frame.detail)
        reach("segment.started")
        self._stored.changed(self.path)
        return GO_ON

    def data(self, frame: Data) -> Verdict:
        with self._stored.lock:
            try:
                self._open_file().append(frame.offset, frame.payload)
            except FileChanged as error:
                # Opened again, the store takes the file as it is now, and the sender continues from there.
                return Verdict(ReturnCode.COMMUNICATION_ERROR, str(error))
        reach("data.written")
        self._stored.changed(self.path)
        return GO_ON

    def commit(self) -> None:
        """Put on the disk what was written, where that was asked for."""
        if self._stored.sync and self._file is not None:
            with self._stored.lock:
                self._file.sync()

    def heartbeat(self, frame: Heartbeat) -> Verdict:
        self._stored.changed(self.path)
        return GO_ON

    def eof(self, frame: Eof, run_start: int) -> Verdict:
        if self._finished is not None:
            return GO_ON
        with self._stored.lock:
            file = self._open_file()
            if file.catch_up(CATCH_UP) > 0:
                return Verdict(again=True)
            if frame.digest and not file.check_run_digest(run_start, frame.digest):
                file.note_difference(run_start)
                return Verdict(ReturnCode.EXECUTION_EXCEPTION, "the stored bytes are not the ones that were sent")
            file.finish()
        reach("finish.unconfirmed")
        return GO_ON

    def end(self, rc: str, reason: str) -> None:
        with self._stored.lock:
            if self._file is not None:
                self._file.end_run(rc, reason)
                self._file.close()
                self._stored.changed(self._file.path)

    def _open_file(self) -> StreamFile:
        if self._file is None:
            raise NotReady("the stream has not begun")
        return self._file


def _segment_state(file: StreamFile) -> SegmentState | None:
    last = file.resume_point()
    if last is None:
        return None
    return SegmentState(last.offset, last.source, last.source_offset, *last.head, *last.anchor)
