"""What one run measured, and its medians."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median

from benchmarks.measure import Backlog


@dataclass(slots=True)
class PeerResult:
    """All rounds of one peer.

    Args:
        name, version: what was measured.
        commands: how it was run, for the report.
        trouble: why there are no figures, or no more of them; empty when all went well.
        backlogs: one for each round.
        latencies: for each round the seconds of each line.
    """

    name: str
    version: str = ""
    commands: list[str] = field(default_factory=list)
    trouble: str = ""
    backlogs: list[Backlog] = field(default_factory=list)
    latencies: list[list[float]] = field(default_factory=list)

    @property
    def measured(self) -> bool:
        """Whether there are figures of both kinds."""
        return bool(self.backlogs and self.latencies)

    @property
    def rates(self) -> list[float]:
        """Bytes per second of each round."""
        return [backlog.rate for backlog in self.backlogs]

    @property
    def rate(self) -> float:
        """Bytes per second, median."""
        return median(self.rates)

    @property
    def startup(self) -> float:
        """Seconds from starting the sender to the first stored byte, median."""
        return median(backlog.startup for backlog in self.backlogs)

    def cpu_per_gb(self) -> tuple[float, float]:
        """CPU seconds for 10^9 bytes of (sender, receiver), medians."""
        return (
            median(backlog.sender_cpu / backlog.size for backlog in self.backlogs) * 1e9,
            median(backlog.receiver_cpu / backlog.size for backlog in self.backlogs) * 1e9,
        )

    def latency(self, share: float) -> float:
        """Seconds within which *share* (0 to 1) of the lines were stored: median of the rounds' percentiles."""
        return median(percentile(seconds, share) for seconds in self.latencies)


def percentile(values: list[float], share: float) -> float:
    """Nearest rank: the smallest of *values* that at least *share* of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
