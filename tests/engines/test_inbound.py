"""One run at the receiver, without an engine around it."""

from __future__ import annotations

from typing import Any

from logstreamer.inbound import Inbound
from logstreamer.protocol.frames import Open, StreamKey


class Ends:
    """A sink that only counts how it was ended."""

    blocking = False

    def __init__(self) -> None:
        self.seen: list[str] = []

    def end(self, rc: str, reason: str) -> None:
        self.seen.append(rc)


def test_n17_whoever_ends_a_run_first_wins():
    sink, over = Ends(), []
    frame = Open(1, StreamKey("logs", "train", "", "train.log"), "run-1")
    nobody: Any = None
    run = Inbound(
        "site-1",
        frame,
        sink,  # type: ignore[arg-type]
        runner=nobody,
        window=1,
        clock=lambda: 0.0,
        on_change=lambda run: None,
        on_over=over.append,
    )

    for rc in ("TIMEOUT", "OK", "TASK_ABORTED"):
        run.end(rc, "")

    assert (run.rc, sink.seen, over) == ("TIMEOUT", ["TIMEOUT"], [run])
