"""Two processes on NVFlare's cellnet, watched through their pipes."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

ENDS = Path(__file__).with_name("ends.py")
PATIENCE = 60.0


class End:
    """One running `ends.py`."""

    def __init__(self, *argv: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(ENDS), *map(str, argv)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[str] = []
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read_events, args=(self.process.stdout,)),
            threading.Thread(target=self._read_log, args=(self.process.stderr,)),
        ]
        for reader in self._readers:
            reader.start()

    def _read_events(self, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                self._events.put(json.loads(line))

    def _read_log(self, pipe: IO[str]) -> None:
        with pipe:
            self.log.extend(line.rstrip() for line in pipe)

    def wait(self, event: str) -> dict[str, Any]:
        """The next event of that name."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                found = self._events.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {event}; it logged: {self.log[-20:]}") from None
            if found["event"] == event:
                return found

    def events(self) -> list[dict[str, Any]]:
        """Those that were not waited for."""
        found = []
        while not self._events.empty():
            found.append(self._events.get())
        return found

    def signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """SIGKILL, and wait for it."""
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()

    def stop(self) -> None:
        """SIGTERM, and wait for the end."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.kill()


class Pair:
    """A receiver and a sender in one directory; both can be started again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "train.log"
        self.dest = directory / "dest"
        self._stop = directory / "stop"
        self._wait = directory / "wait"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._url = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        self._ends: list[End] = []

    def receiver(self, make: str, *options: object, late: bool = False) -> End:
        """Start the receiving end; *late*: it registers at `let_register`."""
        wait = ("--wait-file", self._wait) if late else ()
        return self._start("receive", make, self._url, self.dest, *options, *wait)

    def sender(self, make: str, *options: object) -> End:
        """Start the sending end."""
        return self._start("send", make, self._url, self.log, "--stop-file", self._stop, *options)

    def _start(self, *argv: object) -> End:
        self._ends.append(End(*argv))
        return self._ends[-1]

    def let_register(self) -> None:
        """Let a late receiver register."""
        self._wait.touch()

    def stop_sending(self) -> None:
        """The file has got its last line."""
        self._stop.touch()

    def close(self) -> None:
        """Kill what still runs."""
        for end in self._ends:
            if end.process.poll() is None:
                end.signal(signal.SIGCONT)
            end.kill()


def write_lines(path: Path, first: int, last: int) -> bytes:
    """Append numbered lines; they are returned."""
    lines = b"".join(
        b"%08d epoch=3 step=%d loss=0.%06d\n" % (n, n % 97, n * 7919 % 1000003) for n in range(first, last)
    )
    with path.open("ab") as file:
        file.write(lines)
    return lines
