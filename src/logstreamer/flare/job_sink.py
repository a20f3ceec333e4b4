"""JobSink: the copy of one job's log at NVFlare's server; RefusedSink: none."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from logstreamer.errors import StreamRefused
from logstreamer.protocol.frames import Open
from logstreamer.sink_table import AbsentSink
from logstreamer.sinks import Begun
from logstreamer.store_sink import Stored, StoreSink


class JobSink(StoreSink):
    """A `StoreSink` that asks before it begins, and says where the copy lies when it ends.

    Args:
        stored: where the copies lie.
        upper, lower: the copy lies at UPPER/LOWER/FILE.
        refusal: why nothing is taken from this site; "": it is.
        on_end: `on_end(path, rc, reason)`, where something was stored: *path* relative to the store.
    """

    def __init__(
        self,
        stored: Stored,
        upper: str,
        lower: str,
        *,
        refusal: Callable[[], str],
        on_end: Callable[[str, str, str], None],
    ) -> None:
        super().__init__(stored, upper)
        self.blocking = True  # at the end the file is handed over to NVFlare's job storage
        self._lower = lower
        self._refusal = refusal
        self._on_end = on_end

    def begin(self, frame: Open) -> Begun:
        """Begin, unless the site does not allow it."""
        refusal = self._refusal()
        if refusal:
            raise StreamRefused(refusal)
        return super().begin(msgspec.structs.replace(frame, key=msgspec.structs.replace(frame.key, job=self._lower)))

    def end(self, rc: str, reason: str) -> None:
        """The run is over: the file is closed, and then handed over."""
        path = self.path
        super().end(rc, reason)
        if path:
            self._on_end(path, rc, reason)


class RefusedSink(AbsentSink):
    """Turns a stream away for good."""

    def begin(self, frame: Open) -> Begun:
        """It does not."""
        raise StreamRefused(self._reason)
