"""Real processes of the command line, watched through their pipes."""

from __future__ import annotations

import hashlib
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import conftest

TOKEN = "a-token-of-the-tests"
PATIENCE = 60.0
"""Seconds after which something that should have happened counts as never happening; a busy machine is no failure."""
PLAIN = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


class Program:
    """One running `logstreamer ...`: its output arrives line by line.

    Args:
        plain: without root's right to read and write everything.
        unset: variables that it does not get.
    """

    def __init__(
        self, argv: Sequence[str], cwd: Path, *, plain: bool = False, unset: Sequence[str] = (), **variables: str
    ) -> None:
        self.said: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self.process = subprocess.Popen(
            [*(PLAIN if plain and os.geteuid() == 0 else ()), sys.executable, "-m", "logstreamer", *argv],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={name: text for name, text in environment(**variables).items() if name not in unset},
        )
        self.out = bytearray()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, True)),
            threading.Thread(target=self._read, args=(self.process.stderr, False)),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe: IO[bytes], is_output: bool) -> None:
        with pipe:
            while block := pipe.readline():
                if is_output:
                    self.out += block
                else:
                    self.said.append(block.decode().rstrip())
                self._lines.put(block.decode("utf-8", "replace").rstrip())

    def wait_line(self, pattern: str, patience: float = PATIENCE) -> re.Match[str]:
        """The next line on either pipe that *pattern* is found in."""
        end = time.monotonic() + patience
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line with {pattern!r}; it said {self.said}, {bytes(self.out)!r}") from None
            if match := re.search(pattern, line):
                return match

    def wait(self, patience: float = PATIENCE) -> int:
        """Its exit code."""
        code = self.process.wait(patience)
        for reader in self._readers:
            reader.join()
        return code

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.terminate()
        return self.wait()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.wait()


def environment(**variables: str) -> dict[str, str]:
    """Ours without anything of logstreamer's, with the tests' token."""
    ours = {name: text for name, text in os.environ.items() if not name.startswith("LOGSTREAMER_")}
    return {**ours, "LOGSTREAMER_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1", **variables}


def run(argv: Sequence[str], cwd: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """`logstreamer` with *argv*, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "logstreamer", *argv],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        env=environment(**variables),
        check=False,
    )


def wait_until(happened: Callable[[], object], what: str = "it", patience: float = PATIENCE) -> None:
    """Look at *happened* until it holds, with the patience that processes need."""
    conftest.wait_until(happened, f"waited {patience} s for {what}", patience)


def size(path: Path) -> int:
    """Bytes in the file; -1 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


def sha256(*paths: Path) -> str:
    """Of the files, one after the other."""
    whole = hashlib.sha256()
    for path in paths:
        whole.update(path.read_bytes())
    return whole.hexdigest()


def numbered_lines(first: int, last: int) -> bytes:
    """Lines that say which they are."""
    return b"".join(b"%08d a line of a log, no other is the same\n" % number for number in range(first, last))
