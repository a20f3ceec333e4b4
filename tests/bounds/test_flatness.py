"""Memory, threads and descriptors do not grow with the backlog. No time is asserted."""

from __future__ import annotations

import pytest
from benchmarks.bounds import delivered
from benchmarks.stage import MIB

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def test_a_backlog_32_times_larger_costs_no_more():
    small, large = delivered(8 * MIB), delivered(256 * MIB)
    assert (small.exit_code, large.exit_code) == (0, 0)
    assert small.receiver is not None
    assert large.receiver is not None
    for before, after in ((small.sender, large.sender), (small.receiver, large.receiver)):
        assert after.memory < before.memory + 32 * MIB
        assert after.threads <= before.threads + 2
        assert after.descriptors <= before.descriptors + 4
