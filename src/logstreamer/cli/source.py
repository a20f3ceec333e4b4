"""Source: where ls, logs, get and verify look; a receiver or a directory, the same to them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self

from logstreamer.errors import ConfigError, EngineError, StoreError
from logstreamer.server.note import Note
from logstreamer.server.status import StreamStatus
from logstreamer.store.follow import Reader


class Source(Protocol):
    """Streams to look at. A context manager."""

    def streams(self) -> list[StreamStatus]:
        """Every stream, by path.

        Raises:
            StoreError, EngineError: they cannot be told now.
        """

    def reader(self, path: str) -> Reader:
        """Read the bytes of the stream stored at *path*.

        Raises:
            StoreError: there is no such stream, or it cannot be read.
        """

    def arrivals(self, path: str) -> Sequence[tuple[float, int]]:
        """When the bytes of the stream at *path* came: (seconds since the epoch, from which offset on), ascending.

        Empty where it is not known.

        Raises:
            EngineError: it cannot be told now.
        """

    def news(self) -> Iterator[list[StreamStatus]]:
        """Every stream at first, then those that changed, as they change; [] now and then when nothing did.

        Raises:
            StoreError, EngineError: the source is gone; open it again.
        """

    def close(self) -> None:
        """Let go of it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def open_source(origin: str, token: str | None = None, cafile: str | None = None) -> Source:
    """The source at *origin*: a URL, or a directory; a receiver that runs there is asked instead.

    Args:
        token: for a URL that brings none.

    Raises:
        ConfigError: no URL, and no token for one.
        StoreError: there is no such directory.
        EngineError: the receiver cannot be reached.
    """
    from logstreamer.cli.local import LocalSource
    from logstreamer.cli.remote import RemoteSource

    if "://" in origin:
        return RemoteSource.open(origin, token, cafile)
    if not os.path.isdir(origin):
        raise StoreError(f"{origin}: no such directory; say where to look with --from URL|DIR or LOGSTREAMER_FROM")
    note = Note.read(origin)
    if note is not None:
        try:
            source = RemoteSource.open(note.url, note.token, note.cafile or None)
        except (ConfigError, EngineError):
            return LocalSource(origin)
        if source.instance() == note.instance:
            return source
        source.close()
    return LocalSource(origin)
