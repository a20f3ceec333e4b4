"""What was measured: plain records, kept as JSON, so that tables and plots can be made again without measuring."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """One measurement.

    Args:
        case: which case it belongs to.
        peer: who was measured.
        values: named numbers, SI units (bytes, seconds, bytes per second).
        delays: percentiles 0, 1 ... 99, 99.9, 100 of what was delayed, in seconds, where lines were timed.
    """

    case: str
    peer: str
    values: dict[str, float]
    delays: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Described:
    """A peer: what it is, how it was run, why it is missing ("" where it is not) or what failed, case by case."""

    name: str
    version: str = ""
    commands: list[str] = field(default_factory=list)
    missing: str = ""


@dataclass(slots=True)
class Records:
    """All of a run.

    Args:
        run: of each case the date, the command and the load of the machine before it.
        failures: (case, peer) joined by ": ", and what happened.
        rounds: how many rounds of figures a case was to give, where it has rounds.
    """

    records: list[Record] = field(default_factory=list)
    peers: dict[str, Described] = field(default_factory=dict)
    run: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    machine: str = ""
    rounds: dict[str, int] = field(default_factory=dict)

    def of(self, case: str, peer: str | None = None) -> list[Record]:
        """Those of *case*, of *peer* if it is given."""
        return [one for one in self.records if one.case == case and peer in (None, one.peer)]

    def measured(self, case: str) -> list[str]:
        """Who has figures in *case*, in the order they came."""
        return list(dict.fromkeys(one.peer for one in self.of(case)))

    def values(self, case: str, peer: str, key: str) -> list[float]:
        """One number of each round."""
        return [one.values[key] for one in self.of(case, peer) if key in one.values]

    def median(self, case: str, peer: str, key: str) -> float | None:
        """Its median; None without figures."""
        values = self.values(case, peer, key)
        return median(values) if values else None

    def delay(self, case: str, peer: str, share: float) -> float | None:
        """Seconds within which *share* (0 to 1) of the lines were stored: median of the rounds' percentiles."""
        found = [one.delays[position(share)] for one in self.of(case, peer) if one.delays]
        return median(found) if found else None

    def forget(self, cases: Iterable[str]) -> None:
        """Drop what is known of *cases*: they are measured again."""
        again = set(cases)
        self.records = [one for one in self.records if not _part_of(one.case, again)]
        self.run = {name: facts for name, facts in self.run.items() if name not in again}
        self.rounds = {case: number for case, number in self.rounds.items() if not _part_of(case, again)}
        self.failures = {
            key: text for key, text in self.failures.items() if not _part_of(key.partition(": ")[0], again)
        }

    def save(self, path: Path) -> None:
        """Write all of it to *path*."""
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Records:
        """What `save` wrote; empty if nothing was."""
        if not path.exists():
            return cls()
        raw = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            records=[Record(**one) for one in raw["records"]],
            peers={name: Described(**one) for name, one in raw["peers"].items()},
            run=raw["run"],
            failures=raw["failures"],
            machine=raw["machine"],
            rounds=raw.get("rounds", {}),
        )


def _part_of(case: str, cases: set[str]) -> bool:
    """Whether *case* is one of *cases*, or a part of one: link-logs of link."""
    return case in cases or any(case.startswith(f"{whole}-") for whole in cases)


SHARES = [*(number / 100 for number in range(100)), 0.999, 1.0]
"""Of the delays that a record keeps."""


def position(share: float) -> int:
    """Where the percentile *share* stands in `Record.delays`."""
    return SHARES.index(share)


def distribution(delays: list[float]) -> list[float]:
    """The percentiles of *delays* at `SHARES`."""
    return [percentile(delays, share) for share in SHARES]


def percentile(values: list[float], share: float) -> float:
    """Nearest rank: the smallest of *values* that at least *share* of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
