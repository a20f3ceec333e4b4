"""FollowSpec: which file to follow, and how."""

from __future__ import annotations

from collections.abc import Callable
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
        poll_interval: the longest time between two looks at the file and at the signals to stop (> 0).
        calm_interval: the same while the file is at rest and events are known to tell of every change; only for those
            who wake the stream themselves when it shall stop.
        liveness_interval: the longest silence before a heartbeat (> 0).
        chunk_size: most bytes of one Data frame (>= 1).
        chunk_parts: where that is more than 64 KiB, a frame takes at most one of so many parts of the window (>= 1), so
            that many senders share a receiver evenly.
        chunk_timeout: how long a receiver may say nothing while an answer is due (> 0).
        stop_at_eof: end at the file's first end, as if it had got its last line already.
        refusal: why this site does not allow the file to be streamed: the receiver is told, and nothing is read; "":
            it allows it.
        keep_open: at the end the stream is left and not finished, so that a later sender of it continues; so it is as
            well where the stop event has a true attribute of this name by then.
        verdict: asked when all of it was sent, what ends the stream: "": it is finished; else why it has failed.
        must_exist: a file that is not there at the end, and of which nothing was sent, has failed; its stream is left.
    """

    path: str
    stop_event: StopEvent | None = None
    poll_interval: float = 0.5
    calm_interval: float = 0.0
    liveness_interval: float = 10.0
    chunk_size: int = 64 * 1024
    chunk_parts: int = 1
    chunk_timeout: float = 5.0
    stop_at_eof: bool = False
    keep_open: bool = False
    refusal: str = ""
    must_exist: bool = False
    verdict: Callable[[], str] | None = None

    @property
    def is_left_open(self) -> bool:
        """Whether the stream is left and not finished, if it ends now."""
        return self.keep_open or bool(getattr(self.stop_event, "keep_open", False))
