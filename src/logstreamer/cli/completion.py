"""Completion: the names of streams, for a shell that waits for them."""

from __future__ import annotations

import contextlib
import os

from logstreamer.cli.options import TOKEN_VARIABLE
from logstreamer.errors import LogStreamerError


def stream_names(origin: str | None, token: str | None, cafile: str | None) -> list[str]:
    """The paths of all streams; none where the source does not answer."""
    from logstreamer.cli.source import open_source

    origin = origin or os.environ.get("LOGSTREAMER_FROM") or "./logs"
    with (
        contextlib.suppress(LogStreamerError, OSError),
        open_source(origin, token or os.environ.get(TOKEN_VARIABLE), cafile) as source,
    ):
        return [status.path for status in source.streams()]
    return []
