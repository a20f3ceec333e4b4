"""The two measurements. They return what was seen and judge nothing but the bytes: a wrong copy is no result."""

from __future__ import annotations

import hashlib
import random
import select
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from benchmarks.inotify import Watch
from benchmarks.loglines import lines
from benchmarks.peers.base import Peer, Way
from benchmarks.session import PeerFailed, Session, free_port

LATENCY_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Backlog:
    """A file that was there before the sender: from the first stored byte seen to the last one.

    Args:
        size: bytes stored in that time.
        seconds: how long it took.
        sender_cpu, receiver_cpu: CPU seconds of each side in that time.
        startup: seconds from starting the sender to the first stored byte; not part of *seconds*.
    """

    size: int
    seconds: float
    sender_cpu: float
    receiver_cpu: float
    startup: float

    @property
    def rate(self) -> float:
        """Bytes per second."""
        return self.size / self.seconds


def measure_backlog(peer: Peer, source: Path, scratch: Path) -> Backlog:
    """Bring all of *source* over once.

    Raises:
        PeerFailed: it did not come over whole.
    """
    size = source.stat().st_size
    with _running(peer, source, scratch) as session:
        begin = time.perf_counter()
        session.send()
        stored = session.wait_until_stored(size)
        first = next(stored)
        first_time, first_cpu = time.perf_counter(), session.cpu()
        for _ in stored:
            pass
        end_time, end_cpu = time.perf_counter(), session.cpu()
    return Backlog(
        size=size - first,
        seconds=end_time - first_time,
        sender_cpu=end_cpu[0] - first_cpu[0],
        receiver_cpu=end_cpu[1] - first_cpu[1],
        startup=first_time - begin,
    )


def measure_latency(peer: Peer, scratch: Path, rate: float, seconds: float, warmup: float = 1.0) -> list[float]:
    """Seconds from just before a line's write(2) to the copy holding its last byte, one for each line.

    One thread writes and watches. Between writes it sleeps in select() on an inotify watch of the copy, so it takes no
    CPU from the peer, which has only this machine's cores; its own wake-up is in the figure, alike for every peer.
    The gaps between lines vary (0.5 to 1.5 of the mean), so that no polling interval falls in step with them.

    Raises:
        PeerFailed: a line did not arrive.
    """
    chance = random.Random(5)
    records = list(islice(lines(seed=5), max(1, round(rate * (seconds + warmup)))))
    source = scratch / "latency.log"
    source.write_bytes(b"the first line opens the stream\n")
    with _running(peer, source, scratch) as session, source.open("ab", buffering=0) as file:
        session.send()
        for _ in session.wait_until_stored(file.tell()):
            pass
        with Watch(peer.stored(session.way)) as watch:
            waiting: list[tuple[int, float]] = []  # (offset of the line's end, when it was written)
            seen: list[float] = []
            next_write = time.monotonic()
            deadline = next_write + seconds + warmup + LATENCY_TIMEOUT
            for record in records:
                next_write += chance.uniform(0.5, 1.5) / rate
                _observe(session, watch, waiting, seen, until=next_write)
                written = time.monotonic()
                file.write(record)
                waiting.append((file.tell(), written))
            while waiting:
                if time.monotonic() > deadline:
                    raise PeerFailed(f"{peer.name}: {len(waiting)} lines did not arrive")
                _observe(session, watch, waiting, seen, until=time.monotonic() + 0.1)
    return seen[len(seen) - round(rate * seconds) :]


def _observe(session: Session, watch: Watch, waiting: list[tuple[int, float]], seen: list[float], until: float) -> None:
    """Move lines whose last byte is stored from *waiting* to *seen*, until the clock says *until*."""
    while True:
        left = until - time.monotonic()
        select.select([watch], [], [], max(0.0, left))
        watch.drain()
        size, now = session.stored_size(), time.monotonic()
        while waiting and waiting[0][0] <= size:
            seen.append(now - waiting.pop(0)[1])
        if now >= until:
            session.check()
            return


@contextmanager
def _running(peer: Peer, source: Path, scratch: Path) -> Iterator[Session]:
    """Receiver up, copy compared at the end and removed; what the processes printed stays when they failed."""
    dest = scratch / "copy"
    output = scratch / "output.txt"
    shutil.rmtree(dest, ignore_errors=True)
    output.unlink(missing_ok=True)
    dest.mkdir(parents=True)
    way = Way(source=source, dest=dest, port=free_port())
    with Session(peer, way, output) as session:
        yield session
        _compare(peer, source, peer.stored(way))
    shutil.rmtree(dest)


def _compare(peer: Peer, source: Path, copy: Path) -> None:
    with source.open("rb") as one, copy.open("rb") as other:
        if hashlib.file_digest(one, "sha256").digest() != hashlib.file_digest(other, "sha256").digest():
            raise PeerFailed(f"{peer.name}: the copy differs from its source")
