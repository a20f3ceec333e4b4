"""Links: 100 Mbit/s, near and far."""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks import loglines
from benchmarks.bench import MIB, Bench
from benchmarks.cases.streams import backlog_record
from benchmarks.link import link
from benchmarks.measure import measure_backlog
from benchmarks.peers.base import Network, Peer
from benchmarks.records import Record

BITS = 100e6
NEAR, FAR = 0.001, 0.1
"""Round trips in seconds."""

LONGEST = 8.0
"""Seconds of each transfer: enough to leave TCP's beginning behind."""


def noise(bench: Bench, mib: int) -> Path:
    """A file that no compressor shortens, with lines of 128 bytes for peers that know only lines."""
    path = bench.workdir / f"noise-{mib}.log"
    if not path.exists() or path.stat().st_size != mib * MIB:
        chance = random.Random(23)
        with path.open("wb") as file:
            for _ in range(mib):
                file.write(loglines.noise(chance, MIB))
    return path


def near(bench: Bench) -> None:
    """100 Mbit/s, 1 ms: logs that can be compressed, and noise that cannot."""
    with link(BITS, NEAR) as network:
        plain, logs = noise(bench, 64), bench.log(256)
        ours = [peer for peer in bench.peers if peer.name == "logstreamer"]
        rounds = 1 if bench.quick else 3
        bench.rounds("link-logs", rounds, lambda peer, turn: _once(bench, "link-logs", peer, logs, network, turn))
        bench.rounds(
            "link-noise", rounds, lambda peer, turn: _once(bench, "link-noise", peer, plain, network, turn), ours
        )


def far(bench: Bench) -> None:
    """100 Mbit/s, 100 ms: noise, so that the link is what limits."""
    plain = noise(bench, 128)
    with link(BITS, FAR) as network:
        rounds = 1 if bench.quick else 3
        bench.rounds("far", rounds, lambda peer, turn: _once(bench, "far", peer, plain, network, turn))


def _once(bench: Bench, case: str, peer: Peer, source: Path, network: Network, turn: int) -> Record | None:
    if turn == 0:
        return None  # the link needs no warming up
    return backlog_record(case, peer.name, measure_backlog(peer, source, bench.workdir, network=network, limit=LONGEST))
