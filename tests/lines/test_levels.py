"""How serious lines say they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstreamer.lines import LEVELS, level_of


@pytest.mark.parametrize(
    ("line", "level"),
    [
        (b"2026-11-24 18:20:37,123 - name - INFO - x", "info"),
        (b"WARNING:root:x", "warn"),
        (b"2026-11-24T18:20:37Z  WARN mod: an ERROR was seen", "warn"),
        (b"2026-11-24 | CRITICAL | x", "fatal"),
        (b"[2026-11-24][DEBUG] x", "debug"),
        (b"\x1b[32mINFO\x1b[0m x", "info"),
        (b"18:20:37 ERR x", "error"),
        (b"TRACE x", "trace"),
        (b"NOTICE: x", "info"),
        (b"java.util SEVERE x", "error"),
        (b"I1124 18:20:37.1 1 a.cc:1] ERROR", "info"),
        (b"E1124 18:20:37.1 1 a.cc:1] x", "error"),
        (b"[rank0]:[W1124 18:20:37.5 x.cpp:1] x", "warn"),
        (b"<11>Nov 24 18:20:37 host x", "error"),
        (b"<15>1 2026-11-24T18:20:37Z host x", "debug"),
        (b'{"level":"info","msg":"ERROR"}', "info"),
        (b'{"severity":"WARNING"}', "warn"),
        (b'{"level":50}', "error"),
        (b'{"level":3}', "error"),
        (b'{"levelno":40}', "error"),
        (b'{"log.level":"debug"}', "debug"),
        (b"time=x level=warn msg=y", "warn"),
        (b'level="error" x', "error"),
        (b"2026/11/24 18:20:37 [error] 12#12: x", "error"),
        (b"[core:warn] x", "warn"),
        (b"[info] x", "info"),
        (b"error: x", "error"),
        (b"main.c:12:3: warning: x", "warn"),
        (b"main.c:12:3: fatal error: x", "error"),
        (b"panic: runtime error", "fatal"),
        (b"Traceback (most recent call last):", "error"),
        (b"ValueError: x", "error"),
        (b"torch.OutOfMemoryError: x", "error"),
        (b"KeyboardInterrupt", "error"),
        (b"/a/b.py:12: UserWarning: x", "warn"),
    ],
)
def test_forms(line, level):
    """The first level that is named counts."""
    assert level_of(line) == level


@pytest.mark.parametrize(
    "line",
    [
        b"", b"step 1 loss 0.1", b"no errors, no warnings", b"validation error 0.1", b"see /var/log/ERROR/x",
        b"an_INFO_b", b"INFORMAL", b"{", b'{"level":true}', b'{"level":999}', b'{"level":"odd"}', b"<999>x",
        b'{"level":["info"]}', b"\xff\x00", b"info about x", b"x [note] y", b"ERROR-CODES.md", b'{"level":"\\ud800"}',
    ],
)  # fmt: skip
def test_no_level(line):
    """A word in a sentence is none."""
    assert level_of(line) is None


@given(st.binary(max_size=300) | st.from_regex(rb"[{<\[]?[A-Za-z0-9 :.=|\"\]{}-]{0,80}", fullmatch=True))
def test_hostile_lines(line):
    """Any bytes give one of the levels or None."""
    assert level_of(line) in (*LEVELS, None)
