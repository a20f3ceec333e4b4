"""Three targets: one healthy, one slow, one dead."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.measure import compare
from benchmarks.records import Record
from benchmarks.session import PeerFailed, cpu_seconds, free_port, peak_memory
from benchmarks.stage import MIB, Stage, stage

SLOW = 1e6
"""Bytes a second towards the slow target."""

PATIENCE = 60.0


def targets(bench: Bench) -> None:
    """The healthy one alone, and beside the other two, by turns."""
    source = bench.log(128 if bench.quick else 256)
    for turn in range(2 if bench.quick else 4):
        for company in (False, True):
            record = _once(source, bench.workdir, 0, company=company)
            if turn > 0:
                bench.add(record)


def chunk_size(source: Path, scratch: Path, size: int) -> Record:
    """One healthy target, chunks of *size* bytes."""
    alone = _once(source, scratch, size, company=False)
    return Record("growth-chunk", "logstreamer", {"chunk": float(size), **alone.values})


def _once(source: Path, scratch: Path, chunk: int, *, company: bool) -> Record:
    with stage(scratch) as it:
        receiver, url = it.receiver()
        urls = [f"healthy={url}"]
        helpers: list[subprocess.Popen[str]] = []
        try:
            if company:
                urls += [f"slow=http://127.0.0.1:{_slow_way(it, helpers)}", f"dead=http://127.0.0.1:{free_port()}"]
            argv = [sys.executable, "-m", "benchmarks.api_send", str(source), str(chunk), *urls]
            helpers.append(subprocess.Popen(argv, text=True))
            copy = it.directory / "copies" / "bench" / "b" / source.name
            pids = {"sender": helpers[-1].pid, "receiver": receiver.process.pid}
            rate, cpu = _rate(copy, source.stat().st_size, *pids.values())
            values = {"rate": rate, **{f"{end} cpu": used for end, used in zip(pids, cpu, strict=True)}}
            values |= {f"{end} memory": float(peak_memory(pid)) for end, pid in pids.items()}
            compare(source, copy, "logstreamer")
        finally:
            for helper in helpers:
                helper.kill()
                helper.wait()
                if helper.stdout is not None:
                    helper.stdout.close()
    return Record("targets", "in company" if company else "alone", values)


def _slow_way(it: Stage, helpers: list[subprocess.Popen[str]]) -> str:
    slow = it.start("serve", "--listen", "127.0.0.1:0", "--dest", "slow")
    it.until(lambda: "ready at" in slow.said())
    port = slow.said().split("127.0.0.1:")[1].split("/")[0].split()[0]
    argv = [sys.executable, "-m", "benchmarks.relay", port, str(SLOW)]
    helpers.append(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True))
    stdout = helpers[-1].stdout
    assert stdout is not None
    return stdout.readline().strip()


def _rate(copy: Path, size: int, *pids: int) -> tuple[float, list[float]]:
    """Bytes a second from the first MiB to the last byte, and CPU seconds for 10^9 bytes of each process."""
    end = time.monotonic() + PATIENCE
    began, first, cpu = 0.0, 0, [0.0 for _ in pids]
    while True:
        stored, now = copy.stat().st_size if copy.exists() else 0, time.monotonic()
        if not first and stored >= MIB:
            began, first, cpu = now, stored, [cpu_seconds(pid) for pid in pids]
        if first and stored >= size:
            used = [cpu_seconds(pid) - before for pid, before in zip(pids, cpu, strict=True)]
            return (stored - first) / (now - began), [seconds / (stored - first) * 1e9 for seconds in used]
        if now > end:
            raise PeerFailed(f"{stored} of {size} bytes after {PATIENCE:.0f} s")
        time.sleep(0.001)
