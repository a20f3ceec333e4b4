"""Writers, rotators, networks and kills together, another schedule each time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.chaos.plan import make_plan
from tests.chaos.run import run_plan

SECONDS = 45.0
"""Of faults; starting, draining and judging come on top."""


@pytest.mark.slow
@pytest.mark.first
@pytest.mark.timeout(500)
def test_nothing_is_lost_or_doubled_whatever_happens(tmp_path: Path):
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"make chaos SEED={seed} ROUND={SECONDS:g}")

    report = run_plan(make_plan(seed, SECONDS), tmp_path)

    print(report.table())
    assert report.passed, report.table()
    assert report.written > 0
    assert sum(report.faults.values()) > 0
