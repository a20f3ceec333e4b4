"""Where a stream that nobody stores continues."""

from __future__ import annotations

import pytest

from logstreamer.protocol.frames import Segment
from logstreamer.trace import CopyTrace


def traced(*marks: Segment) -> CopyTrace:
    """After three bytes of one file, and *marks* without bytes."""
    trace = CopyTrace()
    trace.segment(Segment(0, 0, "8:1", 0, "start", 0, ""))
    trace.data(memoryview(b"abc"))
    for mark in marks:
        trace.segment(mark)
    return trace


def test_another_run_continues_in_the_last_segment_with_bytes():
    trace = traced(Segment(1, 3, "8:2", 0, "rotated", 0, ""), Segment(2, 3, "8:3", 0, "truncated", 0, ""))
    assert trace.position().segments == 3

    trace.begin_run()

    assert trace.position() == traced().position()


@pytest.mark.parametrize(("reason", "lost"), [("gap", 5), ("gap", None), ("truncated", 5)])
def test_another_run_keeps_a_gap_without_bytes(reason, lost):
    trace = traced(Segment(1, 3, "8:2", 0, reason, lost, ""))
    before = trace.position()

    trace.begin_run()

    assert trace.position() == before


def test_another_run_keeps_a_segment_with_bytes():
    trace = traced(Segment(1, 3, "8:2", 0, "rotated", 0, ""))
    trace.data(memoryview(b"d"))
    before = trace.position()

    trace.begin_run()

    assert trace.position() == before
