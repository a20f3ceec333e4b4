"""How cost grows: with streams, rate, chunk size and round trip."""

from __future__ import annotations

from functools import partial

from benchmarks.bench import Bench
from benchmarks.cases.links import BITS, noise
from benchmarks.cases.many import many_streams
from benchmarks.cases.streams import backlog_record, latency_record
from benchmarks.cases.targets import chunk_size
from benchmarks.link import link
from benchmarks.measure import measure_backlog, measure_latency
from benchmarks.peers.base import Network, Peer
from benchmarks.peers.logstreamer import LogStreamerPeer
from benchmarks.records import Record

STREAMS = (1, 10, 100, 500, 2000)
RATES = ((50.0, 1), (500.0, 1), (5_000.0, 5), (20_000.0, 20), (100_000.0, 100))
CHUNKS = (1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20)
ROUND_TRIPS = (0.001, 0.02, 0.05, 0.2)


def streams(bench: Bench) -> None:
    """CPU and memory of 1 to 2,000 streams; 1,000 are a case of their own."""
    for number in STREAMS:
        bench.add(many_streams("growth-streams", number, bench.workdir, quiet=5.0, busy=4.0))


def rates(bench: Bench) -> None:
    """CPU and latency of one stream of 50 to 100,000 lines a second; 50,000 are a case of their own."""
    for rate, burst in RATES:
        seen = measure_latency(LogStreamerPeer(), bench.workdir, rate, 4.0, burst=burst)
        record = latency_record("growth-rate", "logstreamer", seen)
        bench.add(Record(record.case, record.peer, {"lines": rate, **record.values}, record.delays))


def chunks(bench: Bench) -> None:
    """A backlog in chunks of 1 KiB to 1 MiB."""
    for size in CHUNKS:
        bench.add(chunk_size(bench.log(64 if size < 16 << 10 else 256), bench.workdir, size))


def round_trips(bench: Bench) -> None:
    """100 Mbit/s over 1 to 200 ms; 100 ms are a case of their own."""
    peers: list[Peer] = [peer for peer in bench.peers if peer.name in ("logstreamer", "tail -F | socat")]
    for seconds in ROUND_TRIPS:
        with link(BITS, seconds) as network:
            bench.rounds("growth-round-trip", 1, partial(_round_trip, bench, seconds, network), peers)


def _round_trip(bench: Bench, seconds: float, network: Network, peer: Peer, turn: int) -> Record | None:
    if turn == 0:
        return None  # the link needs no warming up
    seen = measure_backlog(peer, noise(bench, 128), bench.workdir, network=network, limit=5.0)
    record = backlog_record("growth-round-trip", peer.name, seen)
    return Record(record.case, record.peer, {"round trip": seconds, **record.values})
