"""The process that searches: a job on standard input, Server-Sent Events on standard output.

A process and not a thread: a pattern of a stranger that takes too long, or too much, is ended with it.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Sequence

import msgspec

from logstreamer.errors import LogStreamerError
from logstreamer.server.search.hits import Hit
from logstreamer.server.search.query import Query
from logstreamer.server.search.scan import Progress, Scan, Target
from logstreamer.store.view import View

MEMORY = 1 << 30
"""Bytes of address space; a search needs a tenth of that."""


class Job(msgspec.Struct, frozen=True):
    """What the receiver asks for."""

    root: str
    query: Query
    targets: Sequence[Target]


def main() -> None:
    """Do the one job. The first line written is a JSON string: "", or why nothing can be looked for."""
    job = msgspec.json.Decoder(Job).decode(sys.stdin.buffer.read())
    _bound(job.query.seconds)
    out = sys.stdout.buffer
    try:
        view = View(job.root)
        scan = Scan(job.query, job.targets, view, time.monotonic)
    except (LogStreamerError, OSError) as error:
        out.write(msgspec.json.encode(str(error)) + b"\n")
        return
    out.write(b'""\n')
    try:
        for event in scan.run():
            name = "hit" if isinstance(event, Hit) else "progress" if isinstance(event, Progress) else "done"
            out.write(b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(event)))
            out.flush()
    except BrokenPipeError:
        os._exit(1)  # nobody reads any more; closing would try once more


def _bound(seconds: float) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    spent = int(time.process_time() + seconds) + 5
    resource.setrlimit(resource.RLIMIT_CPU, (spent, spent))


if __name__ == "__main__":
    main()
