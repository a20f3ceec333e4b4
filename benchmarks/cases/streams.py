"""One stream: a backlog, in the clear and over TLS; lines as they are written."""

from __future__ import annotations

from benchmarks.bench import MIB, Bench
from benchmarks.loglines import write_log
from benchmarks.measure import Backlog, Latency, measure_backlog, measure_latency
from benchmarks.peers.base import Network, Peer
from benchmarks.records import Record, distribution

SLOWEST = 5.0
"""Seconds after which a peer's backlog is cut off: its rate is known by then."""

RATES = {"lines-50": (50.0, 1), "lines-50000": (50_000.0, 50)}
"""Lines a second, and how many of them at a time."""


def backlog(bench: Bench) -> None:
    """Everybody, on loopback."""
    _backlog(bench, "backlog", Network(), bench.peers, 2 if bench.quick else 5)


def tls(bench: Bench) -> None:
    """Those that can."""
    able = [peer for peer in bench.peers if peer.speaks_tls]
    _backlog(bench, "tls", Network(tls=bench.tls), able, 1 if bench.quick else 5)


def _backlog(bench: Bench, case: str, network: Network, peers: list[Peer], rounds: int) -> None:
    source = bench.log(128 if bench.quick else 256)
    small = write_log(bench.workdir, 8 * MIB)

    def measure(peer: Peer, turn: int) -> Record:
        limit = SLOWEST if turn else 1.0
        seen = measure_backlog(peer, source if turn else small, bench.workdir, network=network, limit=limit)
        return backlog_record(case, peer.name, seen)

    bench.rounds(case, rounds, measure, peers)


def backlog_record(case: str, peer: str, seen: Backlog) -> Record:
    """*seen* as a record."""
    values = {
        "rate": seen.rate,
        "sender cpu": seen.sender_cpu / seen.size * 1e9,
        "receiver cpu": seen.receiver_cpu / seen.size * 1e9,
        "start": seen.startup,
        "sender memory": float(seen.sender_memory),
        "receiver memory": float(seen.receiver_memory),
    }
    return Record(case, peer, values)


def slow_lines(bench: Bench) -> None:
    """50 lines a second."""
    _lines(bench, "lines-50", 1 if bench.quick else 3, 4.0 if bench.quick else 6.0)


def fast_lines(bench: Bench) -> None:
    """50,000 lines a second."""
    _lines(bench, "lines-50000", 1 if bench.quick else 3, 3.0 if bench.quick else 5.0)


def _lines(bench: Bench, case: str, rounds: int, seconds: float) -> None:
    rate, burst = RATES[case]

    def measure(peer: Peer, turn: int) -> Record | None:
        if turn == 0:
            return None  # each one has a second to warm up
        return latency_record(case, peer.name, measure_latency(peer, bench.workdir, rate, seconds, burst=burst))

    bench.rounds(case, rounds, measure)


def latency_record(case: str, peer: str, seen: Latency) -> Record:
    """*seen* as a record; CPU as shares of one core."""
    values = {
        "sender cpu": seen.sender_cpu / seen.span,
        "receiver cpu": seen.receiver_cpu / seen.span,
        "behind": seen.behind,
        "sender memory": float(seen.sender_memory),
        "receiver memory": float(seen.receiver_memory),
    }
    return Record(case, peer, values, distribution(seen.delays))
