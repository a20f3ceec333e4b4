"""NVFlare's own LogStreamer and ours, by turns in the same pair of NVFlare processes.

    python -m benchmarks.flare [--quick] [--scheme http] [--rounds N] [--report FILE]

Two processes with one cell each; both LogStreamers with their default arguments, each stream on a topic of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.loglines import NOISE_LINE, noise
from benchmarks.session import PeerFailed

PAIR = Path(__file__).with_name("flare_pair.py")
MAKES = ("stock", "ours")
RATE, CPU, VERDICT = "backlog, MB/s", "sender's CPU, s/GB", "backlog"
LONGEST = 120.0
"""Seconds after which a backlog that has not arrived is cut off: its rate is known by then."""
SETTLED = 8.0
"""A copy that has not grown for so long, with its stream over, will not grow any more."""


class Flare:
    """One NVFlare process and the pipe of its commands.

    Raises:
        PeerFailed: it has ended; so does `tell`.
    """

    def __init__(self, name: str, url: str, log: Path) -> None:
        self._name, self._log = name, log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, str(PAIR), name, url],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        try:
            self._answer()
        except PeerFailed:
            self.close()
            raise

    def tell(self, do: str, **arguments: object) -> dict[str, Any]:
        """Give one command and wait for its answer."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it is gone: there will be no answer
            print(json.dumps({"do": do, **arguments}), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            said = self._log.read_text(errors="replace").strip().splitlines() or ["(it said nothing)"]
            raise PeerFailed(f"NVFlare's process {self._name} has ended: {said[-1]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self._process.pid, number)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        with contextlib.suppress(BrokenPipeError):  # a command that it did not take
            self._process.communicate()
        self._process.wait()


@dataclass(frozen=True)
class Stream:
    """One stream of one of the two LogStreamers."""

    make: str
    topic: str
    log: Path
    copy: Path
    server: Flare
    site: Flare

    def register(self) -> None:
        """Let the receiver take it."""
        self.server.tell("register", make=self.make, topic=self.topic, path=str(self.copy))

    def send(self) -> None:
        """Begin to follow the file."""
        self.site.tell("send", make=self.make, topic=self.topic, path=str(self.log))

    def size(self) -> int:
        """Bytes of the copy."""
        return self.copy.stat().st_size if self.copy.exists() else 0

    def wait(self, size: int) -> None:
        """Wait until the copy has *size* bytes, or will never have them."""
        last, since = -1, time.monotonic()
        while (now := self.size()) < size:
            if now != last:
                last, since = now, time.monotonic()
            is_over = not self.site.tell("state", topic=self.topic)["alive"]
            if time.monotonic() - since > (0.5 if is_over else SETTLED):
                return
            time.sleep(0.005)

    def finish(self, written: list[bytes], size: int) -> str:
        """Stop it; what became of its lines, in words."""
        self.wait(size)
        result = self.site.tell("stop", topic=self.topic)["result"]
        stored = Counter(self.copy.read_bytes().splitlines() if self.copy.exists() else [])
        wanted = Counter(line.rstrip(b"\n") for line in written)
        lost, doubled = (wanted - stored).total(), (stored - wanted).total()
        end = "" if result == ["OK", True] else f"; it ended with {result[0] if result else 'nothing'}"
        if not lost and not doubled:
            return whole(written) + end
        return f"{lost} of {wanted.total()} lines lost, {doubled} doubled or torn{end}"


def whole(written: list[bytes]) -> str:
    """What `Stream.finish` says of a good stream."""
    return f"all {len(written)} lines, each once"


def lines(first: int, count: int, *, is_noise: bool = False) -> list[bytes]:
    """Lines as a training writes them, or ones that no compressor shortens; no two are equal."""
    if is_noise:
        return bytes(noise(random.Random(first), count * NOISE_LINE)).splitlines(keepends=True)
    chance = random.Random(first)
    return [
        b"2026-11-24 18:36:28,%03d - ClientRunner - INFO - [identity=site-1] - step=%08d loss=%.6f acc=%.4f\n"
        % (number % 1000, number, chance.random(), chance.random())
        for number in range(first, first + count)
    ]


def append(log: Path, written: list[bytes]) -> int:
    """Append lines; how many bytes they are."""
    block = b"".join(written)
    with log.open("ab", buffering=0) as file:
        file.write(block)
    return len(block)


def throughput(stream: Stream, quick: bool) -> dict[str, float | str]:
    """A backlog, from the call to the last stored byte."""
    return backlog(stream, lines(0, 200_000 if quick else 600_000))


def backlog(stream: Stream, written: list[bytes], longest: float = LONGEST) -> dict[str, float | str]:
    """One of *written*; what was stored after *longest* seconds gives the rate of a slower one."""
    size = append(stream.log, written)
    stream.register()
    before = stream.site.tell("state", topic=stream.topic)["cpu"]
    begun = time.monotonic()
    stream.send()
    while (stored := stream.size()) < size and time.monotonic() - begun < longest:
        time.sleep(0.002)
    seconds = time.monotonic() - begun
    state = stream.site.tell("state", topic=stream.topic)
    if not stored:
        raise PeerFailed(f"nothing was stored within {longest:.0f} s")
    return {
        RATE: stored / seconds / 1e6,
        CPU: (state["cpu"] - before) / stored * 1e9,
        VERDICT: stream.finish(written, size),
    }


def latency(stream: Stream, quick: bool) -> dict[str, float | str]:
    """Single lines at irregular intervals, from before the write until the copy has them."""
    stream.register()
    stream.log.touch()
    stream.send()
    chance, size, times = random.Random(1), 0, []
    for line in lines(0, 60 if quick else 150):
        time.sleep(chance.uniform(0.2, 0.5))
        begun = time.monotonic()
        size += append(stream.log, [line])
        while stream.size() < size and time.monotonic() - begun < 10:
            time.sleep(0.0005)
        times.append((time.monotonic() - begun) * 1000)
    stream.finish([], size)
    return {
        "line to copy p50, ms": statistics.median(times),
        "line to copy p99, ms": sorted(times)[int(len(times) * 0.99)],
    }


def trickle(stream: Stream, quick: bool) -> dict[str, float | str]:
    """1,000 lines/s, written one by one."""
    stream.register()
    stream.log.touch()
    stream.send()
    before = stream.site.tell("state", topic=stream.topic)["threads"]
    written, size, begun = [], 0, time.monotonic()
    for number, line in enumerate(lines(0, 5000 if quick else 15_000)):
        time.sleep(max(0.0, begun + number / 1000 - time.monotonic()))
        size += append(stream.log, [line])
        written.append(line)
    threads = stream.site.tell("state", topic=stream.topic)["threads"]
    return {"threads more after 1,000 lines/s": threads - before, "1,000 lines/s": stream.finish(written, size)}


def rotation(stream: Stream, quick: bool) -> dict[str, float | str]:
    """20,000 lines/s, the file renamed away every 0.3 s."""
    stream.register()
    stream.log.touch()
    stream.send()
    time.sleep(0.5)
    written, size, begun = [], 0, time.monotonic()
    for number in range(30 if quick else 60):  # a twentieth of a second each
        time.sleep(max(0.0, begun + number / 20 - time.monotonic()))
        batch = lines(number * 1000, 1000)
        size += append(stream.log, batch)
        written += batch
        if number % 6 == 5:
            stream.log.rename(stream.log.with_name(f"{stream.log.name}.{number}"))
    return {"rotation at 20,000 lines/s": stream.finish(written, size)}


def stall(stream: Stream, quick: bool) -> dict[str, float | str]:
    """The receiver stands still for 8 s while lines are written, then goes on."""
    stream.register()
    written = lines(0, 100)
    size = append(stream.log, written)
    stream.send()
    stream.wait(size)
    stream.server.signal(signal.SIGSTOP)
    try:
        for number in range(16):
            batch = lines(1000 * (number + 1), 100)
            size += append(stream.log, batch)
            written += batch
            time.sleep(0.5)
    finally:
        stream.server.signal(signal.SIGCONT)
    batch = lines(50_000, 100)
    size += append(stream.log, batch)
    return {"8 s stall": stream.finish([*written, *batch], size)}


def late(stream: Stream, quick: bool) -> dict[str, float | str]:
    """The handler is registered 3 s after the sender began."""
    written = lines(0, 1000)
    size = append(stream.log, written)
    stream.send()
    time.sleep(3.0)
    stream.register()
    batch = lines(1000, 1000)
    size += append(stream.log, batch)
    return {"handler 3 s late": stream.finish([*written, *batch], size)}


Scenario = Callable[[Stream, bool], dict[str, float | str]]
SCENARIOS: tuple[Scenario, ...] = (throughput, latency, trickle, rotation, stall, late)


@contextlib.contextmanager
def pair(scheme: str, directory: Path) -> Iterator[tuple[Flare, Flare]]:
    """The two processes: the server and the site."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"{scheme}://127.0.0.1:{probe.getsockname()[1]}"
    with (
        contextlib.closing(Flare("server", url, directory / "server.log")) as server,
        contextlib.closing(Flare("site-1", url, directory / "site-1.log")) as site,
    ):
        yield server, site


def measure(
    scheme: str, rounds: int, quick: bool, scenarios: Iterable[Scenario] = SCENARIOS
) -> dict[str, dict[str, list[float | str]]]:
    """Each of *scenarios*, by turns: what was found by name and make."""
    found: dict[str, dict[str, list[float | str]]] = {}
    with tempfile.TemporaryDirectory(prefix="logstreamer-flare-") as name:
        directory = Path(name)
        for scenario in scenarios:
            with pair(scheme, directory) as (server, site):
                repeats = rounds if scenario in (throughput, latency) else 1
                for number in range(repeats):
                    for make in MAKES if number % 2 == 0 else MAKES[::-1]:
                        topic = f"{scenario.__name__}-{make}-{number}"
                        stream = Stream(
                            make, topic, directory / f"{topic}.log", directory / f"{topic}.copy", server, site
                        )
                        print(f"{topic} ...", file=sys.stderr, flush=True)
                        for what, value in scenario(stream, quick).items():
                            found.setdefault(what, {}).setdefault(make, []).append(value)
    return found


def table(found: dict[str, dict[str, list[float | str]]]) -> str:
    """A Markdown table; of several numbers the median and the span, of several words the last that is not good."""
    rows = ["| what | NVFlare's LogStreamer | logstreamer | ratio |", "| --- | --- | --- | --- |"]
    for what, by_make in found.items():
        stock, ours = (by_make[make] for make in MAKES)
        numbers = [value for value in (*stock, *ours) if isinstance(value, int | float)]
        ratio = f"{_middle(ours) / _middle(stock):.3g}" if numbers and _middle(stock) else ""
        rows.append(f"| {what} | {_cell(stock)} | {_cell(ours)} | {ratio} |")
    return "\n".join(rows)


def _middle(values: list[float | str]) -> float:
    return statistics.median(value for value in values if isinstance(value, int | float))


def _cell(values: list[float | str]) -> str:
    numbers = [value for value in values if isinstance(value, int | float)]
    if not numbers:
        return str(max(values, key=lambda text: "lost" in str(text)))
    span = f" ({min(numbers):.3g}-{max(numbers):.3g})" if len(numbers) > 1 else ""
    return f"{statistics.median(numbers):.4g}{span}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scheme", default="http", help="NVFlare's driver: http (what it provisions), tcp or grpc")
    parser.add_argument("--rounds", type=int, default=3, help="of throughput and latency, by turns")
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--report", type=Path, help="write the table there, too")
    args = parser.parse_args()
    loads = os.getloadavg()[0]
    found = measure(args.scheme, args.rounds, args.quick)
    text = (
        f"Measured {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, {args.scheme} driver, {args.rounds} rounds, "
        f"{os.cpu_count()} cores, load before the run {loads:.2f}.\n\n{table(found)}\n"
    )
    print(text)
    if args.report:
        args.report.write_text(text)


if __name__ == "__main__":
    main()
