"""python -m benchmarks.plots RESULTS DIRECTORY: the plots of docs/benchmarks.md, as SVG. Needs matplotlib."""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "logstreamer", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3})

from matplotlib import pyplot as plt  # noqa: E402 - the backend has to be chosen first

from benchmarks.records import SHARES, Record, Records  # noqa: E402 - after matplotlib's

OURS = "logstreamer"


def main() -> None:
    """Draw them all; what was not measured is left out of its plot."""
    records, directory = Records.load(Path(sys.argv[1])), Path(sys.argv[2])
    for name, draw in PLOTS.items():
        panels = PANELS.get(name, 2)
        figure, axes = plt.subplots(1, panels, figsize=(4 * panels, 3.2))
        draw(records, axes)
        for axis in axes:
            if not isfinite(axis.dataLim.width):  # no figures: a logarithmic axis of nothing cannot be drawn
                axis.set(xscale="linear", yscale="linear", title="not measured")
        figure.tight_layout()
        figure.savefig(directory / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)


def backlog(records: Records, axes: Any) -> None:
    """Throughput and CPU of each peer, logarithmic: they are far apart."""
    peers = records.measured("backlog")
    rates = [(records.median("backlog", peer, "rate") or 0) / 1e6 for peer in peers]
    axes[0].barh(peers, rates)
    axes[0].set(xscale="log", xlabel="MB/s, one stream")
    left = [0.0] * len(peers)
    for end in ("sender", "receiver"):
        cpu = [records.median("backlog", peer, f"{end} cpu") or 0 for peer in peers]
        axes[1].barh(peers, cpu, left=left, label=end)
        left = [sum(pair) for pair in zip(left, cpu, strict=True)]
    axes[1].set(xscale="log", xlabel="CPU seconds per GB", yticklabels=[])
    axes[1].legend()


def latency(records: Records, axes: Any) -> None:
    """From the write to the stored byte: what share of the lines waits longer."""
    for axis, case, title in ((axes[0], "lines-50", "50 lines/s"), (axes[1], "lines-50000", "50,000 lines/s")):
        for peer in records.measured(case):
            delays = [records.delay(case, peer, share) for share in SHARES]
            axis.plot([(delay or 0) * 1e3 for delay in delays], [100 * share for share in SHARES], label=peer)
        axis.set(xscale="log", xlabel="ms, append to stored", ylabel="% of lines within", title=title)
    if records.measured("lines-50"):
        axes[0].legend(fontsize=7)


def growth_streams(records: Records, axes: Any) -> None:
    """CPU while quiet and at a line a second each; memory."""
    found = [one for one in [*records.of("growth-streams"), *records.of("files")] if "streams" in one.values]
    for end in ("sender", "receiver"):
        for state, style in (("quiet", "o--"), ("busy", "o-")):
            label = f"{end}, {'quiet' if state == 'quiet' else 'a line/s each'}"
            _line(axes[0], found, "streams", lambda one, e=end, s=state: 100 * one.values[f"{s} {e} cpu"], style, label)
        _line(axes[1], found, "streams", lambda one, e=end: one.values[f"{e} memory"] / 1e6, "o-", end)
    axes[0].set(xscale="log", yscale="log", xlabel="streams", ylabel="% of a core")
    axes[1].set(xscale="log", xlabel="streams", ylabel="peak memory, MB", ylim=(0, None))


def growth_rate(records: Records, axes: Any) -> None:
    """CPU, latency and memory of one stream."""
    found = list(records.of("growth-rate"))
    for case, lines in (("lines-50", 50.0), ("lines-50000", 50_000.0)):
        for one in records.of(case, OURS):
            found.append(Record(one.case, one.peer, {"lines": lines, **one.values}, one.delays))
    for end in ("sender", "receiver"):
        _line(axes[0], found, "lines", lambda one, e=end: 100 * one.values[f"{e} cpu"], "o-", end)
    for share in (0.5, 0.99):
        place = SHARES.index(share)
        _line(axes[1], found, "lines", lambda one, p=place: one.delays[p] * 1e3, "o-", f"p{share * 100:.0f}")
    axes[0].set(xscale="log", xlabel="lines per second", ylabel="% of a core")
    axes[1].set(xscale="log", yscale="log", xlabel="lines per second", ylabel="ms, append to stored")
    _memory(axes[2], found, "lines", "lines per second")


def growth_chunk(records: Records, axes: Any) -> None:
    """A backlog in chunks of several sizes."""
    found = records.of("growth-chunk")
    _line(axes[0], found, "chunk", lambda one: one.values["rate"] / 1e6, "o-", "logstreamer")
    for end in ("sender", "receiver"):
        _line(axes[1], found, "chunk", lambda one, e=end: one.values[f"{e} cpu"], "o-", end)
    axes[0].set(xscale="log", xlabel="chunk, bytes", ylabel="MB/s", ylim=(0, None))
    axes[1].set(xscale="log", yscale="log", xlabel="chunk, bytes", ylabel="CPU seconds per GB")
    _memory(axes[2], found, "chunk", "chunk, bytes")


def growth_round_trip(records: Records, axes: Any) -> None:
    """Throughput, CPU and memory of one stream over 100 Mbit/s."""
    found = list(records.of("growth-round-trip"))
    for one in records.of("far"):
        found.append(Record(one.case, one.peer, {"round trip": 0.1, **one.values}))
    for peer in dict.fromkeys(one.peer for one in found):
        own = [one for one in found if one.peer == peer]
        _line(axes[0], own, "round trip", lambda one: one.values["rate"] / 1e6, "o-", peer, scale=1e3)
        for end, style in (("sender", "o-"), ("receiver", "o--")) if peer == OURS else ():
            _line(axes[1], own, "round trip", lambda one, e=end: one.values[f"{e} cpu"], style, end, scale=1e3)
    axes[0].axhline(12.5, color="gray", linewidth=1)
    axes[0].set(xscale="log", yscale="log", xlabel="round trip, ms", ylabel="MB/s")
    axes[1].set(xscale="log", xlabel="round trip, ms", ylabel="CPU seconds per GB", ylim=(0, None))
    _memory(axes[2], [one for one in found if one.peer == OURS], "round trip", "round trip, ms", scale=1e3)


def _memory(axis: Any, found: list[Record], key: str, label: str, scale: float = 1.0) -> None:
    """Peak memory of both sides over *key*; from zero on, so that flat looks flat."""
    for end in ("sender", "receiver"):
        known = [one for one in found if f"{end} memory" in one.values]
        _line(axis, known, key, lambda one, e=end: one.values[f"{e} memory"] / 1e6, "o-", end, scale)
    axis.margins(y=0.3)
    axis.set(xscale="log", xlabel=label, ylabel="peak memory, MB", ylim=(0, None))


def _line(
    axis: Any,
    found: list[Record],
    key: str,
    value: Callable[..., float],
    style: str,
    label: str,
    scale: float = 1.0,
) -> None:
    """Medians of *value* over *key*."""
    places = sorted({one.values[key] for one in found})
    medians = [median(value(one) for one in found if one.values[key] == place) for place in places]
    axis.plot([place * scale for place in places], medians, style, label=label)
    if places:
        axis.legend(fontsize=7)


PLOTS: dict[str, Callable[[Records, Any], None]] = {
    "backlog": backlog,
    "latency": latency,
    "growth-streams": growth_streams,
    "growth-rate": growth_rate,
    "growth-chunk": growth_chunk,
    "growth-round-trip": growth_round_trip,
}

PANELS = {"growth-rate": 3, "growth-chunk": 3, "growth-round-trip": 3}
"""Axes side by side, where they are not two."""

if __name__ == "__main__":
    main()
