"""docs/benchmarks.md: what was measured, on what, when and how."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path

from benchmarks.budgets import rows
from benchmarks.records import Records

NOTES = Path(__file__).with_name("notes.md")
"""Written by hand: how to read it, where the time goes, what was changed and what it gained."""

NOTED = {
    "NVFlare LogStreamer": "NVFlare 2.9.0",
    "rsyslog": "rsyslog 8.2302.0",
    "tail -F | socat": "socat version 1.7.4.4",
}
"""The versions that the notes speak of."""

PLOTS = (
    ("backlog.svg", "Throughput and CPU of one stream"),
    ("latency.svg", "Append to stored, distribution"),
    ("growth-streams.svg", "CPU and memory against streams"),
    ("growth-rate.svg", "CPU, latency and memory against lines per second"),
    ("growth-chunk.svg", "Throughput, CPU and memory against chunk size"),
    ("growth-round-trip.svg", "Throughput, CPU and memory against round trip, 100 Mbit/s"),
)


def render(records: Records) -> str:
    """The whole page, Markdown."""
    parts = [
        "# Benchmarks",
        _when(records),
        "## Budgets",
        _table(
            ("what", "budget", "measured", "met"), ((r.what, r.budget, r.measured, _met(r.met)) for r in rows(records))
        ),
        "## One stream",
        _streams(records),
        "## Links",
        _links(records),
        "## Plots",
        "\n\n".join(f"![{title}](benchmarks/{name})" for name, title in PLOTS),
        NOTES.read_text(encoding="utf-8").strip(),
        "## How it ran",
        _commands(records),
        _log(records),
    ]
    return "\n\n".join(parts) + "\n"


def _met(met: bool | None) -> str:
    return {None: "-", True: "yes", False: "**no**"}[met]


def _when(records: Records) -> str:
    dates = sorted(facts["date"] for facts in records.run.values())
    versions = "; ".join(peer.version for peer in records.peers.values() if peer.version)
    missing = "\n".join(f"- {peer.name}: {peer.missing}" for peer in records.peers.values() if peer.missing)
    lost = "\n".join(f"- {key}: {text}" for key, text in records.failures.items())
    others = [noted for name, noted in NOTED.items() if not _is_noted(records, name)]
    differ = f" The notes below were written with {', '.join(others)} instead." if others else ""
    return (
        f"Measured {dates[0] if dates else '-'} to {dates[-1] if dates else '-'} UTC on {records.machine}. "
        f"Versions: {versions}; Python {platform.python_version()}.{differ} `make bench` repeats all of it, "
        "`make bench-quick` prints the short form.\n\n"
        f"Missing peers:\n\n{missing or '- none'}" + (f"\n\nFailed:\n\n{lost}" if lost else "")
    )


def _is_noted(records: Records, name: str) -> bool:
    """Whether a peer has the version that the notes speak of, or did not run at all."""
    version = records.peers[name].version if name in records.peers else ""
    return not version or NOTED[name] in version


def _streams(records: Records) -> str:
    header = (
        "who",
        "backlog MB/s (lowest-highest)",
        "CPU s/GB, send + receive",
        "over TLS MB/s",
        "50 lines/s: p50, p99",
        "50,000 lines/s: p50, p99",
        "its CPU, send + receive",
        "sender start",
    )
    peers = [name for name in records.peers if not records.peers[name].missing]
    body = [
        (
            name,
            _rate(records, "backlog", name),
            _cpu(records, "backlog", name, ".2f"),
            _rate(records, "tls", name),
            _delays(records, "lines-50", name),
            _delays(records, "lines-50000", name),
            _cpu(records, "lines-50000", name, ".0%"),
            _number(records.median("backlog", name, "start"), "{:.2f} s"),
        )
        for name in peers
    ]
    body += [(peer.name, "missing", *("-" for _ in header[2:])) for peer in records.peers.values() if peer.missing]
    return _table(header, body)


def _links(records: Records) -> str:
    cases = {"link-logs": "logs", "link-noise": "noise, which nothing shortens", "far": "noise"}
    body = [
        (
            "100 ms" if case == "far" else "1 ms",
            name,
            text,
            _rate(records, case, name),
            _cpu(records, case, name, ".2f"),
        )
        for case, text in cases.items()
        for name in records.measured(case)
    ]
    return _table(("100 Mbit/s, round trip", "who", "what", "MB/s (lowest-highest)", "CPU s/GB, send + receive"), body)


def _rate(records: Records, case: str, name: str) -> str:
    values = sorted(value / 1e6 for value in records.values(case, name, "rate"))
    if not values:
        return "failed" if f"{case}: {name}" in records.failures else "-"
    figure = f"{(records.median(case, name, 'rate') or 0) / 1e6:.4g} ({values[0]:.4g}-{values[-1]:.4g})"
    return figure + _short(records, case, name)


def _short(records: Records, case: str, name: str) -> str:
    """That a peer failed before the last round, where it did: its figures are those of the rounds before."""
    measured, planned = len(records.of(case, name)), records.rounds.get(case, 0)
    return f", {measured} of {planned} rounds" if measured < planned else ""


def _cpu(records: Records, case: str, name: str, form: str) -> str:
    both = [records.median(case, name, f"{end} cpu") for end in ("sender", "receiver")]
    return " + ".join(format(value, form) for value in both if value is not None) or "-"


def _delays(records: Records, case: str, name: str) -> str:
    both = [records.delay(case, name, share) for share in (0.5, 0.99)]
    figures = ", ".join(f"{value * 1e3:.2f} ms" for value in both if value is not None)
    if not figures:
        return "failed" if f"{case}: {name}" in records.failures else "-"
    return figures + _short(records, case, name)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _commands(records: Records) -> str:
    blocks = [f"    # {peer.name}\n" + _indented(peer.commands) for peer in records.peers.values() if peer.commands]
    return "The processes of one stream (PORT, DIR and FILE differ in each transfer):\n\n" + "\n".join(blocks)


def _indented(lines: Iterable[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)


def _log(records: Records) -> str:
    body = [
        (name, facts["date"], f"{facts['load']:.2f}", f"{facts.get('seconds', 0):.0f} s", f"`{facts['command']}`")
        for name, facts in records.run.items()
    ]
    return _table(("case", "begun (UTC)", "load before", "took", "command"), body)


def _table(header: Iterable[str], body: Iterable[Iterable[str]]) -> str:
    cells = [tuple(header)]
    cells += [("---",) * len(cells[0]), *(tuple(row) for row in body)]
    return "\n".join(f"| {' | '.join(text.replace('|', chr(92) + '|') for text in row)} |" for row in cells)


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
