"""The receiver and the senders as processes: started, killed, frozen, measured."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.clock import Clock, pause
from tests.chaos.plan import Fault
from tests.chaos.truth import Absence, Absences

TOKEN = "chaos"
PATIENCE = 180.0
"""Seconds after which something that should have happened counts as never happening."""


class ProcessFailed(Exception):
    """A process did what it never should."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process uses: KiB of memory now and at most, and counts."""

    rss: int
    peak: int
    threads: int
    descriptors: int

    @classmethod
    def of(cls, pid: int) -> Usage | None:
        """That of process *pid*; None when it is gone."""
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            return None
        found = dict(re.findall(r"^(VmRSS|VmHWM|Threads):\s+(\d+)", status, re.MULTILINE))
        if "VmRSS" not in found:  # a zombie
            return None
        return cls(int(found["VmRSS"]), int(found["VmHWM"]), int(found["Threads"]), descriptors)


@dataclass
class Usages:
    """Of all lives of one program: the first one when it was ready, the last one at the end, and the highest values."""

    first: Usage | None = None
    last: Usage | None = None
    peak: Usage = field(default=Usage(0, 0, 0, 0))

    def add(self, usage: Usage) -> None:
        """One more sample."""
        self.first = self.first or usage
        self.last = usage
        self.peak = Usage(*(max(getattr(self.peak, n), getattr(usage, n)) for n in Usage.__slots__))


class Program:
    """One program and its lives; everything it says is in *log*.

    Args:
        ready: what it says when it works.
    """

    def __init__(self, name: str, arguments: list[str], log: Path, ready: str) -> None:
        self.name = name
        self.log = log
        self.absences = Absences()
        self.usages = Usages()
        self.deaths: Counter[str] = Counter()
        self._command = [sys.executable, "-m", "logstreamer", *arguments]
        self._ready = ready.encode()
        self._process: subprocess.Popen[bytes] | None = None
        self._said = 0  # size of the log when this life began
        self._away_since: float | None = None
        self._frozen_since: float | None = None

    @property
    def alive(self) -> bool:
        """Started and not killed."""
        return self._process is not None

    @property
    def is_ready(self) -> bool:
        """Whether this life has said that it works."""
        with open(self.log, "rb") as file:
            file.seek(self._said)
            return self._ready in file.read()

    def start(self) -> None:
        """Begin a life; nothing happens when there is one."""
        if self._process is not None:
            return
        with open(self.log, "ab") as file:
            self._said = file.tell()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, "LOGSTREAMER_TOKEN": TOKEN},
            )

    def kill(self) -> bool:
        """SIGKILL; False when there was nothing to kill."""
        if self._process is None:
            return False
        self.look()
        self.thaw()
        self._process.kill()
        self._process.wait()
        self._process = None
        if self._away_since is None:
            self._away_since = time.time()
        with open(self.log, "a") as file:
            file.write(f"--- {time.strftime('%H:%M:%S')} killed\n")
        return True

    def end(self) -> None:
        """Whatever state it is in, it is gone afterwards."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> bool:
        """SIGSTOP; False when there is nothing to freeze."""
        if self._process is None or self._frozen_since is not None:
            return False
        self._frozen_since = time.time()
        self._process.send_signal(signal.SIGSTOP)
        return True

    def thaw(self) -> None:
        """SIGCONT, if it was frozen."""
        if self._frozen_since is None:
            return
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
        self.absences.known.append(Absence(self._frozen_since, time.time(), "freeze"))
        self._frozen_since = None

    def look(self) -> None:
        """Sample what it uses, note when it is back.

        Raises:
            ProcessFailed: it ended by itself.
        """
        process = self._process
        if process is None or self._frozen_since is not None:
            return
        if process.poll() is not None:
            raise ProcessFailed(f"{self.name} ended by itself with exit code {process.returncode}")
        if self._away_since is not None or self.usages.first is None:
            if not self.is_ready:
                return
            if self._away_since is not None:
                self.absences.known.append(Absence(self._away_since, time.time(), "kill"))
                self._away_since = None
        usage = Usage.of(process.pid)
        if usage is not None:
            self.usages.add(usage)

    def ask_to_stop(self) -> None:
        """SIGTERM."""
        if self._process is not None:
            self._process.terminate()

    def wait(self, patience: float = PATIENCE) -> int:
        """Wait for its end by itself; the exit code.

        Raises:
            ProcessFailed: it does not end.
        """
        if self._process is None:
            raise ProcessFailed(f"{self.name} does not run")
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            raise ProcessFailed(f"{self.name} did not end within {patience:g} s of SIGTERM") from None
        finally:
            if self._process.poll() is not None:
                self._process = None

    def wait_ready(self) -> None:
        """Wait until it works.

        Raises:
            ProcessFailed: it does not.
        """
        deadline = time.monotonic() + PATIENCE
        while not self.is_ready:
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{self.name} was not ready within {PATIENCE:g} s")
            pause(0.02)
            self.look()
        self.look()


class Ill:
    """Does to programs what the plan says, and undoes it when its time is over."""

    def __init__(self, programs: dict[str, Program], clock: Clock) -> None:
        self._programs = programs
        self._clock = clock
        self._due: list[tuple[float, str, Program]] = []

    def inject(self, fault: Fault) -> bool:
        """Kill or freeze; False when the target is in no state for it."""
        program = self._programs[fault.target]
        act, undo = (program.kill, "start") if fault.kind == "kill" else (program.freeze, "thaw")
        if not act():
            return False
        self._due.append((self._clock.now + fault.seconds, undo, program))
        return True

    def tend(self) -> None:
        """Undo what is due; look at everybody."""
        now = self._clock.now
        due = [item for item in self._due if item[0] <= now]
        self._due = [item for item in self._due if item[0] > now]
        for _, undo, program in due:
            program.start() if undo == "start" else program.thaw()
        for program in self._programs.values():
            program.look()

    def heal(self) -> None:
        """Everybody runs from now on."""
        self._due.clear()
        for program in self._programs.values():
            program.thaw()
            program.start()
