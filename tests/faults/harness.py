"""Parts of these tests: a log that grows, a link that fails, scripts that are told what to do, and the oracle."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest
from tests.chaos.plan import Fault
from tests.chaos.proxy import Proxy

from e2e.conftest import Receiver
from e2e.processes import PATIENCE, Program, environment, numbered_lines, sha256, size, wait_until
from logstreamer.store import Store, StreamRecord, verify

SITE = "s"
SCRIPTS = Path(__file__).with_name("scripts")
SOAK = "SOAK" in os.environ
"""Whether faults last as long as the table says (`make soak`), and not only longer than the timeouts they exceed."""


class Log:
    """A file of numbered lines. `grow` writes on in a thread until `pause`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """Its last component, also that of its copy."""
        return self.path.name

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self.path.stat().st_size

    def write(self, count: int) -> None:
        """So many more lines, at once."""
        with self.path.open("ab") as file:
            file.write(numbered_lines(self.lines, self.lines + count))
        self.lines += count

    def grow(self, lines: int = 200, pause: float = 0.005) -> None:
        """Write *lines* every *pause* seconds from now on."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._grow, args=(lines, pause), daemon=True)
        self._thread.start()

    def _grow(self, lines: int, pause: float) -> None:
        while not self._stop.wait(pause):
            self.write(lines)

    def pause(self) -> None:
        """No more lines until told so."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None


class Link:
    """A TCP proxy in front of the receiver; a context manager."""

    def __init__(self, port: int) -> None:
        self._proxy = Proxy((SITE,), port)

    @property
    def url(self) -> str:
        """Where a sender finds it."""
        return f"http://127.0.0.1:{self._proxy.ports[SITE]}"

    @property
    def connections(self) -> int:
        """Made so far."""
        return self._proxy.connections

    def fail(self, kind: str, **how: Any) -> None:
        """Begin a fault, see `Fault`; without *seconds* it lasts until `heal`."""
        self._proxy.inject(Fault(0.0, kind, SITE, **{"seconds": 1e6, **how}))

    def heal(self) -> None:
        """End every fault; what was held back goes on."""
        self._proxy.heal()

    def __enter__(self) -> Link:
        self._proxy.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._proxy.__exit__(*exc)


class Script(Program):
    """One of `scripts/` as a process: `tell` it something, and `wait_line` for its answer."""

    def __init__(self, name: str, argv: Sequence[str], cwd: Path, **variables: str) -> None:
        self.said = []
        self.out = bytearray()
        self._lines = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPTS / name), *argv],
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(**variables),
        )
        pipes = ((self.process.stdout, True), (self.process.stderr, False))
        self._readers = [threading.Thread(target=self._read, args=pipe) for pipe in pipes]
        for reader in self._readers:
            reader.start()

    def tell(self, words: str) -> None:
        """One line on its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(words.encode() + b"\n")
        self.process.stdin.flush()

    def end(self) -> None:
        """Kill it, if it still runs."""
        if self.process.poll() is None:
            self.kill()
        if self.process.stdin is not None:
            self.process.stdin.close()


def in_soak(*values: Any) -> list[Any]:
    """Parameters of a test, one or a tuple of several, that only a soak has: they take minutes."""
    sets = [value if isinstance(value, tuple) else (value,) for value in values]
    return [pytest.param(*each, marks=pytest.mark.timeout(600)) for each in sets] if SOAK else []


def lacking(package: str) -> NoReturn:
    """A program that the test runs is not there: a failure where `make setup` can install it, else skipped."""
    if os.geteuid() == 0 and shutil.which("apt-get") is not None:
        pytest.fail(f"{package} is missing: `make setup` installs it")
    pytest.skip(f"{package} is missing (Debian: sudo apt-get install {package})")


def record(receiver: Receiver, name: str = "app.log") -> StreamRecord:
    """What the store knows of a copy."""
    with Store.view(receiver.copies) as view:
        found = [one for one in view.streams() if (one.site, one.file) == (SITE, name)]
    assert len(found) == 1, found
    return found[0]


def wait_copied(receiver: Receiver, log: Log, patience: float = PATIENCE) -> None:
    """Until the copy is as long as *log* is now."""
    wait_until(lambda: size(receiver.copy(log.name)) >= log.size, f"{log.size} bytes of {log.name}", patience)


def check_exact(receiver: Receiver, *sources: Path, name: str = "app.log") -> None:
    """The copy holds the bytes of *sources*, one after the other, and is the only one; nothing is known to be wrong."""
    copy = receiver.copy(name)
    assert size(copy) == sum(size(source) for source in sources)
    assert sha256(copy) == sha256(*sources)
    assert not receiver.copy(f"{name}.2").exists()
    with Store.view(receiver.copies) as view:
        [report] = [one for one in verify(view) if one.path == f"{SITE}/default/{name}"]
    assert (report.gaps, report.damage, report.troubles) == ((), (), ())


def check_no_errors(*programs: Program) -> None:
    """None of them had an error to tell, or failed inside."""
    said = [line for program in programs for line in program.said]
    assert not [line for line in said if "ERROR" in line or "Traceback" in line], said


def finish(sender: Program) -> None:
    """Stop a sender; it sends what there is, and everything went well."""
    assert sender.stop() == 0, sender.said


def once_after(seconds: float) -> Callable[[], bool]:
    """A condition that holds after *seconds*: the time that a fault lasts."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end
