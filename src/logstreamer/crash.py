"""Crash points: places where a test can have this process killed, as kill -9 or a power button would.

`LOGSTREAMER_CRASH=POINT[:N]` in the environment kills the process when it reaches POINT for the N-th time (1 if not
given). Nobody sets it but the tests, which kill, restart and verify at every one of POINTS. Unset, `reach` is empty.
"""

from __future__ import annotations

import os
import signal
from itertools import count

POINTS = {
    "store.created": "a new stream's file is there, its sidecar is not",
    "sidecar.written": "a new sidecar is written beside the old one, not yet in its place",
    "sidecar.replaced": "the new sidecar is in its place, the directory not yet synced",
    "run.begun": "the sidecar knows the sender's run, the sender does not know that it is accepted",
    "segment.started": "the sidecar knows a new segment, none of its bytes is stored",
    "data.written": "bytes are stored, their acknowledgement is not sent",
    "finish.recorded": "the sidecar says finished, the file can still be written",
    "finish.unconfirmed": "the stream is finished, the sender does not know",
    "sender.placed": "the receiver has said where to continue, nothing is read yet",
    "sender.segment": "a segment mark is made, none of its bytes is",
    "sender.read": "bytes are read, not sent",
    "sender.acked": "an acknowledgement has arrived",
    "sender.eof": "the end is about to be sent",
}
"""Every point, and what has and what has not happened there."""

ENVIRONMENT = "LOGSTREAMER_CRASH"


def reach(point: str) -> None:
    """The process is at *point*, one of POINTS."""


_armed, _, _number = os.environ.get(ENVIRONMENT, "").partition(":")
if _armed:
    _visits = count(1)

    def reach(point: str) -> None:
        """Die at the armed point."""
        if point == _armed and next(_visits) == int(_number or 1):
            os.kill(os.getpid(), signal.SIGKILL)
