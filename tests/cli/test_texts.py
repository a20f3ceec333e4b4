"""What people read."""

from __future__ import annotations

import pytest

from logstreamer.cli.discovery import Remarks
from logstreamer.cli.messages import failure_lines, remark_lines
from logstreamer.cli.outbound import Result
from logstreamer.cli.output import bytes_text, count_text, duration_text, printable
from logstreamer.cli.terminal import neutral


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 << 30, "3.0 GiB"), (5 << 50, "5120.0 TiB")],
)  # fmt: skip
def test_sizes(number, text):
    """Powers of 1024, one decimal."""
    assert bytes_text(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (59.9, "59s"), (75, "1m15s"), (3660, "1h01m"), (200_000, "2d07h")]
)
def test_durations(seconds, text):
    """Two units at most."""
    assert duration_text(seconds) == text


def test_counts_and_names():
    """One of a thing, and names that would act on a terminal."""
    assert [count_text(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert printable("a\x1b[2J\n\udcffä") == "a\\x1b[2J\\n\\udcffä"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"plain", b"plain"),
        (b"a\tb", b"a\tb"),
        ("grün ✓".encode(), "grün ✓".encode()),
        (b"\x1b[31mred\x07\x7f", b"red^G^?"),
        (b"\x1b[2J\x1b]0;title\x07", b"^[[2J^[]0;title^G"),
        (b"10%\r50%\r100%\r", b"100%"),
        (b"crlf\r", b"crlf"),
        (b"\xff", "\ufffd".encode()),
        ("\u202eevil\u0085".encode(), b"<U+202E>evil<U+0085>"),
        ("pass\u200bword\ufeff\u2060".encode(), b"pass<U+200B>word<U+FEFF><U+2060>"),
        ("\U0001f469\u200d\U0001f52c".encode(), "\U0001f469\u200d\U0001f52c".encode()),
    ],
)
def test_a_terminal_obeys_no_log(line, shown):
    """Control characters are shown, colours left out, the last state of a progress bar stays."""
    assert neutral(line) == shown


def test_many_remarks_of_one_kind_are_one_line():
    """Nobody reads five thousand."""
    remarks = Remarks(special=[f"/s{number}" for number in range(50)], unreadable=[("/a", "no"), ("/b", "{why}")])

    named = ", ".join(f"/s{number}" for number in range(20))
    assert list(remark_lines(remarks, snapshot=False)) == [
        "error: /a: no; waiting until it can be read",
        "error: /b: {why}; waiting until it can be read",
        f"50 special files skipped ({named} and 30 more)",
    ]


def test_failures_that_are_the_way_to_the_receiver_are_said_once():
    """The others by reason."""
    results = [
        Result("/a", "a", "refused"),
        Result("/b", "b", "refused"),
        Result("/c", "c", "other"),
        Result("/d", "d", ""),
    ]

    assert list(failure_lines(results, "refused")) == ["error: refused", "error: /c: other"]
