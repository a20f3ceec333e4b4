"""What counts as an event, and that it counts once."""

from __future__ import annotations

import pytest

from logstreamer.server.alerts.detector import Look, begin, detect
from logstreamer.server.alerts.ledger import Known
from logstreamer.server.alerts.rules import Rule
from logstreamer.server.status import StreamStatus
from logstreamer.store.record import Gap
from logstreamer.store.sidecar import Run

NOW = 1_800_000_000.0


def status(state: str = "live", **fields: object) -> StreamStatus:
    """Of one stream."""
    known = {
        "site": "s",
        "job": "j",
        "file": "f",
        "path": "s/j/f",
        "key": "k",
        "state": state,
        "state_detail": "why",
        "since": "",
        "size": 10,
        "runs": (),
        "runs_dropped": 0,
        "segments": (),
        "gaps": (),
        "troubles": (),
        "meta": {},
        "created": "",
        "modified": "2027-01-15T08:00:00Z",  # NOW
        "finished": None,
        "digest": None,
    }
    return StreamStatus(**{**known, **fields})


def happens(rule: Rule, known: Known, at: StreamStatus, *, ago: float = 0.0, now: float = NOW, listened: float = 1e9):
    """Details of the events of one look."""
    return [event.detail for event in detect(rule, Look(at, ago, now, listened), known)]


def rule(when: str, **fields: object) -> Rule:
    """One without a name of its own."""
    return Rule(name=when, when=when, **fields)


def test_dead_once_until_it_has_come_back():
    """Whatever the state on the way."""
    known, dead = Known(), rule("dead")

    assert happens(dead, known, status("live")) == []
    assert happens(dead, known, status("dead")) == ["why"]
    assert happens(dead, known, status("dead")) == []
    assert happens(dead, known, status("unknown")) == []  # the receiver was started anew
    assert happens(dead, known, status("quiet")) == []
    assert happens(dead, known, status("dead")) == ["why"]


@pytest.mark.parametrize(("modified", "told"), [("2027-01-15T07:30:00Z", 1), ("2027-01-15T06:59:00Z", 0)])
def test_a_new_rule_takes_old_streams_for_dead_already(modified, told):
    """But not those that were sent just before the receiver was started with it."""
    known, dead = Known(), rule("dead")
    begin(dead, Look(status("unknown", modified=modified), 0.0, NOW), known)

    assert len(happens(dead, known, status("dead", modified=modified))) == told


def test_silent_once_for_each_silence():
    """By our clock while a sender is known, by the file's time after a restart; a finished stream may be silent."""
    known, silent = Known(), rule("silent", silence=60.0)

    assert happens(silent, known, status(last_data=50.0), ago=9.0) == []
    assert happens(silent, known, status("quiet", last_data=50.0), ago=10.0) == [
        "nothing came for 60 s, its sender is quiet, at byte 10"
    ]
    assert happens(silent, known, status("quiet", last_data=500.0)) == []
    assert happens(silent, known, status("unknown"), now=NOW + 600) == []
    assert happens(silent, known, status("live", size=11, last_data=0.0)) == []
    assert happens(silent, known, status("unknown", size=11), now=NOW + 600) == [
        "nothing came for 10 m, its sender is gone, at byte 11"
    ]
    for state in ("finished", "failed", "stopped"):
        assert happens(silent, Known(), status(state, last_data=500.0)) == []


def test_no_silence_is_longer_than_was_listened():
    """Whichever clock it is told by: a receiver that was held up itself heard nobody."""
    known, silent = Known(), rule("silent", silence=60.0)

    assert happens(silent, known, status("quiet", last_data=500.0), listened=59.0) == []
    assert happens(silent, known, status("unknown"), now=NOW + 600, listened=59.0) == []
    assert happens(silent, known, status("quiet", last_data=500.0), listened=60.0) == [
        "nothing came for 60 s, its sender is quiet, at byte 10"
    ]


def test_finished_once():
    """For ever."""
    known, finished = Known(), rule("finished")

    assert happens(finished, known, status("live")) == []
    assert happens(finished, known, status("finished", finished="t", digest="d")) == ["10 bytes, digest ok"]
    assert happens(finished, known, status("finished", finished="t", digest="d")) == []


def test_failed_for_each_run_that_failed():
    """Not for those that ended well, died, were stopped or taken over by the next; old ones may be kept no more."""
    known, failed = Known(), rule("failed")
    runs = [Run("a", 0, "t", 1, "t", "OK"), Run("b", 1, "t", 2, "t", "TIMEOUT"), Run("c", 2, "t", 3, "t", "")]
    runs += [Run("d", 3, "t", 4, "t", "TASK_ABORTED", "stopped"), Run("e", 4, "t", 4, "t", "STOPPED", "left open")]
    runs += [Run("f", 4, "t")]
    refused = status(runs=(Run("a", 0, "t", 0, "t", "REFUSED", "the officer says no"),))

    assert happens(failed, Known(), refused) == ["refused by site: the officer says no, at byte 0"]
    assert happens(failed, known, status(runs=tuple(runs))) == ["TASK_ABORTED stopped, at byte 4"]
    assert happens(failed, known, status(runs=tuple(runs))) == []
    later = (Run("f", 4, "t", 9, "t", "ERROR"), Run("g", 9, "t", 9, "t", "ERROR", "again"))
    assert happens(failed, known, status(runs=later, runs_dropped=5)) == ["ERROR, at byte 9", "ERROR again, at byte 9"]
    assert happens(failed, known, status(runs=later[1:], runs_dropped=6)) == []


def test_each_gap_once():
    """With its place and size."""
    known, gap = Known(), rule("gap")
    gaps = (Gap(5, 3, "gap", "deleted", "t", 1), Gap(9, None, "gap", "", "t", 4))

    assert happens(gap, known, status(gaps=gaps[:1])) == ["3 bytes are missing at byte 5 (gap, deleted)"]
    assert happens(gap, known, status(gaps=gaps)) == ["bytes are missing at byte 9 (gap)"]
    assert happens(gap, known, status(gaps=gaps)) == []


@pytest.mark.parametrize("when", ["dead", "silent", "finished", "failed", "gap"])
def test_what_was_there_before_a_rule_is_no_event(when):
    """A rule begins with what is new."""
    known, one = Known(), rule(when, silence=60.0)
    old = status(
        "finished" if when == "finished" else "dead",
        runs=(Run("a", 0, "t", 1, "t", "ERROR"),),
        gaps=(Gap(5, 3, "gap", "", "t", 1),),
        finished="t" if when == "finished" else None,
    )
    begin(one, Look(old, 0.0, NOW + 600), known)

    assert happens(one, known, old, now=NOW + 1200) == []
    assert known.offset == 10
