"""`python -m tests.chaos`: a soak, and its report."""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from tests.chaos.plan import make_plan
from tests.chaos.report import Report
from tests.chaos.run import run_plan


def main() -> int:
    """Rounds until the time is over, each with a seed of its own; 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long in all, at least one round")
    parser.add_argument("--seed", type=int, help="of the first round; the next ones count up from it")
    parser.add_argument("--round", type=float, default=60.0, metavar="SECONDS", help="faults in one round")
    parser.add_argument("--sites", type=int, default=2)
    parser.add_argument("--files", type=int, default=3, help="logs at each site")
    parser.add_argument("--dir", type=Path, help="where the runs' directories are made; kept after a failure")
    parser.add_argument("--json", type=Path, help="write the report there too")
    parser.add_argument("--keep-going", action="store_true", help="after a failed round too")
    options = parser.parse_args()

    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    total = Report(seed, rounds=0)
    deadline = time.monotonic() + options.minutes * 60
    while total.rounds == 0 or time.monotonic() + options.round < deadline:
        current = seed + total.rounds
        print(f"round {total.rounds + 1}, seed {current}", flush=True)
        report = run_plan(make_plan(current, options.round, options.sites, options.files), options.dir)
        total.add(report)
        print(f"  {'passed' if report.passed else 'FAILED'}: {report.written / 1e6:.1f} MB written, "
              f"{sum(report.faults.values())} faults, {sum(report.rotations.values())} rotations, "
              f"{report.gaps} gaps, {report.exact} of {report.files} copies byte-exact", flush=True)  # fmt: skip
        for complaint in report.complaints if options.keep_going else ():
            print(f"    {complaint}", flush=True)
        if not report.passed and not options.keep_going:
            break
    print()
    print(total.table())
    if options.json is not None:
        total.write_json(options.json)
    return 0 if total.passed else 1


if __name__ == "__main__":
    sys.exit(main())
