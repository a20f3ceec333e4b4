"""python -m benchmarks: runs all peers by turns and prints or writes the report."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections import deque
from pathlib import Path

from benchmarks.loglines import write_log
from benchmarks.measure import measure_backlog, measure_latency
from benchmarks.peers.base import Peer, Way
from benchmarks.peers.flare import SCHEME, FlarePeer
from benchmarks.peers.logstreamer import LogStreamerPeer
from benchmarks.peers.socat import SocatPeer
from benchmarks.report import render
from benchmarks.results import PeerResult
from benchmarks.session import PeerFailed

MIB = 1 << 20
LINES_PER_SECOND = 50.0


def main() -> int:
    """0 when logstreamer gave figures; what other peers lack is said in the report."""
    options = parse_options()
    load = os.getloadavg()[0]
    if load > 0.5:
        say(f"the machine is busy (load {load:.2f}): compare ratios, not absolute figures")
    options.workdir.mkdir(parents=True, exist_ok=True)
    say(f"source file of {options.size} MiB")
    source = write_log(options.workdir, options.size * MIB)
    peers = [LogStreamerPeer(), FlarePeer(options.flare_python, options.flare_scheme), SocatPeer()]
    results = [describe(peer) for peer in peers]
    run_rounds(deque(zip(peers, results, strict=True)), source, options)
    settings = (
        f"{options.rounds} rounds, backlog of {options.size} MiB, then {options.seconds:.0f} s of "
        f"{LINES_PER_SECOND:.0f} lines/s, all on loopback, load before the run {load:.2f}"
    )
    report = render(results, settings, shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]))
    print(report)
    complete = results[0].measured and not results[0].trouble
    if options.report and complete:  # else the last good figures stay
        options.report.write_text(report, encoding="utf-8")
        say(f"wrote {options.report}")
    return 0 if complete else 1


def parse_options() -> argparse.Namespace:
    """The command line; --quick sets smaller defaults."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two short rounds, under three minutes")
    parser.add_argument("--rounds", type=int, help="default 5, quick 2")
    parser.add_argument("--size", type=int, metavar="MIB", help="backlog; default 256, quick 128")
    parser.add_argument("--seconds", type=float, help="of lines in each round; default 10, quick 5")
    parser.add_argument("--flare-python", type=Path, default=Path("build/bench-venv/bin/python"))
    parser.add_argument("--flare-scheme", default=SCHEME, choices=["http", "tcp", "grpc"])
    parser.add_argument("--workdir", type=Path, default=Path("build/bench"), help="for the files (three times --size)")
    parser.add_argument("--report", type=Path, help="also write the page here")
    options = parser.parse_args()
    for name, usual, quick in (("rounds", 5, 2), ("size", 256, 128), ("seconds", 10.0, 5.0)):
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else usual)
    if min(options.rounds, options.size, options.seconds) <= 0:
        parser.error("--rounds, --size and --seconds must be above 0")
    return options


def describe(peer: Peer) -> PeerResult:
    """A result without figures: version and commands, or why the peer is missing."""
    trouble = peer.missing()
    if trouble:
        say(f"{peer.name}: missing: {trouble}")
        return PeerResult(peer.name, trouble=f"missing: {from_here(trouble)}")
    way = Way(source=Path("FILE"), dest=Path("DIR"), port=0)
    commands = [from_here(str(command)) for command in [*peer.receiver(way), *peer.sender(way)]]
    shown = [re.sub(r"(127\.0\.0\.1|LISTEN):0\b", r"\1:PORT", command) for command in commands]
    return PeerResult(peer.name, version=peer.version(), commands=shown)


def from_here(text: str) -> str:
    """Paths below the current directory made relative: the report names no machine's directories."""
    return text.replace(f"{Path.cwd()}{os.sep}", "")


def run_rounds(entries: deque[tuple[Peer, PeerResult]], source: Path, options: argparse.Namespace) -> None:
    """By turns, each round beginning with another peer; round 0 warms up with a small file and is not kept."""
    small = write_log(options.workdir, min(8, options.size) * MIB)
    for number in range(options.rounds + 1):
        for peer, result in entries:
            if result.trouble:
                continue
            try:
                backlog = measure_backlog(peer, source if number else small, options.workdir)
                if number == 0:
                    continue
                result.backlogs.append(backlog)
                result.latencies.append(
                    measure_latency(peer, options.workdir, rate=LINES_PER_SECOND, seconds=options.seconds)
                )
            except PeerFailed as error:
                result.trouble = from_here(str(error))
                say(f"failed: {error}")
                continue
            say(
                f"round {number}, {peer.name}: {backlog.rate / 1e6:.4g} MB/s, "
                f"p50 {result.latency(0.5) * 1e3:.2f} ms, p99 {result.latency(0.99) * 1e3:.2f} ms so far"
            )
        entries.rotate(-1)


def say(text: str) -> None:
    """Progress, beside the report."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
