"""The producer of a file's snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from logstreamer.apis.context import FLContext
from logstreamer.errors import FileShrank
from logstreamer.streamers.chunk import Chunk
from logstreamer.streamers.delivery import Delivery
from logstreamer.streamers.producer import ChunkProducer, is_aborted

_RESEND_PAUSE = 0.5


class FileProducer(ChunkProducer):
    """Sends exactly the announced bytes of an open file, whatever is appended meanwhile; the last chunk carries EOF.

    Args:
        file: open for reading, at the first byte to send; the caller closes it.
        name: for the log.
        size: the announced size, in bytes (>= 0).
        targets: names of the targets.
        chunk_size: most bytes of one message (>= 1).
        chunk_timeout: seconds that the replies to one message may take (> 0).
        optional: a failed target is no error for the log.
    """

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        size: int,
        targets: Iterable[str],
        chunk_size: int,
        chunk_timeout: float,
        optional: bool = False,
    ) -> None:
        super().__init__(Delivery(targets, f"file stream of {name}", optional), chunk_timeout, _RESEND_PAUSE)
        self._file = file
        self._name = name
        self._size = size
        self._chunk_size = chunk_size
        self._offset = 0

    def _is_stopping(self, fl_ctx: FLContext) -> bool:
        return is_aborted(fl_ctx)

    def _next_chunk(self, fl_ctx: FLContext) -> Chunk:
        want = min(self._chunk_size, self._size - self._offset)
        data = self._file.read(want)
        if len(data) < want:
            raise FileShrank(self._name, self._size, self._offset + len(data))
        chunk = Chunk(self._offset, data, eof=self._offset + len(data) == self._size)
        self._offset = chunk.end
        return chunk
