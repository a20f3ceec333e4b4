"""docs/benchmarks.md: what was measured, on what, when and how."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.results import PeerResult

_HEADER = (
    "what",
    "backlog MB/s (lowest-highest)",
    "x NVFlare",
    "x tail, socat",
    "CPU s/GB send + receive",
    "append to stored p50, p99",
    "sender start",
)

_HOW = """\
How to read it. MB and GB are 10^6 and 10^9 bytes. All peers run in one run, by turns; each figure is the median of the
rounds; ratios are of those medians. *Backlog*: a file of training-like lines is there before the sender starts; from
the first stored byte to the last one, so that a Python process's start does not count (*sender start* is that time).
CPU is that of all processes of a side in the same span, ended threads included. *Append to stored*: lines are appended
singly, at irregular intervals, one write(2) each; from before the write until the copy holds the line's last byte. One
thread writes and watches the copy by inotify, asleep in between: its own wake-up is in every peer's figure, its CPU
use in none's. After each transfer the SHA-256 of copy and source are compared: a wrong copy is reported, not timed.

What the peers do differs. logstreamer and NVFlare know who sends, and acknowledge; logstreamer also checksums and
resumes. `tail -F | socat` does none of it: it is the bound. NVFlare runs its own LogStreamer, cells and JobLogReceiver
with their defaults, over one direct connection without TLS; in a job, chunks may pass the parent processes as well."""


def render(results: list[PeerResult], settings: str, command: str) -> str:
    """The whole page, Markdown."""
    rates = {result.name: result.rate for result in results if result.measured}
    rows = [_HEADER, ("---",) * len(_HEADER), *(_row(result, rates) for result in results)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    commands = "\n".join(f"    {line}" for result in results for line in [f"# {result.name}", *result.commands])
    versions = "; ".join(result.version for result in results if result.version)
    return f"""# Benchmarks

Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC with `{command}`: {settings}.

{table}

Machine: {machine()}. Versions: {versions}; Python {platform.python_version()}.

{_HOW}

The processes that ran (PORT, DIR and FILE differ in each transfer):

{commands}
"""


def _row(result: PeerResult, rates: dict[str, float]) -> tuple[str, ...]:
    name = result.name.replace("|", "\\|")
    if not result.measured:
        return (name, f"no figures: {result.trouble}".replace("|", "\\|"), *("-" for _ in _HEADER[2:]))
    sender, receiver = result.cpu_per_gb()
    return (
        f"{name} (then failed: {result.trouble})" if result.trouble else name,
        f"{result.rate / 1e6:.4g} ({min(result.rates) / 1e6:.4g}-{max(result.rates) / 1e6:.4g})",
        _ratio(result.rate, rates.get("NVFlare LogStreamer")),
        _ratio(result.rate, rates.get("tail -F | socat")),
        f"{sender:.2f} + {receiver:.2f}",
        f"{result.latency(0.5) * 1e3:.2f} ms, {result.latency(0.99) * 1e3:.2f} ms",
        f"{result.startup:.2f} s",
    )


def _ratio(rate: float, other: float | None) -> str:
    return f"{rate / other:.3g}" if other else "-"


def machine() -> str:
    """Processor, cores, memory, kernel and system; no name of the host."""
    cpu = _field("/proc/cpuinfo", "model name") or platform.machine()
    memory = int((_field("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) / 2**20
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    return f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB, {system}, Linux {platform.release()}"


def _field(path: str, name: str) -> str | None:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None
