"""Memory does not grow with the backlog."""

from __future__ import annotations

import shutil

from benchmarks.bench import Bench, say
from benchmarks.bounds import delivered
from benchmarks.records import Record
from benchmarks.stage import MIB

SMALL, LARGE = 100, 10 << 10
"""Backlogs in MiB."""


def memory(bench: Bench) -> None:
    """A backlog of 100 MiB, then one of 10 GiB, where the disk has room for two of it."""
    free = shutil.disk_usage(bench.workdir).free // MIB
    large = 512 if bench.quick else min(LARGE, (free - 4096) // 2)
    if large < LARGE:
        say(f"memory: a backlog of {large} MiB, not {LARGE}: {free} MiB are free")
    for size in (SMALL, large):
        row = delivered(size * MIB, bench.workdir)
        assert row.receiver is not None
        values = {
            "backlog": float(size * MIB),
            "sender memory": float(row.sender.memory),
            "receiver memory": float(row.receiver.memory),
        }
        bench.add(Record("memory", "logstreamer", values))
