"""What will happen in a run, when, and to whom: a pure function of the seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

IDLE_TIMEOUT = 3.0
"""Seconds; stalls and outages last from far below it to well above it."""

RECEIVER = "receiver"

SCHEMES = ("rename", "copytruncate", "handler", "mixed", "delete")
"""How a file is rotated; "handler" is Python's RotatingFileHandler, "mixed" all the others in turn."""


@dataclass(frozen=True, slots=True)
class FileSpec:
    """One log and its habits.

    Args:
        keep: rotated siblings that are kept; older ones are deleted.
        header: bytes that every new file begins with, the same each time; 0: none.
        rotate_every: mean seconds between two rotations.
        compress: share of the rotations after which an older sibling is compressed.
    """

    site: str
    name: str
    scheme: str
    keep: int
    header: int
    rotate_every: float
    compress: float

    @property
    def label(self) -> str:
        """site/name, for people."""
        return f"{self.site}/{self.name}"


@dataclass(frozen=True, slots=True)
class Rotation:
    """One act of a rotator.

    Args:
        kind: rename, copytruncate, rollover, delete or truncate; the last two destroy what was not read.
        late: seconds for which the writer goes on with the file that was renamed or deleted.
        times: so often in a row.
        compress: index of the sibling to compress afterwards (1: the newest); 0: none.
    """

    at: float
    kind: str
    late: float = 0.0
    times: int = 1
    compress: int = 0


@dataclass(frozen=True, slots=True)
class Burst:
    """One act of a writer.

    Args:
        pause: seconds to wait before it.
        lengths: of the lines' random parts, in bytes.
        torn: the last line is written in two halves.
    """

    pause: float
    lengths: tuple[int, ...]
    torn: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of the network or of a process.

    Args:
        kind: kill, freeze (a process); cut, cut_after, stall, delay, throttle, refuse, half_open (a link).
        target: a site, or the receiver.
        seconds: how long it lasts; for a kill, until the restart.
        amount: bytes until the cut; bytes a second; ms of delay.
        side: which half is left open, or stalled: up, down or both.
    """

    at: float
    kind: str
    target: str
    seconds: float = 0.0
    amount: int = 0
    side: str = "both"

    def __str__(self) -> str:
        extra = f" {self.amount}" if self.amount else ""
        return f"{self.at:7.2f} s  {self.kind} {self.target} for {self.seconds:.2f} s{extra} {self.side}"


@dataclass(frozen=True, slots=True)
class Plan:
    """All of a run."""

    seed: int
    seconds: float
    files: tuple[FileSpec, ...]
    faults: tuple[Fault, ...]

    @property
    def sites(self) -> tuple[str, ...]:
        """Every sender, in order."""
        return tuple(dict.fromkeys(spec.site for spec in self.files))

    def rotations(self, spec: FileSpec) -> tuple[Rotation, ...]:
        """What the rotator of *spec* does."""
        return tuple(_rotations(self._random("rotate", spec.label), spec, self.seconds))

    def bursts(self, spec: FileSpec) -> Iterator[Burst]:
        """What the writer of *spec* does, without an end."""
        return _bursts(self._random("write", spec.label))

    def filler(self, spec: FileSpec) -> random.Random:
        """Where the text of the lines of *spec* comes from."""
        return self._random("text", spec.label)

    def _random(self, *what: str) -> random.Random:
        return random.Random(":".join((str(self.seed), *what)))


def make_plan(seed: int, seconds: float, sites: int = 2, files: int = 3) -> Plan:
    """The run of *seed*: *files* logs at each of *sites*; faults happen in [0, seconds)."""
    rng = random.Random(f"{seed}:plan")
    names = [f"site-{number + 1}" for number in range(sites)]
    specs = [_file(rng, site, f"log-{number + 1}.log") for site in names for number in range(files)]
    faults = [*_kills(rng, names, seconds), *_freezes(rng, names, seconds)]
    for site in names:
        faults += _link_faults(rng, site, seconds)
    return Plan(seed, seconds, tuple(specs), tuple(sorted(faults, key=lambda fault: fault.at)))


def _file(rng: random.Random, site: str, name: str) -> FileSpec:
    scheme = rng.choices(SCHEMES, weights=(4, 3, 3, 3, 1))[0]
    return FileSpec(
        site=site,
        name=name,
        scheme=scheme,
        keep=rng.choice((6, 20, 30, 40, 60)),
        header=rng.choice((0, 0, 0, 200, 1500)) if scheme != "handler" else 0,
        rotate_every=rng.uniform(2.0, 7.0),
        compress=rng.choice((0.0, 0.3, 0.8)) if scheme != "handler" else 0.0,
    )


# --- processes


def _kills(rng: random.Random, sites: list[str], seconds: float) -> Iterator[Fault]:
    for target, mean in ((RECEIVER, 14.0), *((site, 14.0) for site in sites)):
        at = rng.uniform(1.0, mean)
        while at < seconds - 1:
            down = _outage(rng)
            yield Fault(at, "kill", target, down)
            at += down + 1.5 + rng.expovariate(1 / mean)
    at = rng.uniform(5.0, 25.0)
    while at < seconds - 1:  # both at once
        yield Fault(at, "kill", RECEIVER, _outage(rng))
        yield Fault(at, "kill", rng.choice(sites), _outage(rng))
        at += rng.uniform(15.0, 40.0)


def _outage(rng: random.Random) -> float:
    return rng.choice((0.0, rng.uniform(0.0, 1.0), rng.uniform(0.5, 3.0), rng.uniform(IDLE_TIMEOUT, 7.0)))


def _freezes(rng: random.Random, sites: list[str], seconds: float) -> Iterator[Fault]:
    at = rng.uniform(3.0, 20.0)
    while at < seconds - 1:
        yield Fault(at, "freeze", rng.choice([RECEIVER, *sites]), rng.choice((0.3, 1.5, IDLE_TIMEOUT + 1.5)))
        at += rng.uniform(8.0, 25.0)


# --- links


def _link_faults(rng: random.Random, site: str, seconds: float) -> Iterator[Fault]:
    at = rng.uniform(0.5, 4.0)
    while at < seconds:
        kind = rng.choices(
            ("cut", "cut_after", "stall", "delay", "throttle", "refuse", "half_open"), weights=(4, 5, 4, 2, 2, 2, 3)
        )[0]
        fault = Fault(at, kind, site, rng.uniform(0.1, 2.5))
        if kind == "cut_after":
            fault = replace(fault, amount=int(10 ** rng.uniform(0, 5.5)), side=rng.choice(("up", "down")))
        elif kind == "stall":
            length = rng.choice((0.3, 1.5, IDLE_TIMEOUT + rng.uniform(0.2, 3.0)))
            fault = replace(fault, seconds=length, side=rng.choice(("up", "down", "both", "both")))
        elif kind == "delay":
            fault = replace(fault, seconds=rng.uniform(1.0, 6.0), amount=rng.randrange(5, 400))
        elif kind == "throttle":
            fault = replace(fault, seconds=rng.uniform(1.0, 6.0), amount=int(10 ** rng.uniform(3.3, 5.5)))
        elif kind == "half_open":
            fault = replace(fault, seconds=rng.uniform(0.5, IDLE_TIMEOUT + 4.0), side=rng.choice(("up", "down")))
        yield fault
        if rng.random() < 0.1:  # a storm of cuts
            for _ in range(rng.randrange(3, 9)):
                at += rng.uniform(0.0, 0.3)
                yield Fault(at, "cut", site)
        at += rng.choice((rng.uniform(0.05, 1.0), rng.uniform(1.0, 5.0), rng.uniform(4.0, 10.0)))


# --- files

_KINDS = {
    "rename": (("rename",), (1,)),
    "copytruncate": (("copytruncate",), (1,)),
    "handler": (("rollover",), (1,)),
    "mixed": (("rename", "copytruncate"), (1, 1)),
    "delete": (("rename", "copytruncate", "delete", "truncate"), (3, 1, 2, 2)),
}


def _rotations(rng: random.Random, spec: FileSpec, seconds: float) -> Iterator[Rotation]:
    kinds, weights = _KINDS[spec.scheme]
    at = rng.uniform(0.5, spec.rotate_every)
    while at < seconds:
        kind = rng.choices(kinds, weights=weights)[0]
        late = rng.choice((0.0, 0.0, rng.uniform(0.01, 0.3), rng.uniform(0.3, 1.5)))
        times = rng.randrange(2, 6) if rng.random() < 0.12 and kind not in ("delete", "truncate") else 1
        compress = rng.choice((1, 2, 2, 3)) if rng.random() < spec.compress else 0
        yield Rotation(at, kind, 0.0 if times > 1 else late, times, compress)
        at += rng.expovariate(1 / spec.rotate_every) + 0.2


def _bursts(rng: random.Random) -> Iterator[Burst]:
    while True:
        mood = rng.random()
        if mood < 0.02:
            yield Burst(rng.uniform(2.0, 5.0), (40,), False)  # it was quiet
            continue
        count = rng.randrange(200, 3000) if mood < 0.06 else rng.randrange(1, 60)
        lengths = tuple(_length(rng) for _ in range(count))
        yield Burst(rng.choice((0.0, 0.01, 0.05, 0.1, 0.3)), lengths, rng.random() < 0.2)


def _length(rng: random.Random) -> int:
    if rng.random() < 0.001:
        return rng.randrange(20_000, 200_000)
    return rng.choice((0, 8, 40, 40, 80, 80, 120, 200, 400))
