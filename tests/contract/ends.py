"""The two ends of a stream, as most tests use them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from contract.nets import Net
from logstreamer.streamers import LogStreamer
from streamers.recording import LiveLog, Recorder


def register(net: Net, recorder: Recorder, server: str = "server", **arguments: Any) -> None:
    """Let *recorder* receive the log streams at *server*."""
    LogStreamer.register_stream_processing(
        net.engine(server).new_context(),
        "logs",
        "train",
        **{"chunk_received_cb": recorder.on_chunk, "stream_done_cb": recorder.on_done, **arguments},
    )


def live_log(
    net: Net, path: Path, site: str = "site-1", targets: Iterable[str] = ("server",), **arguments: Any
) -> LiveLog:
    """A log at *site* that is followed while the block lasts."""
    return LiveLog(net.engine(site), path, tuple(targets), **arguments)


def numbered(count: int, first: int = 0) -> bytes:
    """Lines that tell where they belong."""
    return b"".join(b"%08d\n" % number for number in range(first, first + count))
