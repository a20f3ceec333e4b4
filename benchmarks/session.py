"""Starts both ends of a peer, watches them, and stops them whatever happens."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from benchmarks.peers.base import Command, Peer, Way

START_TIMEOUT = 30.0
STOP_TIMEOUT = 10.0
_LISTEN = "0A"

Number = TypeVar("Number", int, float)


class PeerFailed(Exception):
    """A peer ended, stalled, or stored other bytes than it was given."""


class Session:
    """A running transfer. The receiver listens when the context is entered; `send()` starts the sender.

    Args:
        peer: whose ends to run.
        way: from where to where.
        output: a file for what the processes print.
    """

    def __init__(self, peer: Peer, way: Way, output: Path) -> None:
        self._peer = peer
        self.way = way
        self._output = output
        self.senders: list[subprocess.Popen[bytes]] = []
        self.receivers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Session:
        try:
            for path, text in self._peer.files(self.way).items():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            self._start(self._peer.receiver(self.way), self.receivers, self.way.network.at_receiver)
            self._wait_listening()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def send(self) -> None:
        """Start the sending end."""
        self._start(self._peer.sender(self.way), self.senders, self.way.network.at_sender)

    def stored_size(self) -> int:
        """Bytes of the copy so far; 0 before it exists."""
        try:
            return self._peer.stored(self.way).stat().st_size
        except FileNotFoundError:
            return 0

    def cpu(self) -> tuple[float, float]:
        """CPU seconds so far of (all senders, all receivers), ended threads included.

        Raises:
            PeerFailed: a process is no longer there.
        """
        return self._at_both_ends(cpu_seconds)

    def memory(self) -> tuple[int, int]:
        """Bytes of memory at their peaks so far of (all senders, all receivers).

        Raises:
            PeerFailed: a process is no longer there.
        """
        return self._at_both_ends(peak_memory)

    def _at_both_ends(self, measure: Callable[[int], Number]) -> tuple[Number, Number]:
        self.check()
        return sum(measure(child.pid) for child in self.senders), sum(measure(child.pid) for child in self.receivers)

    def check(self) -> None:
        """Raise PeerFailed when a process has ended: each should run until it is stopped."""
        for child in [*self.senders, *self.receivers]:
            if child.poll() is not None:
                raise PeerFailed(f"{self._peer.name}: a process ended with {child.returncode}: {self._said()}")

    def wait_until_stored(self, size: int, poll: float = 0.001, stall: float = 60.0) -> Iterator[int]:
        """Yield the stored size after each step of growth, until it is *size*.

        Raises:
            PeerFailed: a process ended, no growth for *stall* seconds, or more than *size* bytes.
        """
        last, since = 0, time.monotonic()
        while last < size:
            now = self.stored_size()
            if now != last:
                last, since = now, time.monotonic()
                yield now
                continue
            self.check()
            if time.monotonic() - since > stall:
                raise PeerFailed(f"{self._peer.name}: {last} of {size} bytes, then nothing for {stall:.0f} s")
            time.sleep(poll)
        if last > size:
            raise PeerFailed(f"{self._peer.name}: stored {last} bytes of {size}")

    def _start(self, commands: list[Command], children: list[subprocess.Popen[bytes]], within: tuple[str, ...]) -> None:
        source: int | None = subprocess.DEVNULL
        with self._output.open("ab") as output, contextlib.ExitStack() as pipes:
            for command in commands:
                child = subprocess.Popen(
                    [*within, *command.argv],
                    env={**os.environ, **command.env},
                    stdin=source,
                    stdout=subprocess.PIPE if command.feeds_next else output,
                    stderr=output,
                )
                children.append(child)
                source = subprocess.DEVNULL
                if child.stdout is not None:  # ours is closed below, so that the pipe ends when its writer does
                    source = pipes.enter_context(child.stdout).fileno()

    def _wait_listening(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not any(is_listening(self.way.port, child.pid) for child in self.receivers):
            self.check()
            if time.monotonic() > deadline:
                raise PeerFailed(f"{self._peer.name}: nothing listens after {START_TIMEOUT:.0f} s: {self._said()}")
            time.sleep(0.02)

    def _stop(self) -> None:
        for children in (self.senders, self.receivers):
            for child in children:
                child.terminate()
            for child in children:
                try:
                    child.wait(STOP_TIMEOUT)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()

    def _said(self) -> str:
        lines = self._output.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "(it said nothing)"


def cpu_seconds(pid: int) -> float:
    """CPU time of a living process, all its threads, ended ones too, in nanosecond resolution."""
    # The number clock_getcpuclockid(3) would give: not wrapped by Python, fixed in Linux's ABI.
    return time.clock_gettime((~pid << 3) | 2)


def peak_memory(pid: int) -> int:
    """Bytes of memory of a living process at their peak so far (VmHWM)."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    if found is None:
        raise PeerFailed(f"process {pid} has ended")
    return int(found[1]) * 1024


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int, pid: int) -> bool:
    """Whether somebody listens on *port* in the network of process *pid*.

    From the kernel's table: a connection as a test would use up a receiver that takes only one.
    """
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                _, local, _, state, *_ = line.split()
                if state == _LISTEN and int(local.rpartition(":")[2], 16) == port:
                    return True
    return False
