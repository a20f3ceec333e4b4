"""Inside NVFlare: its LogStreamer and ours on its own engine, default arguments on both."""

from __future__ import annotations

import importlib.util

from benchmarks import flare
from benchmarks.bench import Bench
from benchmarks.records import Record
from benchmarks.session import PeerFailed

ROUNDS = 3
PEERS = {"stock": "NVFlare LogStreamer", "ours": "logstreamer"}


def inside(bench: Bench) -> None:
    """A backlog through NVFlare's engine, by turns in the same pair of its processes; `benchmarks.flare` does more."""
    if importlib.util.find_spec("nvflare") is None:
        raise PeerFailed("NVFlare is not installed beside logstreamer")
    found = flare.measure("http", ROUNDS, bench.quick, [flare.throughput])
    for make, peer in PEERS.items():
        for rate, cpu in zip(found[flare.RATE][make], found[flare.CPU][make], strict=True):
            bench.add(Record("inside", peer, {"rate": float(rate) * 1e6, "sender cpu": float(cpu)}))
