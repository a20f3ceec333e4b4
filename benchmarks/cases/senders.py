"""200 sender processes and one receiver: is each served?"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.measure import compare
from benchmarks.records import Record
from benchmarks.session import PeerFailed
from benchmarks.stage import Stage, Watched, stage

PATIENCE = 180.0


def senders(bench: Bench) -> None:
    """All of them have a backlog at the same moment."""
    number = 20 if bench.quick else 200
    bench.add(measure_senders("senders", number, bench.log(16), bench.workdir))


def measure_senders(case: str, number: int, source: Path, scratch: Path) -> Record:
    """How much each of *number* senders of *source* has delivered when the first one is through.

    Raises:
        PeerFailed: they did not get that far.
    """
    with stage(scratch) as it:
        receiver, url = it.receiver()
        began = time.monotonic()
        for index in range(number):
            directory = it.directory / f"site-{index:03}"
            directory.mkdir()
            it.start("send", str(directory / "job.log"), "--to", url, "--site", f"site-{index:03}")
        _wait(it, receiver, lambda: _connections(receiver.process.pid) >= number + 1)
        connected = time.monotonic() - began
        cpu, began = receiver.cpu(), time.monotonic()
        for index in range(number):  # the waiting senders find a whole file at their path
            os.link(source, it.directory / f"site-{index:03}" / "job.log")
        size, sizes = source.stat().st_size, [0]
        copies = [it.directory / "copies" / f"site-{index:03}" / "default" / "job.log" for index in range(number)]

        def first_is_through() -> bool:
            sizes[:] = [_size(path) for path in copies]
            return max(sizes) >= size

        _wait(it, receiver, first_is_through)
        span = time.monotonic() - began
        receiver.look()
        values = {
            "senders": float(number),
            "connected after": connected,
            "slowest to fastest": min(sizes) / max(sizes),
            "rate": sum(sizes) / span,
            "receiver memory": float(receiver.peaks.memory),
            "receiver threads": float(receiver.peaks.threads),
            "receiver cpu": (receiver.cpu() - cpu) / span,
        }
        for copy, stored in zip(copies, sizes, strict=True):
            if stored:
                compare(source, copy, "logstreamer")
    return Record(case, "logstreamer", values)


def _wait(it: Stage, receiver: Watched, happened: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > end:
            raise PeerFailed(f"200 senders: not within {PATIENCE:.0f} s")
        receiver.look()
        time.sleep(0.05)


def _connections(pid: int) -> int:
    """Sockets of a process: what it listens on, and one for each connection."""
    count = 0
    directory = f"/proc/{pid}/fd"
    for name in os.listdir(directory):
        try:
            count += os.readlink(f"{directory}/{name}").startswith("socket:")
        except OSError:
            continue
    return count


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
