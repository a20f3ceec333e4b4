"""Inside NVFlare: its LogStreamer and ours on its own engine, default arguments on both."""

from __future__ import annotations

import importlib.util
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import flare
from benchmarks.bench import Bench
from benchmarks.records import Record
from benchmarks.session import PeerFailed

ROUNDS, LINES = 3, 600_000
NOISE_ROUNDS, NOISE_LINES = 2, 300_000


@dataclass(frozen=True, slots=True)
class Make:
    """One of the two.

    Args:
        name: in the report.
        key: for `flare_pair`.
    """

    name: str
    key: str


MAKES = (Make("NVFlare LogStreamer", "stock"), Make("logstreamer", "ours"))


def inside(bench: Bench) -> None:
    """A backlog of logs, then of noise, by turns in one pair of NVFlare processes; `benchmarks.flare` does more."""
    if importlib.util.find_spec("nvflare") is None:
        raise PeerFailed("NVFlare is not installed beside logstreamer")
    with (
        tempfile.TemporaryDirectory(prefix="inside-", dir=bench.workdir) as name,
        flare.pair("http", Path(name)) as (server, site),
    ):
        for case, rounds, count in (("inside", ROUNDS, LINES), ("inside-noise", NOISE_ROUNDS, NOISE_LINES)):
            less = 5 if bench.quick else 1
            written = flare.lines(0, count // less, is_noise=case == "inside-noise")
            bench.rounds(case, rounds, partial(_once, case, written, Path(name), server, site), MAKES)


def _once(
    case: str, written: list[bytes], directory: Path, server: flare.Flare, site: flare.Flare, make: Make, turn: int
) -> Record:
    """One backlog; round 0, which warms up, is of a part of it."""
    lines = written if turn else written[: len(written) // 5]
    topic = f"{case}-{make.key}-{turn}"
    log, copy = (directory / f"{topic}.{end}" for end in ("log", "copy"))
    found = flare.backlog(flare.Stream(make.key, topic, log, copy, server, site), lines)
    return checked(case, make.name, lines, found)


def checked(case: str, peer: str, lines: list[bytes], found: dict[str, float | str]) -> Record:
    """What `flare.backlog` found, as a record.

    Raises:
        PeerFailed: not each of *lines* was stored once.
    """
    if found[flare.VERDICT] != flare.whole(lines):
        raise PeerFailed(str(found[flare.VERDICT]))
    return Record(case, peer, {"rate": float(found[flare.RATE]) * 1e6, "sender cpu": float(found[flare.CPU])})
