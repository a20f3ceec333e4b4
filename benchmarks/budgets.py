"""The budgets: what was asked for, what was measured, whether it is met."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.records import Records

OURS, FLARE, RSYSLOG, SOCAT = "logstreamer", "NVFlare LogStreamer", "rsyslog", "tail -F | socat"
LINK = 100e6 / 8
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Args:
        met: None where nothing was measured, or less than the budget speaks of.
    """

    what: str
    budget: str
    measured: str
    met: bool | None


@dataclass(slots=True)
class _Sheet:
    """Finds figures, and judges them."""

    records: Records

    def need(self, case: str, key: str, peer: str = OURS) -> float:
        value = self.records.median(case, peer, key)
        if value is None:
            raise KeyError(f"{case}: {peer}")
        return value

    def delay(self, case: str, share: float) -> float:
        value = self.records.delay(case, OURS, share)
        if value is None:
            raise KeyError(f"{case}: {OURS}")
        return value * 1e3

    def ratio(self, case: str, peer: str) -> float | None:
        other = self.records.median(case, peer, "rate")
        return self.need(case, "rate") / other if other else None


Judged = tuple[str, bool | None]


def gaps(records: Records, *, whole: bool) -> list[str]:
    """What keeps *records* from being a result of logstreamer; of a *whole* run every budget has to be judged."""
    ours = records.peers.get(OURS)
    found = [f"{OURS} is missing: {ours.missing}"] if ours and ours.missing else []
    if not records.records:
        found.append("nothing was measured")
    found += [f"{key}: {text}" for key, text in records.failures.items() if key.endswith(f": {OURS}")]
    if whole:
        found += [f"budget {row.what!r}: {row.measured}" for row in rows(records) if row.met is None]
    return found


def rows(records: Records) -> Iterator[Row]:
    """All budgets; one without figures says so."""
    sheet = _Sheet(records)
    for what, budget, judge in _TABLE:
        try:
            measured, met = judge(sheet)
            yield Row(what, budget, measured, met)
        except KeyError as missing:
            yield Row(what, budget, f"not measured ({missing.args[0]})", None)


def _backlog(sheet: _Sheet) -> Judged:
    rate, cpu = sheet.need("backlog", "rate") / 1e6, _both_cpu(sheet, "backlog")
    floors = {FLARE: 40.0, RSYSLOG: 25.0, SOCAT: 0.5}
    ratios = {peer: sheet.ratio("backlog", peer) for peer in floors}
    said = ", ".join(f"{ratio:.3g} x {peer}" if ratio else f"no {peer}" for peer, ratio in ratios.items())
    met = (
        rate >= 500 and cpu <= 4 and all(ratio is not None and ratio >= floors[peer] for peer, ratio in ratios.items())
    )
    return f"{rate:.0f} MB/s, {said}, {cpu:.2f} CPU s/GB", met


def _both_cpu(sheet: _Sheet, case: str) -> float:
    return sheet.need(case, "sender cpu") + sheet.need(case, "receiver cpu")


def _tls(sheet: _Sheet) -> Judged:
    rate = sheet.need("tls", "rate") / 1e6
    ratio = sheet.ratio("tls", SOCAT)
    beside = f", {ratio:.2f} x {SOCAT}" if ratio else ""
    return f"{rate:.0f} MB/s{beside}, {_both_cpu(sheet, 'tls'):.2f} CPU s/GB", rate >= 300


def _zstd(sheet: _Sheet) -> Judged:
    logs, noise = sheet.need("link-logs", "rate"), sheet.need("link-noise", "rate")
    return f"{logs / noise:.2f} x ({logs / 1e6:.1f} MB/s against {noise / 1e6:.1f})", logs >= 4 * noise


def _far(sheet: _Sheet) -> Judged:
    share = sheet.need("far", "rate") / LINK
    other = sheet.records.median("far", SOCAT, "rate")
    beside = f" ({SOCAT}: {other / LINK:.0%})" if other else ""
    return f"{share:.0%} of the link{beside}", share >= 0.8


def _slow_lines(sheet: _Sheet) -> Judged:
    p50, p99 = sheet.delay("lines-50", 0.5), sheet.delay("lines-50", 0.99)
    return f"{p50:.2f} ms, {p99:.2f} ms", p50 <= 1 and p99 <= 5


def _fast_lines(sheet: _Sheet) -> Judged:
    p50, p99 = sheet.delay("lines-50000", 0.5), sheet.delay("lines-50000", 0.99)
    send, receive = sheet.need("lines-50000", "sender cpu"), sheet.need("lines-50000", "receiver cpu")
    behind = sheet.need("lines-50000", "behind")
    met = p50 <= 1 and p99 <= 10 and max(send, receive) <= 0.4 and behind <= 0.1
    return f"{p50:.2f} ms, {p99:.2f} ms; {send:.0%} and {receive:.0%} of a core", met


def _files(sheet: _Sheet) -> Judged:
    p99 = sheet.delay("files", 0.99)
    threads = max(sheet.need("files", f"{end} threads") for end in ("sender", "receiver"))
    memory = [sheet.need("files", f"{end} memory") / 1e6 for end in ("sender", "receiver")]
    met = p99 <= 50 and threads <= 8 and max(memory) <= 150
    said = f"p99 {p99:.1f} ms; {threads:.0f} threads, {memory[0]:.0f} and {memory[1]:.0f} MB"
    return _at(sheet.need("files", "streams"), 1000, "files", said, met)


def _at(number: float, wanted: int, of: str, said: str, met: bool) -> Judged:
    """Judged only where as many were measured as the budget speaks of."""
    if number < wanted:
        return f"{said}; not judged at {number:,.0f} {of}", None
    return f"{said}; {number:,.0f} {of}", met


def _quiet(sheet: _Sheet) -> Judged:
    send, receive = sheet.need("files", "quiet sender cpu"), sheet.need("files", "quiet receiver cpu")
    said, met = f"{send:.1%} and {receive:.1%}", max(send, receive) <= 0.03
    return _at(sheet.need("files", "streams"), 1000, "streams", said, met)


def _senders(sheet: _Sheet) -> Judged:
    share, memory = sheet.need("senders", "slowest to fastest"), sheet.need("senders", "receiver memory") / 1e6
    said, met = f"slowest {share:.2f} of fastest, receiver {memory:.0f} MB", share >= 0.5 and memory <= 200
    return _at(sheet.need("senders", "senders"), 200, "senders", said, met)


def _memory(sheet: _Sheet) -> Judged:
    found = sorted(sheet.records.of("memory", OURS), key=lambda one: one.values["backlog"])
    if len(found) < 2:
        raise KeyError("memory: " + OURS)
    small, large = found[0].values, found[-1].values
    grown = [(large[f"{end} memory"] - small[f"{end} memory"]) / 1e6 for end in ("sender", "receiver")]
    size = large["backlog"] / (1 << 30)
    return f"{grown[0]:+.1f} and {grown[1]:+.1f} MB at {size:.3g} GiB", max(grown) <= 30 and size >= 10


def _targets(sheet: _Sheet) -> Judged:
    share = sheet.need("targets", "rate", "in company") / sheet.need("targets", "rate", "alone")
    return f"{share:.0%} of its rate alone", share >= 0.9


def _inside(sheet: _Sheet) -> Judged:
    logs, plain = _beside_flare(sheet, "inside"), _beside_flare(sheet, "inside-noise")
    ratio = sheet.ratio("inside", FLARE)
    return f"{logs} with compression; {plain} on lines that do not compress", ratio is not None and ratio >= 5


def _beside_flare(sheet: _Sheet, case: str) -> str:
    ratio, ours = sheet.ratio(case, FLARE), sheet.need(case, "rate") / 1e6
    return f"{ratio:.3g} x ({ours:.0f} MB/s against {ours / ratio:.1f})" if ratio else f"no {FLARE} ({ours:.0f} MB/s)"


def _startup(sheet: _Sheet) -> Judged:
    seconds = sheet.need("startup", "seconds", "logstreamer send --help")
    python = sheet.need("startup", "seconds", "python -c pass")
    foreign = sheet.need("startup", "count", "foreign modules")
    said = f"{seconds * 1e3:.0f} ms (an empty Python: {python * 1e3:.0f} ms), {foreign:.0f} foreign modules"
    return said, seconds <= 0.15 and foreign == 0


_TABLE: tuple[tuple[str, str, Callable[[_Sheet], Judged]], ...] = (
    (
        "backlog, one stream",
        f">= 500 MB/s, >= 40 x NVFlare, >= 25 x rsyslog, >= 0.5 x {SOCAT}; <= 4 CPU s/GB both sides together",
        _backlog,
    ),
    ("the same over TLS", ">= 300 MB/s", _tls),
    ("the same with zstd, training-like logs, link of 100 Mbit/s", ">= 4 x the uncompressed rate", _zstd),
    ("100 ms round trip, 100 Mbit/s", ">= 80 % of the link, one stream", _far),
    ("append to stored, 50 lines/s", "p50 <= 1 ms, p99 <= 5 ms", _slow_lines),
    (
        "append to stored, 50,000 lines/s",
        "keeps up; p50 <= 1 ms, p99 <= 10 ms; <= 40 % of a core on each side",
        _fast_lines,
    ),
    ("1,000 followed files, each 1 line/s", "p99 <= 50 ms; <= 8 threads and <= 150 MB on each side", _files),
    ("1,000 quiet streams", "<= 3 % of a core on each side", _quiet),
    ("200 sender processes, one receiver", "slowest >= half of fastest, receiver <= 200 MB", _senders),
    ("10 GiB backlog", "peak memory within 30 MB of that of 100 MiB", _memory),
    ("three targets, one slow, one dead", "the healthy one >= 90 % of its rate alone", _targets),
    ("inside NVFlare, on its own engine, default arguments", f">= 5 x {FLARE}", _inside),
    ("start: `logstreamer send --help`", "<= 150 ms; the import brings neither server nor nvflare", _startup),
)
