"""The cases, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.cases import growth, inside, links, many, memory, senders, startup, streams, targets

CASES: dict[str, Callable[[Bench], None]] = {
    "backlog": streams.backlog,
    "tls": streams.tls,
    "lines-50": streams.slow_lines,
    "lines-50000": streams.fast_lines,
    "link": links.near,
    "far": links.far,
    "files": many.thousand,
    "senders": senders.senders,
    "memory": memory.memory,
    "targets": targets.targets,
    "inside": inside.inside,
    "startup": startup.startup,
    "growth-streams": growth.streams,
    "growth-rate": growth.rates,
    "growth-chunk": growth.chunks,
    "growth-round-trip": growth.round_trips,
}

QUICK = ["backlog", "lines-50", "lines-50000", "files", "startup"]
