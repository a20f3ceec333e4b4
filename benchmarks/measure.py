"""The measurements of one stream. They judge nothing but the bytes: a wrong copy is no result."""

from __future__ import annotations

import math
import random
import select
import shutil
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from itertools import islice
from pathlib import Path

from benchmarks.inotify import Watch
from benchmarks.loglines import lines
from benchmarks.peers.base import Network, Peer, Way
from benchmarks.session import PeerFailed, Session, free_port

LATENCY_TIMEOUT = 30.0
LOOPBACK = Network()
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Backlog:
    """A file that was there before the sender: from the first stored byte seen to the last one.

    Args:
        size: bytes stored in that time.
        seconds: how long it took.
        sender_cpu, receiver_cpu: CPU seconds of each side in that time.
        startup: seconds from starting the sender to the first stored byte; not part of *seconds*.
        sender_memory, receiver_memory: bytes of memory of each side's processes at their peaks.
    """

    size: int
    seconds: float
    sender_cpu: float
    receiver_cpu: float
    startup: float
    sender_memory: int
    receiver_memory: int

    @property
    def rate(self) -> float:
        """Bytes per second."""
        return self.size / self.seconds


@dataclass(frozen=True, slots=True)
class Latency:
    """Lines written while both ends ran.

    Args:
        delays: seconds from just before the last write(2) of each burst to the copy holding its last byte.
        span: seconds in which they were written.
        sender_cpu, receiver_cpu: CPU seconds of each side in that time.
        behind: seconds after the last write until all was stored.
        sender_memory, receiver_memory: bytes of memory of each side's processes at their peaks.
    """

    delays: list[float]
    span: float
    sender_cpu: float
    receiver_cpu: float
    behind: float
    sender_memory: int
    receiver_memory: int


def measure_backlog(
    peer: Peer, source: Path, scratch: Path, *, network: Network = LOOPBACK, limit: float = math.inf
) -> Backlog:
    """Bring all of *source* over once, or as much of it as comes in *limit* seconds.

    Raises:
        PeerFailed: it did not come over whole.
    """
    size = source.stat().st_size
    with _running(peer, source, scratch, network) as session:
        begin = time.perf_counter()
        session.send()
        stored = session.wait_until_stored(size)
        first = last = next(stored)
        first_time, first_cpu = time.perf_counter(), session.cpu()
        while last < size and time.perf_counter() - first_time < limit:
            last = next(stored)
        end_time, end_cpu = time.perf_counter(), session.cpu()
        memory = session.memory()
        if last > size:
            raise PeerFailed(f"{peer.name}: stored {last} bytes of {size}")
    return Backlog(
        size=last - first,
        seconds=end_time - first_time,
        sender_cpu=end_cpu[0] - first_cpu[0],
        receiver_cpu=end_cpu[1] - first_cpu[1],
        startup=first_time - begin,
        sender_memory=memory[0],
        receiver_memory=memory[1],
    )


def measure_latency(
    peer: Peer,
    scratch: Path,
    rate: float,
    seconds: float,
    warmup: float = 1.0,
    *,
    burst: int = 1,
    network: Network = LOOPBACK,
) -> Latency:
    """Write *rate* lines a second, each with its own write(2), in bursts of *burst*, for *seconds* after *warmup*.

    One thread writes and watches. Between writes it sleeps in select() on an inotify watch of the copy, so it takes no
    CPU from the peer, which has only this machine's cores; its own wake-up is in the figure, alike for every peer.
    The gaps between bursts vary (0.5 to 1.5 of the mean), so that no polling interval falls in step with them.

    Raises:
        PeerFailed: a line did not arrive.
    """
    chance = random.Random(5)
    gap = burst / rate
    records = list(islice(lines(seed=5), max(burst, round(rate * (seconds + warmup)))))
    bursts = [records[at : at + burst] for at in range(0, len(records), burst)]
    source = scratch / "latency.log"
    source.write_bytes(b"the first line opens the stream\n")
    with _running(peer, source, scratch, network) as session, source.open("ab", buffering=0) as file:
        session.send()
        for _ in session.wait_until_stored(file.tell()):
            pass
        with Watch(peer.stored(session.way)) as watch:
            waiting: deque[tuple[int, float]] = deque()  # (offset of the line's end, when it was written)
            seen: list[float] = []
            next_write = time.monotonic()
            begin, cpu = next_write + warmup, session.cpu()
            deadline = begin + seconds + LATENCY_TIMEOUT
            for records in bursts:
                next_write += chance.uniform(0.5, 1.5) * gap
                _observe(session, watch, waiting, seen, until=next_write)
                if next_write <= begin:
                    cpu = session.cpu()
                written = _write(file, records)
                waiting.append((file.tell(), written))
            end, end_cpu = time.monotonic(), session.cpu()
            while waiting:
                if time.monotonic() > deadline:
                    raise PeerFailed(f"{peer.name}: the last {len(waiting)} lines did not arrive")
                _observe(session, watch, waiting, seen, until=time.monotonic() + 0.01)
            behind = time.monotonic() - end
        memory = session.memory()
    count = max(1, round(seconds / gap))
    return Latency(seen[-count:], end - begin, end_cpu[0] - cpu[0], end_cpu[1] - cpu[1], behind, *memory)


def _write(file: FileIO, records: list[bytes]) -> float:
    """Each of *records* by its own write(2); when the last one began."""
    write = file.write
    for record in records[:-1]:
        write(record)
    written = time.monotonic()
    write(records[-1])
    return written


def _observe(
    session: Session, watch: Watch, waiting: deque[tuple[int, float]], seen: list[float], until: float
) -> None:
    """Move lines whose last byte is stored from *waiting* to *seen*, until the clock says *until*."""
    while True:
        left = until - time.monotonic()
        select.select([watch], [], [], max(0.0, left))
        watch.drain()
        size, now = session.stored_size(), time.monotonic()
        while waiting and waiting[0][0] <= size:
            seen.append(now - waiting.popleft()[1])
        if now >= until:
            session.check()
            return


@contextmanager
def _running(peer: Peer, source: Path, scratch: Path, network: Network) -> Iterator[Session]:
    """Receiver up, copy compared at the end and removed; what the processes printed stays when they failed."""
    dest = scratch / "copy"
    output = scratch / "output.txt"
    shutil.rmtree(dest, ignore_errors=True)
    output.unlink(missing_ok=True)
    dest.mkdir(parents=True)
    way = Way(source=source, dest=dest, port=free_port(), network=network)
    with Session(peer, way, output) as session:
        yield session
    compare(source, peer.stored(way), peer.name)
    shutil.rmtree(dest)


def compare(source: Path, copy: Path, name: str) -> None:
    """Raise PeerFailed unless *copy* is how *source* begins, and not empty."""
    with source.open("rb") as one, copy.open("rb") as other:
        while block := other.read(_BLOCK):
            if one.read(len(block)) != block:
                raise PeerFailed(f"{name}: the copy differs from its source")
        if other.tell() == 0:
            raise PeerFailed(f"{name}: the copy is empty")
