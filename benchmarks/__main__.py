"""python -m benchmarks: measures everything in one go and prints or writes the report."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.bench import Bench, say
from benchmarks.budgets import gaps
from benchmarks.cases.table import CASES, QUICK
from benchmarks.records import Records
from benchmarks.report import machine, render
from logstreamer.cli.limits import raise_descriptor_limit


def main() -> int:
    """0 when logstreamer gave figures in every case; what other peers lack is said in the report."""
    options = parse_options()
    raise_descriptor_limit()  # 2,000 files are open at once in growth-streams
    options.workdir.mkdir(parents=True, exist_ok=True)
    saved = options.workdir / ("quick.json" if options.quick else "results.json")
    records = Records.load(saved) if options.only or options.render else Records()
    if not options.render:
        run(options, records, saved)
    page = render(records)
    print(page)
    whole = not options.quick and (options.report is not None or not options.only)
    missing = gaps(records, whole=whole)
    for gap in missing:
        say(f"incomplete: {gap}")
    if options.report is None:
        return 1 if missing else 0
    if missing or not publish(page, options.report, options.flare_python, saved):
        say(f"{options.report} stays as it was; {saved} has the figures, --render --report shows them again")
        return 1
    say(f"wrote {options.report}")
    return 0


def run(options: argparse.Namespace, records: Records, saved: Path) -> None:
    """Measure the cases that were asked for, and keep them in *saved* one by one."""
    names = options.only or (QUICK if options.quick else list(CASES))
    bench = Bench(options.workdir.resolve(), records, options.flare_python.absolute(), options.quick)
    bench.describe_peers()
    records.machine = machine()
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    for name in names:
        records.forget([name])
        load, began = os.getloadavg()[0], time.monotonic()
        say(f"{name}: {CASES[name].__doc__}")
        records.run[name] = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "command": command, "load": load}
        try:
            CASES[name](bench)
        except Exception as error:  # noqa: BLE001 - the next case may work, and what was measured is kept
            bench.fail(name, "logstreamer", error)
        records.run[name]["seconds"] = time.monotonic() - began
        records.save(saved)


def publish(page: str, report: Path, python: Path, saved: Path) -> bool:
    """The plots, by the *python* that has matplotlib, then the page: both of *saved*, or neither is touched."""
    with tempfile.TemporaryDirectory(dir=report.parent, prefix="plots-") as fresh:
        argv = [str(python), "-m", "benchmarks.plots", str(saved), fresh]
        if not python.exists() or subprocess.run(argv, check=False).returncode != 0:
            say(f"the plots could not be drawn: {shlex.join(argv)}")
            return False
        plots = report.with_suffix("")
        plots.mkdir(exist_ok=True)
        for plot in Path(fresh).iterdir():
            plot.replace(plots / plot.name)
    report.write_text(page, encoding="utf-8")
    return True


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few short cases, under three minutes")
    parser.add_argument("--only", action="append", choices=list(CASES), help="measure this again, keep the rest")
    parser.add_argument("--render", action="store_true", help="measure nothing: the report of the last run again")
    parser.add_argument("--flare-python", type=Path, default=Path("build/bench-venv/bin/python"))
    parser.add_argument("--workdir", type=Path, default=Path("build/bench"), help="for the files: up to 24 GiB")
    parser.add_argument("--report", type=Path, help="also write the page here, and its plots beside it")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
