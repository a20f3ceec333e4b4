"""What the promise "bounded" costs in figures: peak memory, threads and descriptors of real processes under four loads.

`python -m benchmarks.bounds` prints a table; docs/reliability.md has one such run. Needs Linux (/proc).
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from websockets.sync.server import ServerConnection, serve

from logstreamer.protocol.codec import decode, encode
from logstreamer.protocol.frames import Accept, Open

TOKEN = "bounds"
MIB = 1 << 20
PATIENCE = 300.0
BLOCK = b"".join(b"%010d step loss=0.123456 a line of a log\n" % number for number in range(20_000))

WRITER = """
import sys
with open(sys.argv[1], "ab", buffering=0) as file:
    line = b"a line of a log that never stops\\n" * 200
    while True:
        file.write(line)
"""


@dataclass(frozen=True, slots=True)
class Peaks:
    """The most a process took while it was watched: bytes of memory (VmHWM), threads, descriptors."""

    memory: int
    threads: int
    descriptors: int


@dataclass(frozen=True, slots=True)
class Row:
    """One load: the *sender*, the *receiver* where there was a real one, how the sender ended."""

    load: str
    sender: Peaks
    receiver: Peaks | None
    stop_seconds: float
    exit_code: int
    last_words: str


class Watched:
    """A `logstreamer` process, looked at until it ends."""

    def __init__(self, argv: Sequence[str], directory: Path) -> None:
        environment = {name: text for name, text in os.environ.items() if not name.startswith("LOGSTREAMER_")}
        environment |= {"LOGSTREAMER_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1"}
        self._said = (directory / f"{argv[0]}.{time.monotonic_ns()}.said").open("w+b")
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


class Bench:
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

    def until(self, happened: Callable[[], bool]) -> None:
        """Look at all of them until *happened*."""
        end = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < end, "\n".join(process.said() for process in self.processes)
            for process in self.processes:
                process.look()
            time.sleep(0.02)


@contextmanager
def bench() -> Iterator[Bench]:
    """One in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="bounds-") as directory:
        it = Bench(Path(directory))
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


def _row(load: str, sender: Watched, receiver: Watched | None) -> Row:
    seconds, code = sender.stop()
    words = [line for line in re.split(r"[\r\n]+", sender.said()) if line.strip()]
    return Row(load, sender.peaks, receiver.peaks if receiver else None, seconds, code, words[-1] if words else "")


def dead_receiver(size: int, seconds: float) -> Row:
    """A backlog of *size* bytes whose receiver dies after a second of it, and stays dead for *seconds*."""
    with bench() as it:
        source = it.directory / "backlog.log"
        write_backlog(source, size)
        receiver, url = it.receiver()
        sender = it.sender(source, url)
        copy = it.directory / "copies" / "s" / "default" / source.name
        it.until(lambda: copy.exists() and copy.stat().st_size > min(size // 4, 64 * MIB))
        receiver.process.kill()
        it.watch(seconds)
        return _row(f"{size / MIB:,.0f} MiB to send, receiver killed", sender, receiver)


def delivered(size: int) -> Row:
    """A backlog of *size* bytes that arrives."""
    with bench() as it:
        source = it.directory / "backlog.log"
        write_backlog(source, size)
        receiver, url = it.receiver()
        sender = it.sender(source, url)
        copy = it.directory / "copies" / "s" / "default" / source.name
        it.until(lambda: copy.exists() and copy.stat().st_size == size)
        return _row(f"{size / MIB:,.0f} MiB to send, all delivered", sender, receiver)


def never_acknowledges(size: int, seconds: float) -> Row:
    """The peer accepts the stream, reads everything, and says nothing more."""

    def accept_and_read(connection: ServerConnection) -> None:
        for message in connection:
            if isinstance(message, bytes):
                stream, frame = decode(message)
                if isinstance(frame, Open) and frame.attempt == 1:
                    connection.send(encode(stream, Accept(0, 64 * MIB, 30.0, attempt=frame.attempt)))

    with bench() as it, serve(accept_and_read, "127.0.0.1", 0, subprotocols=None, max_size=4 * MIB) as peer:  # type: ignore[arg-type]
        thread = threading.Thread(target=peer.serve_forever, daemon=True)
        thread.start()
        source = it.directory / "backlog.log"
        write_backlog(source, size)
        sender = it.sender(source, f"http://127.0.0.1:{peer.socket.getsockname()[1]}")
        it.watch(seconds)
        return _row(f"{size / MIB:,.0f} MiB to send, never acknowledged, window 64 MiB", sender, None)


def silent_peer(size: int, seconds: float) -> Row:
    """The peer takes the connection and does not even read."""
    with bench() as it, socket.create_server(("127.0.0.1", 0)) as peer:
        source = it.directory / "backlog.log"
        write_backlog(source, size)
        sender = it.sender(source, f"http://127.0.0.1:{peer.getsockname()[1]}")
        it.watch(seconds)
        return _row(f"{size / MIB:,.0f} MiB to send, peer that never reads", sender, None)


def endless_writer(seconds: float) -> Row:
    """The sender is stopped while its file grows as fast as it can be written."""
    with bench() as it:
        source = it.directory / "endless.log"
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(source)])
        try:
            receiver, url = it.receiver()
            sender = it.sender(source, url)
            it.watch(seconds)
            return _row("a writer that never stops", sender, receiver)
        finally:
            writer.kill()
            writer.wait()


def many_streams(number: int, size: int) -> Row:
    """*number* files of *size* bytes from one sender, then a line more in each."""
    with bench() as it:
        source = it.directory / "logs"
        source.mkdir()
        for index in range(number):
            write_backlog(source / f"{index:04}.log", size)
        receiver, url = it.receiver()
        sender = it.sender(source, url)
        copies = it.directory / "copies" / "s" / "default"

        def stored() -> int:
            return sum(path.stat().st_size for path in copies.rglob("[0-9]*.log"))

        it.until(lambda: stored() == number * size)
        for path in source.iterdir():
            with path.open("ab") as file:
                file.write(b"one more line\n")
        it.until(lambda: stored() == number * (size + 14))
        return _row(f"{number} streams of {size >> 10} KiB", sender, receiver)


def table(rows: Sequence[Row]) -> list[str]:
    """The lines of a table in Markdown."""
    lines = [
        "| load | sender: peak MiB, threads, fds | receiver | stops within | exit, last line |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        words = re.sub(r"/\S*/", "", row.last_words)
        lines.append(
            f"| {row.load} | {_peaks(row.sender)} | {_peaks(row.receiver)} | {row.stop_seconds:.1f} s "
            f"| {row.exit_code}: {words} |"
        )
    return lines


def _peaks(peaks: Peaks | None) -> str:
    return f"{peaks.memory / MIB:.0f}, {peaks.threads}, {peaks.descriptors}" if peaks else "-"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backlog", type=float, default=10.0, metavar="GIB", help="size of the large backlog")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each load is watched")
    arguments = parser.parse_args()
    large, seconds = int(arguments.backlog * 1024) * MIB, arguments.seconds
    loads: list[Callable[[], Row]] = [
        lambda: dead_receiver(100 * MIB, seconds),
        lambda: dead_receiver(large, seconds),
        lambda: delivered(100 * MIB),
        lambda: delivered(large),
        lambda: never_acknowledges(1024 * MIB, seconds),
        lambda: silent_peer(1024 * MIB, seconds),
        lambda: endless_writer(seconds),
        lambda: many_streams(500, 200 << 10),
    ]
    rows = []
    for load in loads:
        rows.append(load())
        print(table(rows[-1:])[-1], flush=True)
    print("\n".join(["", *table(rows)]))


if __name__ == "__main__":
    main()
