"""The sending side of one followed file."""

from __future__ import annotations

from dataclasses import dataclass

from logstreamer.apis.streaming import StopEvent


@dataclass(frozen=True, slots=True)
class FollowSpec:
    """What to follow, and how. Sizes are bytes, times seconds.

    A producer that carries one as its attribute `follow` is one growing byte sequence: our own engines read the file
    themselves and never call its `produce`; any other engine pulls from it.

    Args:
        path: the file; it may not exist yet.
        stop_event: set when the file has got its last line; None: only the run's abort signal ends the stream.
        poll_interval: the longest time between two looks at the file (> 0).
        liveness_interval: the longest silence before a heartbeat (> 0).
        chunk_size: most bytes of one Data frame (>= 1).
        chunk_timeout: how long one chunk's reply may take on an engine that pulls (> 0).
        stop_at_eof: end at the file's end as if stop_event had been set from the start.
    """

    path: str
    stop_event: StopEvent | None = None
    poll_interval: float = 0.5
    liveness_interval: float = 10.0
    chunk_size: int = 64 * 1024
    chunk_timeout: float = 5.0
    stop_at_eof: bool = False
