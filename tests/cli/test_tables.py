"""Tables and bars that fit."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from logstreamer.cli.bar import progress_bar, progress_text
from logstreamer.cli.table import DEFAULT, WIDE, state_text, table
from logstreamer.cli.watching import sparkline

MIB = 1 << 20


def status(path, **known):
    """A stream as the receiver tells it."""
    fields = {
        "path": path, "state": "live", "state_detail": "", "size": 5000, "last_data": 3.0, "last_beat": 1.0,
        "ended": None,
        "modified": "2026-01-31T12:00:00Z", "rate": 100.0, "behind": 0, "gaps": (), "runs": (), "runs_dropped": 0,
        "created": "2026-01-31T12:00:00Z", "last_line": "",
    }  # fmt: skip
    return SimpleNamespace(**{**fields, **known})


STREAMS = [
    status("hospital-a/fedavg/train.log", last_line="step 12 loss=0.5"),
    status("hospital-with-a-long-name/fedavg/somewhere/deep/train.log", state="dead", last_beat=75.0, size=1 << 40),
    status("日本/ジョブ/ログ.log", state="disk full", state_detail="No space left on device", behind=12 * MIB),
]


@pytest.mark.parametrize("columns", [DEFAULT, WIDE])
@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 140, 200])
def test_a_table_fits_into_the_terminal(columns, width):
    """Colours take no room; the name and the state are left to the last."""
    for colour in (False, True):
        lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in table(STREAMS, columns, width=width, colour=colour)]
        assert len(lines) == 4
        for line in lines:
            wide = sum(2 if ord(char) > 0x2FFF else 1 for char in line)
            assert wide <= width
        if width >= 40:
            assert "dead" in lines[2]
            assert "full" in lines[3] or "disk" in lines[3]
            assert lines[1].startswith("hosp")


def test_names_have_what_columns_left_free():
    """In 44 columns two streams that differ in the middle of their names are told apart."""
    detail = "no receiver is running here"
    streams = [status(f"site-{number}/job/train.log", state="unknown", state_detail=detail) for number in (1, 2)]

    lines = table(streams, width=44)

    assert [line.split()[0] for line in lines[1:]] == ["site-1/job/train.log", "site-2/job/train.log"]
    assert all(len(line) <= 44 for line in lines)


def test_without_a_terminal_nothing_is_cut():
    """A program may read it."""
    lines = table(STREAMS, WIDE)

    assert STREAMS[1].path in lines[2]
    assert "step 12 loss=0.5" in lines[1]


def test_the_dead_are_told_since_when():
    """By the last beat, which goes on to age."""
    assert state_text(STREAMS[1]) == "dead (no beat for 1m15s, at byte 1099511627776)"
    assert state_text(status("a", state="dead", last_beat=None, state_detail="at byte 5000")) == "dead (at byte 5000)"
    assert state_text(status("a", state="dead", last_beat=4.2)) == "dead (no beat for 4 s, at byte 5000)"


@pytest.mark.parametrize(
    ("state", "detail", "ended", "text"),
    [
        ("dead", "nothing heard for 30 s, at byte 9", 192.0, "dead (3m12s ago: nothing heard for 30 s, at byte 9)"),
        ("dead", "nothing heard for 30 s, at byte 9", 3.0, "dead (nothing heard for 30 s, at byte 9)"),
        ("stopped", "", 7200.0, "stopped (2h00m ago)"),
        ("finished", "digest ok", 7200.0, "finished (digest ok)"),
    ],
)
def test_an_end_of_long_ago_is_no_news(state, detail, ended, text):
    """The reason speaks of the moment of the end."""
    assert state_text(status("a", state=state, last_beat=None, state_detail=detail, ended=ended)) == text


@pytest.mark.parametrize("width", [10, 40, 60, 80, 200])
@pytest.mark.parametrize("done", [0, 1, 37 * MIB, 100 * MIB])
def test_a_bar_fits_into_one_row(width, done):
    """And is full at the end."""
    text = progress_bar(done, 100 * MIB, 5.0 * MIB, width)

    assert len(text) < width
    assert ("100%" in text) == (done == 100 * MIB and width >= 60)


def test_progress_in_words():
    """Bytes, part, rate and time left."""
    assert progress_text(25 * MIB, 100 * MIB, 5.0 * MIB) == "25.0 MiB of 100.0 MiB (25%), 5.0 MiB/s, 15s left"
    assert progress_bar(25 * MIB, 100 * MIB, 5.0 * MIB, 80) == (
        " 25% ▕███████                     ▏  25.0 MiB of 100.0 MiB  5.0 MiB/s  15s left"
    )
    assert progress_text(0, 0, 0.0) == "0 B of 0 B, 0 B/s"


def test_sparklines_are_as_high_as_the_highest():
    """Nothing is empty, something is not."""
    assert sparkline([0, 0, 0]) == "   "
    assert sparkline([0, 1, 500, 1000]) == " ▁▅█"
