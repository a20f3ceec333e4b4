"""The receiving side of one snapshot."""

from __future__ import annotations

import os
import threading
import uuid
from contextlib import suppress
from typing import Any

from logstreamer.apis.context import FLContext
from logstreamer.apis.shareable import ReturnCode, Shareable, make_reply
from logstreamer.apis.streaming import ConsumerFactory, ObjectConsumer, PayloadKey
from logstreamer.streamers.chunk import Intake


class FileConsumer(ObjectConsumer):
    """Writes one stream to a new file with a unique name, and keeps it only if it arrived whole.

    A file that did not is removed in `finalize`, and with it FILE_LOCATION from the context: a done callback that
    forgets to look at the return code finds nothing rather than half a file.

    Args:
        stream_ctx: the stream's context; FILE_SIZE is read, FILE_LOCATION is put there.
        dest_dir: the directory for the file.

    Raises:
        ValueError: the announced size is missing or no size.
        OSError: the file could not be made.
    """

    def __init__(self, stream_ctx: dict[str, Any], dest_dir: str) -> None:
        self._size = _announced_size(stream_ctx)
        self._intake = Intake()
        self._turn = threading.Lock()
        self._is_closed = False
        self._is_whole = False
        # Never from the peer's file name; "x", since nothing that exists is ever written to.
        self._path = os.path.join(dest_dir, str(uuid.uuid4()))
        self._file = open(self._path, "xb")  # noqa: SIM115 - finalize closes it
        stream_ctx[PayloadKey.FILE_LOCATION] = self._path

    def consume(self, shareable: Shareable, stream_ctx: dict[str, Any], fl_ctx: FLContext) -> tuple[bool, Shareable]:
        """Take one message.

        Raises:
            ValueError: its size is not what its size field says, bytes before it are missing, or the file is longer
                or shorter than announced.
            OSError: the file could not be written.
        """
        if not self._turn.acquire(blocking=False):  # the same chunk again, while it is still being written
            return True, make_reply(ReturnCode.TIMEOUT)
        try:
            if self._is_closed:
                return False, make_reply(ReturnCode.TASK_ABORTED)
            return self._take(shareable)
        except BaseException:
            self._is_closed = True
            raise
        finally:
            self._turn.release()

    def finalize(self, stream_ctx: dict[str, Any], fl_ctx: FLContext | None) -> None:
        """Close the file; remove it unless it is whole."""
        with self._turn:
            self._is_closed = True
            self._file.close()
            if not self._is_whole:
                stream_ctx.pop(PayloadKey.FILE_LOCATION, None)
                with suppress(FileNotFoundError):
                    os.remove(self._path)

    def _take(self, shareable: Shareable) -> tuple[bool, Shareable]:
        data = self._intake.new_bytes(shareable)
        received = self._intake.received + len(data)
        is_last = bool(shareable.get(PayloadKey.EOF))
        if received > self._size or (is_last and received != self._size):
            raise ValueError(f"received {received} bytes, but {self._size} were announced")
        self._file.write(data)
        self._intake.advance(len(data))
        if is_last:
            self._file.close()  # its last bytes may not fit: that is to fail before the OK, not after it
            self._is_whole = True
            self._is_closed = True
        return not is_last, self._intake.acknowledge()


class FileConsumerFactory(ConsumerFactory):
    """Makes a `FileConsumer` for each stream.

    Args:
        dest_dir: the directory for the files.
    """

    def __init__(self, dest_dir: str) -> None:
        self._dest_dir = dest_dir

    def get_consumer(self, stream_ctx: dict[str, Any], fl_ctx: FLContext | None) -> FileConsumer:
        """A new consumer, with a new file."""
        return FileConsumer(stream_ctx, self._dest_dir)


def _announced_size(stream_ctx: dict[str, Any]) -> int:
    size = stream_ctx.get(PayloadKey.FILE_SIZE)
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise ValueError(f"the announced file size must be an int of at least 0 but got {size!r}")
    return size
