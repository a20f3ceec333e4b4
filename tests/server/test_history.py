"""Which states are kept, and the marks that come of them."""

from __future__ import annotations

import pytest

from logstreamer.server.chronicle import Chronicle, Entered
from logstreamer.server.marks import Mark, marks_between, marks_of
from logstreamer.server.states import State
from logstreamer.store.layout import Place
from logstreamer.store.record import StreamRecord
from logstreamer.store.sidecar import Change, Run, Segment, Sidecar


def record(size=100, **known):
    """What is stored of a stream."""
    known.setdefault("segments", (Segment(0, "a", 0, "start", at="T00"),))
    return StreamRecord.of(Sidecar(key="k", **known), Place.of("s", "j", "f"), size, 0.0, believed=True)


def test_everyday_states_are_kept_when_they_last():
    """Many a stream is quiet now and then; that is kept once it means something, with the time it began."""
    chronicle = Chronicle()

    assert chronicle.look(State.QUIET, "", 100.0, "live") is None
    assert chronicle.look(State.QUIET, "", 159.0, "live") is None
    assert chronicle.look(State.LIVE, "", 159.5, "live") is None
    assert chronicle.look(State.QUIET, "", 170.0, "live") is None
    assert chronicle.look(State.QUIET, "", 230.0, "live") == Entered(State.QUIET, "", 60.0, matters=False)
    assert chronicle.look(State.QUIET, "", 231.0, "quiet") is None


@pytest.mark.parametrize("state", [State.DEAD, State.DISK_FULL, State.STALLED, State.REFUSED])
def test_what_matters_is_kept_at_once(state):
    """And so is the return from it."""
    chronicle = Chronicle()

    assert chronicle.look(state, "why", 100.0, "live") == Entered(state, "why", 0.0, matters=True)
    assert chronicle.look(State.LIVE, "", 101.0, state.value) == Entered(State.LIVE, "", 0.0, matters=True)


def test_marks_of_a_life():
    """Segments, deaths, returns and the end, in their order."""
    marks = marks_of(
        record(
            segments=(
                Segment(0, "a", 0, "start", at="T00"),
                Segment(40, "b", 0, "rotated", at="T04"),
                Segment(60, "b", 90, "gap", lost=30, detail="deleted", at="T06"),
                Segment(70, "c", 0, "truncated", lost=None, at="T07"),
            ),
            history=(
                Change("T00", "live", "", 0),
                Change("T01", "quiet", "", 20),
                Change("T02", "dead", "no beat", 20),
                Change("T03", "live", "", 20),
                Change("T07", "refused by site", "no", 75),
                Change("T08", "failed", "ERROR x", 80),
                Change("T09", "disk full", "", 80),
                Change("T10", "stopped", "left open", 90),
                Change("T11", "live", "", 90),
                Change("T12", "finished", "", 100),
            ),
            finished="T12",
        )
    )

    assert marks == [
        Mark(0, "start", "T00"),
        Mark(20, "dead", "T02", "no beat"),
        Mark(20, "back", "T03", "at byte 20"),
        Mark(40, "rotated", "T04"),
        Mark(60, "gap", "T06", "deleted", 30),
        Mark(70, "truncated", "T07"),
        Mark(75, "refused", "T07", "no"),
        Mark(80, "failed", "T08", "ERROR x"),
        Mark(80, "back", "T09", "at byte 80"),
        Mark(90, "stopped", "T10", "left open"),
        Mark(90, "back", "T11", "at byte 90"),
        Mark(100, "finished", "T12"),
    ]


def test_marks_of_what_is_older_than_the_history():
    """Runs tell it; what both tell is told once."""
    runs = (
        Run("a", 0, "T00", 10, "T01", "TIMEOUT", "silence"),
        Run("b", 10, "T02", 30, "T03", "ERROR", "x"),
        Run("c", 30, "T04", 40, "T05", "", "run d took over"),
        Run("d", 40, "T06", 50, "T07", "STOPPED", "left open"),
        Run("e", 50, "T08"),
    )
    old = [
        Mark(10, "dead", "T01", "silence"), Mark(10, "back", "T02", "at byte 10"),
        Mark(30, "failed", "T03", "ERROR x"), Mark(30, "back", "T04", "at byte 30"),
    ]  # fmt: skip

    new = [
        Mark(40, "back", "T06", "at byte 40"), Mark(50, "stopped", "T07", "left open"),
        Mark(50, "back", "T08", "at byte 50"),
    ]  # fmt: skip

    assert marks_of(record(runs=runs))[1:] == [*old, *new]
    later = (Change("T03", "failed", "new words", 30), Change("T04", "live", "", 30))
    assert marks_of(record(runs=runs, history=later))[1:] == [
        *old[:2],
        Mark(30, "failed", "T03", "new words"),
        old[3],
    ]


def test_marks_of_a_page():
    """Those of its bytes; at the end of the file also what happened behind the last one."""
    it = record(segments=(Segment(0, "a", 0, "start", at="T0"), Segment(50, "a", 0, "rotated", at="T1")), finished="T2")

    assert [mark.offset for mark in marks_between(it, 0, 50, last=False)] == [0]
    assert [mark.offset for mark in marks_between(it, 50, 100, last=False)] == [50]
    assert [mark.offset for mark in marks_between(it, 50, 100, last=True)] == [50, 100]
