"""What people who watch cost: `python -m benchmarks.viewers` prints a table. Needs Linux (/proc).

Three figures of a real receiver and a real sender on this machine: how long a line takes from its append to its event,
how much of its rate ingest loses to viewers of the stream that comes in, to such that have stopped reading, and to
searches. Cases follow each other, and ratios are of neighbours: machines change their speed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

TOKEN = "viewers"
MIB = 1 << 20
BLOCK = b"".join(b"2026-11-24 18:20:37,123 - trainer - INFO - step %07d loss=0.123456\n" % n for n in range(20_000))
PATIENCE = 120.0
FULL = 10
"""Blocks after which the buffers of a connection that nobody reads are full: 13 MiB."""

IDLE_SECONDS = 0.2

READER = """
import selectors, socket, sys
host, port, path, count, reads = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5] == "1"
ready = selectors.DefaultSelector()
for _ in range(count):
    viewer = socket.create_connection((host, port))
    viewer.sendall(f"GET {path} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
    viewer.recv(1 << 16)
    ready.register(viewer, selectors.EVENT_READ)
print("ready", flush=True)
while reads and count:
    for key, _ in ready.select():
        key.fileobj.recv(1 << 20)
sys.stdin.read()
"""
"""Viewers in one process; each has been told the beginning when it says that it is ready."""

SEARCHER = """
import sys, urllib.request
print("ready", flush=True)
while True:
    urllib.request.urlopen(sys.argv[1]).read()
"""

STOPPED = "viewers that stopped reading"
CASES = ("nobody", "viewers", STOPPED, "one search after the other")


def main() -> None:
    """All three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--size", type=int, default=128, help="MiB that come in at a time")
    parser.add_argument("--rounds", type=int, default=2, help="receivers")
    parser.add_argument("--turns", type=int, default=6, help="turns of each case with each receiver")
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as directory:
        latencies = latency(Path(directory) / "latency")
        quantiles = statistics.quantiles(latencies, n=20)
        print(f"append to event: p50 {quantiles[9] * 1000:.0f} ms, p95 {quantiles[18] * 1000:.0f} ms, "
              f"worst {max(latencies) * 1000:.0f} ms")  # fmt: skip
        source = Path(directory) / "source.log"
        with open(source, "wb") as file:
            while file.tell() < options.size * MIB:
                file.write(BLOCK)
        turns: list[dict[str, Turn]] = []
        for number in range(options.rounds):
            place = Path(directory) / str(number)
            turns += ingest(place, source, options.viewers, options.turns)
            shutil.rmtree(place)
    for case in CASES:
        rate = statistics.median(turn[case].rate for turn in turns)
        cost = statistics.median(turn[case].cost for turn in turns)
        share = statistics.median(turn[case].rate / turn["nobody"].rate for turn in turns)
        more = statistics.median(turn[case].cost / turn["nobody"].cost for turn in turns)
        peak = max(turn[case].memory for turn in turns)
        print(f"{case}: {rate / MIB:.0f} MiB/s, {100 * (share - 1):+.0f} %; {cost:.2f} s of CPU for a GiB, "
              f"{100 * (more - 1):+.0f} %; peak so far {peak / MIB:.0f} MiB")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Turn:
    """One time: bytes a second that came in; the receiver's seconds of CPU for a GiB, and its most memory so far."""

    rate: float
    cost: float
    memory: int


def latency(directory: Path) -> list[float]:
    """Seconds from the append of a line to its event, of 200 lines, ten a second."""
    directory.mkdir()
    log = directory / "live.log"
    log.write_bytes(b"begin\n")
    with receiver(directory) as (port, _), sender(log, port), events(port, "site/job/live.log@0") as lines:
        next(lines)
        found = []
        with open(log, "ab", buffering=0) as file:
            for _ in range(200):
                file.write(b"%d\n" % time.monotonic_ns())
                stamp = next(lines)
                found.append((time.monotonic_ns() - int(stamp)) / 1e9)
                time.sleep(0.1)
    return found


def ingest(directory: Path, source: Path, viewers: int, turns: int) -> list[dict[str, Turn]]:
    """How *source* comes in, again and again, in each case."""
    directory.mkdir()
    log = directory / "live.log"
    log.write_bytes(b"begin\n")
    copy = directory / "copies" / "site" / "job" / "live.log"
    found = []
    with receiver(directory) as (port, pid), sender(log, port):
        _wait(lambda: copy.exists() and copy.stat().st_size == 6)
        for number in range(turns):
            cases = CASES if number % 2 == 0 else CASES[::-1]
            others = (nullcontext(), watching(port, viewers, True), watching(port, viewers, False), searching(port))
            company = dict(zip(CASES, others, strict=True))
            blocks = {STOPPED: FULL}
            found.append({case: turn(company[case], log, copy, source, pid, blocks.get(case, 1)) for case in cases})
    return found


def turn(company: AbstractContextManager[None], log: Path, copy: Path, source: Path, pid: int, blocks: int) -> Turn:
    """One of them: after some *blocks* *log* is replaced by another file with the bytes of *source*."""
    with company:
        for _ in range(blocks):
            size = copy.stat().st_size + len(BLOCK)
            with open(log, "ab") as file:
                file.write(BLOCK)
            _wait(lambda: copy.stat().st_size == size)  # noqa: B023
            _wait(lambda: _is_idle(pid))
        begin = copy.stat().st_size
        end = begin + source.stat().st_size
        shutil.copyfile(source, log.with_name("next"))
        used = _cpu(pid)
        os.replace(log.with_name("next"), log)
        _wait(lambda: copy.stat().st_size > begin)
        began, first = time.monotonic(), copy.stat().st_size
        _wait(lambda: copy.stat().st_size >= end)
        seconds = time.monotonic() - began
        return Turn((end - first) / seconds, (_cpu(pid) - used) / (end - begin) * (1 << 30), _memory(pid))


@contextmanager
def receiver(directory: Path) -> Iterator[tuple[int, int]]:
    """A receiver's port and process."""
    command = [
        sys.executable,
        "-m",
        "logstreamer",
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--dest",
        str(directory / "copies"),
    ]
    environment = {**os.environ, "LOGSTREAMER_TOKEN": TOKEN}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
        assert process.stdout is not None
        try:
            found = re.search(rb":(\d+)", process.stdout.readline().rpartition(b"//")[2])
            assert found is not None
            yield int(found[1]), process.pid
        finally:
            process.terminate()


@contextmanager
def sender(log: Path, port: int) -> Iterator[None]:
    """Something that follows *log*."""
    to = ["--to", f"http://127.0.0.1:{port}", "--site", "site", "--job", "job"]
    command = [sys.executable, "-m", "logstreamer", "send", str(log), *to]
    environment = {**os.environ, "LOGSTREAMER_TOKEN": TOKEN}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as process:
        try:
            yield
        finally:
            process.kill()


@contextmanager
def watching(port: int, count: int, reads: bool) -> Iterator[None]:
    """*count* viewers of the stream, in one process that gives way to the others, as if it ran elsewhere."""
    path = f"/api/v1/events?token={TOKEN}&stream=site/job/live.log@-1"
    command = [
        "nice",
        "-n",
        "19",
        sys.executable,
        "-c",
        READER,
        "127.0.0.1",
        str(port),
        path,
        str(count),
        str(int(reads)),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


@contextmanager
def searching(port: int) -> Iterator[None]:
    """Somebody who searches everything for what is not there."""
    url = f"http://127.0.0.1:{port}/api/v1/search?token={TOKEN}&q=no+such+(thing|word)"
    with subprocess.Popen([sys.executable, "-c", SEARCHER, url], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


@contextmanager
def events(port: int, stream: str) -> Iterator[Iterator[str]]:
    """The texts of the lines of *stream* as they come."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        path = f"/api/v1/events?token={TOKEN}&stream={stream}"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

        def texts() -> Iterator[str]:
            for line in connection.makefile("rb"):
                if line.startswith(b'data: {"stream":'):
                    yield from (one["text"] for one in json.loads(line[6:])["lines"] if not one.get("open"))

        yield texts()


def _cpu(pid: int) -> float:
    """Seconds of CPU that process *pid* has used."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _is_idle(pid: int) -> bool:
    """Whether process *pid* does next to nothing."""
    used = _cpu(pid)
    time.sleep(IDLE_SECONDS)
    return _cpu(pid) - used <= IDLE_SECONDS / 10


def _memory(pid: int) -> int:
    """The most that process *pid* had in memory."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def _wait(happened) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError("it does not happen")
        time.sleep(0.002)


if __name__ == "__main__":
    main()
