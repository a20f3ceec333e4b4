"""What happened in a run, for people and, as JSON, for programs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from tests.chaos.oracle import Verdict
from tests.chaos.processes import Usage, Usages


@dataclass
class Report:
    """Of one run, or of several added up.

    Args:
        faults: injected, by kind.
        rotations: done, by kind.
        usages: of the receiver and of all senders, by name.
        complaints: of the oracle or about processes; empty for a good run.
    """

    seed: int
    seconds: float = 0.0
    rounds: int = 1
    faults: Counter[str] = field(default_factory=Counter)
    rotations: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    carried: Counter[str] = field(default_factory=Counter)
    written: int = 0
    stored: int = 0
    files: int = 0
    exact: int = 0
    gaps: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    losses: int = 0
    usages: dict[str, Usages] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Nothing lost, nothing twice, nobody died by himself."""
        return not self.complaints

    def add_verdict(self, verdict: Verdict) -> None:
        """What became of one file."""
        self.files += 1
        self.written += verdict.written
        self.stored += verdict.stored
        self.exact += verdict.exact
        self.gaps += verdict.gaps
        self.duplicates += verdict.duplicates
        self.losses += verdict.losses
        for missing in verdict.missing:
            self.missing[missing.why] += missing.end - missing.start
        self.complaints += [f"{verdict.label}: {text}" for text in verdict.complaints]

    def add(self, other: Report) -> None:
        """Another round."""
        for name in ("seconds", "connections", "written", "stored", "files", "exact", "gaps", "duplicates", "losses"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.rounds += other.rounds
        for name in ("faults", "rotations", "carried", "missing"):
            getattr(self, name).update(getattr(other, name))
        self.complaints += [f"seed {other.seed}: {text}" for text in other.complaints]
        self.kept += other.kept
        for name, usages in other.usages.items():
            mine = self.usages.setdefault(name, Usages())
            for usage in (usages.first, usages.peak, usages.last):
                if usage is not None:
                    first, last = mine.first, mine.last
                    mine.add(usage)
                    mine.first, mine.last = first or usages.first, usages.last or last

    def table(self) -> str:
        """For people."""
        megabytes = 1e6
        rows = [
            ("result", "passed" if self.passed else f"FAILED, {len(self.complaints)} complaints"),
            ("seed", str(self.seed)),
            ("duration", f"{self.seconds:.1f} s in {self.rounds} round{'s' * (self.rounds > 1)}"),
            ("faults", _counts(self.faults)),
            ("rotations", _counts(self.rotations)),
            ("connections", str(self.connections)),
            ("written", f"{self.written / megabytes:.1f} MB in {self.files} logs"),
            ("stored", f"{self.stored / megabytes:.1f} MB, {self.exact} of {self.files} copies byte-exact"),
            (
                "on the wire",
                ", ".join(f"{size / megabytes:.1f} MB {way}" for way, size in sorted(self.carried.items())),
            ),
            ("gaps", str(self.gaps)),
            ("missing", f"bytes destroyed unread: {_counts(self.missing) or 'none'}"),
            ("duplicates", f"{self.duplicates} bytes"),
            ("losses", f"{self.losses} bytes"),
        ]
        lines = [f"{name:<12} {value}" for name, value in rows]
        lines += ["", f"{'process':<10} {'':<6} {'RSS KiB':>9} {'peak KiB':>9} {'threads':>8} {'descriptors':>12}"]
        for name, usages in sorted(self.usages.items()):
            for when, usage in (("start", usages.first), ("end", usages.last), ("most", usages.peak)):
                if usage is not None:
                    lines.append(f"{name:<10} {when:<6} {_numbers(usage)}")
        for complaint in self.complaints:
            lines += ["", complaint]
        lines += [f"kept: {path}" for path in self.kept]
        return "\n".join(lines)

    def write_json(self, path: Path) -> None:
        """For programs."""
        facts = {one.name: getattr(self, one.name) for one in fields(self)}
        facts["usages"] = {name: asdict(usages) for name, usages in self.usages.items()}
        path.write_text(json.dumps({"passed": self.passed, **facts}, indent=2) + "\n")


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counter.items()) if count)


def _numbers(usage: Usage) -> str:
    return f"{usage.rss:>9} {usage.peak:>9} {usage.threads:>8} {usage.descriptors:>12}"
