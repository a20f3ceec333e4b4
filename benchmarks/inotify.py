"""Wake up when a file grows."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from pathlib import Path
from types import TracebackType

_IN_MODIFY = 0x2
_EVENT = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """An inotify descriptor for select(): readable after each change of *path*, a file or directory that exists."""

    def __init__(self, path: Path) -> None:
        self._descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0 or _libc.inotify_add_watch(self._descriptor, os.fsencode(path), _IN_MODIFY) < 0:
            raise OSError(ctypes.get_errno(), "inotify", str(path))

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def fileno(self) -> int:
        return int(self._descriptor)

    def drain(self) -> None:
        """Forget the changes so far. Look at the file after this, not before, or one is lost."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, 65536)

    def names(self) -> set[str]:
        """The names of what changed in the directory so far; "" where events were lost."""
        found = set()
        with contextlib.suppress(BlockingIOError):
            while events := os.read(self._descriptor, 65536):
                offset = 0
                while offset < len(events):
                    length = _EVENT.unpack_from(events, offset)[3]
                    start = offset + _EVENT.size
                    offset = start + length
                    found.add(os.fsdecode(events[start:offset].rstrip(b"\0")))
        return found
