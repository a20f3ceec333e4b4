"""Stage: real `logstreamer` processes in a directory of their own, watched until they end. Needs Linux (/proc)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.session import PeerFailed, cpu_seconds

TOKEN = "bounds"
MIB = 1 << 20
PATIENCE = 600.0
BLOCK = b"".join(b"%010d step loss=0.123456 a line of a log\n" % number for number in range(20_000))


@dataclass(frozen=True, slots=True)
class Peaks:
    """The most a process took while it was watched: bytes of memory (VmHWM), threads, descriptors."""

    memory: int
    threads: int
    descriptors: int


class Watched:
    """A `logstreamer` process, looked at until it ends."""

    def __init__(self, argv: Sequence[str], directory: Path) -> None:
        environment = {name: text for name, text in os.environ.items() if not name.startswith("LOGSTREAMER_")}
        environment |= {"LOGSTREAMER_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1"}
        # Appended to: the process has our offset, and would write over its own words where we read from the start.
        self._said = (directory / f"{argv[0]}.{time.monotonic_ns()}.said").open("a+b")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "logstreamer", *argv],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
        )
        self.peaks = Peaks(0, 0, 0)

    def look(self) -> None:
        """Take what it uses now into the peaks."""
        with suppress(OSError):
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            memory, threads = re.search(r"VmHWM:\s+(\d+)", status), re.search(r"Threads:\s+(\d+)", status)
            if memory and threads:
                descriptors = len(os.listdir(f"/proc/{self.process.pid}/fd"))
                self.peaks = Peaks(
                    max(self.peaks.memory, int(memory[1]) * 1024),
                    max(self.peaks.threads, int(threads[1])),
                    max(self.peaks.descriptors, descriptors),
                )

    def cpu(self) -> float:
        """CPU seconds so far."""
        return cpu_seconds(self.process.pid)

    def memory(self) -> int:
        """Bytes of memory in use now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        assert found is not None
        return int(found[1]) * 1024

    def said(self) -> str:
        """All that it printed."""
        self._said.seek(0)
        return self._said.read().decode(errors="replace")

    def stop(self) -> tuple[float, int]:
        """SIGTERM; seconds until it ended, and its exit code."""
        began = time.monotonic()
        self.process.terminate()
        while self.process.poll() is None:
            self.look()
            time.sleep(0.02)
            assert time.monotonic() - began < PATIENCE, "it does not stop"
        return time.monotonic() - began, self.process.returncode

    def close(self) -> None:
        """Whatever it is doing."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._said.close()


class Stage:
    """Processes of one load, in one directory; all of them end with it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.processes: list[Watched] = []

    def start(self, *argv: str) -> Watched:
        """`logstreamer` with *argv*."""
        self.processes.append(Watched(argv, self.directory))
        return self.processes[-1]

    def receiver(self) -> tuple[Watched, str]:
        """One that is ready, and its URL."""
        receiver = self.start("serve", "--listen", "127.0.0.1:0", "--dest", "copies")
        self.until(lambda: "ready at" in receiver.said())
        found = re.search(r"http://127\.0\.0\.1:\d+", receiver.said())
        assert found is not None
        return receiver, found[0]

    def sender(self, source: Path, url: str, *options: str) -> Watched:
        """One that follows *source*."""
        return self.start("send", str(source), "--to", url, "--site", "s", *options)

    def watch(self, seconds: float) -> None:
        """Look at all of them for *seconds*."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end)

    @staticmethod
    def watch_quietly(seconds: float) -> None:
        """Let *seconds* pass: looking costs CPU."""
        time.sleep(seconds)

    def until(self, happened: Callable[[], bool]) -> None:
        """Look at all of them until *happened*."""
        end = time.monotonic() + PATIENCE
        while not happened():
            if time.monotonic() > end:
                raise PeerFailed(f"not within {PATIENCE:.0f} s: {self.processes[-1].said().strip()[-200:]}")
            for process in self.processes:
                process.look()
            time.sleep(0.02)


@contextmanager
def stage(parent: Path | None = None) -> Iterator[Stage]:
    """One in a directory of its own, in *parent* or with the system's other temporary files."""
    with tempfile.TemporaryDirectory(prefix="stage-", dir=parent) as directory:
        it = Stage(Path(directory))
        try:
            yield it
        finally:
            for process in it.processes:
                process.close()


def write_backlog(path: Path, size: int) -> None:
    """A real file of *size* bytes: holes would be skipped, not sent."""
    with path.open("wb", buffering=0) as file:
        written = 0
        while written < size:
            written += file.write(BLOCK[: size - written])
