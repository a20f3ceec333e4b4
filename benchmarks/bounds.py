"""What the promise "bounded" costs in figures: peak memory, threads and descriptors of real processes under four loads.

`python -m benchmarks.bounds` prints a table; docs/reliability.md has one such run. Needs Linux (/proc).
"""

from __future__ import annotations

import argparse
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from websockets.sync.server import ServerConnection, serve

from benchmarks.measure import compare
from benchmarks.stage import MIB, Peaks, Watched, stage, write_backlog
from logstreamer.protocol.codec import decode, encode
from logstreamer.protocol.frames import Accept, Open

WRITER = """
import sys
with open(sys.argv[1], "ab", buffering=0) as file:
    line = b"a line of a log that never stops\\n" * 200
    while True:
        file.write(line)
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One load: the *sender*, the *receiver* where there was a real one, how the sender ended."""

    load: str
    sender: Peaks
    receiver: Peaks | None
    stop_seconds: float
    exit_code: int
    last_words: str


def _row(load: str, sender: Watched, receiver: Watched | None) -> Row:
    seconds, code = sender.stop()
    words = [line for line in re.split(r"[\r\n]+", sender.said()) if line.strip()]
    return Row(load, sender.peaks, receiver.peaks if receiver else None, seconds, code, words[-1] if words else "")


def dead_receiver(size: int, seconds: float) -> Row:
    """A backlog of *size* bytes whose receiver dies after a second of it, and stays dead for *seconds*."""
    with stage() as it:
        source = it.directory / "backlog.log"
        write_backlog(source, size)
        receiver, url = it.receiver()
        sender = it.sender(source, url)
        copy = it.directory / "copies" / "s" / "default" / source.name
        it.until(lambda: copy.exists() and copy.stat().st_size > min(size // 4, 64 * MIB))
        receiver.process.kill()
        it.watch(seconds)
        return _row(f"{size / MIB:,.0f} MiB to send, receiver killed", sender, receiver)


def delivered(size: int, parent: Path | None = None) -> Row:
    """A backlog of *size* bytes that arrives; *parent* is where there is room for it twice."""
    with stage(parent) as it:
        source = it.directory / "backlog.log"
        write_backlog(source, size)
        receiver, url = it.receiver()
        sender = it.sender(source, url)
        copy = it.directory / "copies" / "s" / "default" / source.name
        it.until(lambda: copy.exists() and copy.stat().st_size == size)
        row = _row(f"{size / MIB:,.0f} MiB to send, all delivered", sender, receiver)
        compare(source, copy, "logstreamer")
        return row


def never_acknowledges(size: int, seconds: float) -> Row:
    """The peer accepts the stream, reads everything, and says nothing more."""

    def accept_and_read(connection: ServerConnection) -> None:
        for message in connection:
            if isinstance(message, bytes):
                stream, frame = decode(message)
                if isinstance(frame, Open) and frame.attempt == 1:
                    connection.send(encode(stream, Accept(0, 64 * MIB, 30.0, attempt=frame.attempt)))

    with stage() as it, serve(accept_and_read, "127.0.0.1", 0, max_size=4 * MIB) as peer:
        thread = threading.Thread(target=peer.serve_forever, daemon=True)
        thread.start()
        source = it.directory / "backlog.log"
        write_backlog(source, size)
        sender = it.sender(source, f"http://127.0.0.1:{peer.socket.getsockname()[1]}")
        it.watch(seconds)
        return _row(f"{size / MIB:,.0f} MiB to send, never acknowledged, window 64 MiB", sender, None)


def silent_peer(size: int, seconds: float) -> Row:
    """The peer takes the connection and does not even read."""
    with stage() as it, socket.create_server(("127.0.0.1", 0)) as peer:
        source = it.directory / "backlog.log"
        write_backlog(source, size)
        sender = it.sender(source, f"http://127.0.0.1:{peer.getsockname()[1]}")
        it.watch(seconds)
        return _row(f"{size / MIB:,.0f} MiB to send, peer that never reads", sender, None)


def endless_writer(seconds: float) -> Row:
    """The sender is stopped while its file grows as fast as it can be written."""
    with stage() as it:
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
    with stage() as it:
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
