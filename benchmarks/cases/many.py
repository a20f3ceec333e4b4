"""Many streams of one sender: quiet ones, and ones that get a line each second."""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.inotify import Watch
from benchmarks.measure import compare
from benchmarks.records import Record, distribution
from benchmarks.session import PeerFailed
from benchmarks.stage import Stage, Watched, stage

LINE = b"2026-01-05 08:30:00.123 INFO  trainer: step=1 loss=3.146928 acc=0.2325 lr=3.0e-04 tokens/s=17781 mem=30.6G\n"
SETTLE = 12.0
"""Seconds after which what comes of the beginning is over: first heartbeats, first looks."""


def thousand(bench: Bench) -> None:
    """1,000 followed files in one sender: quiet, then one line a second in each."""
    number, rounds = (200, 1) if bench.quick else (1000, 2)
    for _ in range(rounds):
        bench.add(many_streams("files", number, bench.workdir, quiet=10.0, busy=3.0 if bench.quick else 8.0))


def many_streams(case: str, number: int, scratch: Path, *, quiet: float, busy: float) -> Record:
    """*number* files: CPU, memory and threads while they are quiet, then the delays of a line a second in each.

    Raises:
        PeerFailed: a line did not arrive.
    """
    with stage(scratch) as it:
        source = it.directory / "logs"
        source.mkdir()
        for index in range(number):
            (source / f"{index:05}.log").write_bytes(LINE)
        receiver, url = it.receiver()
        began = time.monotonic()
        sender = it.sender(source, url)
        it.until(
            lambda: len(_copies(it)) == number and all(len(path.read_bytes()) == len(LINE) for path in _copies(it))
        )
        ready = time.monotonic() - began
        it.watch(SETTLE)
        values = {"streams": float(number), "ready": ready}
        values |= _cpu("quiet", sender, receiver, lambda: it.watch_quietly(quiet))
        delays: list[float] = []
        values |= _cpu("busy", sender, receiver, lambda: delays.extend(_write_lines(it, source, number, busy)))
        for process in it.processes:
            process.look()
        for name, process in (("sender", sender), ("receiver", receiver)):
            values[f"{name} memory"] = float(process.peaks.memory)
            values[f"{name} threads"] = float(process.peaks.threads)
            values[f"{name} descriptors"] = float(process.peaks.descriptors)
        for copy in _copies(it):
            compare(source / copy.name, copy, "logstreamer")
    return Record(case, "logstreamer", values, distribution(delays))


def _copies(it: Stage) -> list[Path]:
    return list((it.directory / "copies" / "s" / "default").rglob("[0-9]*.log"))


def _cpu(name: str, sender: Watched, receiver: Watched, action: Callable[[], object]) -> dict[str, float]:
    before, began = (sender.cpu(), receiver.cpu()), time.monotonic()
    action()
    span = time.monotonic() - began
    return {
        f"{name} sender cpu": (sender.cpu() - before[0]) / span,
        f"{name} receiver cpu": (receiver.cpu() - before[1]) / span,
    }


def _write_lines(it: Stage, source: Path, number: int, seconds: float) -> list[float]:
    """A line in each file each second, evenly spread; the delay of each line but those of the first second."""
    copies = {path.name: path for path in _copies(it)}
    names = sorted(copies)
    sizes = [len(LINE)] * number
    waiting: dict[str, deque[tuple[int, float]]] = {name: deque() for name in names}
    delays: list[float] = []
    open_lines = 0

    def take(changed: set[str]) -> int:
        taken, now = 0, time.monotonic()
        for name in changed & waiting.keys():
            size = copies[name].stat().st_size
            while waiting[name] and waiting[name][0][0] <= size:
                delays.append(now - waiting[name].popleft()[1])
                taken += 1
        return taken

    files: list[int] = []
    try:
        with Watch(copies[names[0]].parent) as watch:  # first: select() knows no descriptor above 1023
            files += [os.open(path, os.O_WRONLY | os.O_APPEND) for path in sorted(source.iterdir())]
            began = time.monotonic()
            for count in range(int(number * seconds)):
                due = began + count / number
                while (left := due - time.monotonic()) > 0:
                    if select.select([watch], [], [], left)[0]:
                        open_lines -= take(watch.names())
                index = count % number
                sizes[index] += len(LINE)
                waiting[names[index]].append((sizes[index], time.monotonic()))
                os.write(files[index], LINE)
                open_lines += 1
            deadline = time.monotonic() + 30.0
            while open_lines > 0:
                if time.monotonic() > deadline:
                    raise PeerFailed(f"{open_lines} lines did not arrive")
                select.select([watch], [], [], 0.1)
                watch.names()
                open_lines -= take(set(names))
    finally:
        for descriptor in files:
            os.close(descriptor)
    return delays[number:] or delays
