"""Backoff: growing, bounded, jittered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstreamer.protocol.backoff import Backoff


def test_delays_grow_to_their_bound():
    backoff = Backoff(0.1, 1.0, lambda: 0.0, factor=2.0)
    assert [backoff.delay() for _ in range(6)] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])


def test_reset_begins_again():
    backoff = Backoff(0.1, 1.0, lambda: 0.0)
    backoff.delay()
    assert backoff.delay() > 0.1
    backoff.reset()
    assert backoff.delay() == pytest.approx(0.1)


@given(st.floats(0, 1, exclude_max=True))
def test_jitter_shortens_by_up_to_a_half(jitter: float):
    assert 0.5 <= Backoff(1.0, 8.0, lambda: jitter).delay() <= 1.0


def test_peers_with_different_jitter_come_back_at_different_times():
    assert Backoff(1.0, 8.0, lambda: 0.1).delay() != Backoff(1.0, 8.0, lambda: 0.7).delay()
