"""`logs` and `ls` over stored streams, as a pipe gets them."""

from __future__ import annotations

import json
import os
import time
from itertools import pairwise

import pytest

from cli.stored import stamped, write
from logstreamer.cli.main import run

TRACE = b"""\
2026-01-31 12:00:00,000 INFO begins
2026-01-31 12:00:01,000 ERROR failed
Traceback (most recent call last):
  File "a.py", line 1, in f
ValueError: no
2026-01-31 12:00:02,000 WARNING slow
print without a level
2026-01-31 12:00:03,000 DEBUG detail
"""


@pytest.fixture
def copies(tmp_path, monkeypatch):
    """An empty directory of copies, and no variable of ours."""
    monkeypatch.setattr("logstreamer.cli.output.VOICE.objects", False)
    monkeypatch.delenv("LOGSTREAMER_FROM", raising=False)
    return tmp_path / "copies"


@pytest.fixture
def logs(copies, capfdbinary):
    """Runs `logs` and gives (lines, what was said, exit code)."""

    def call(*argv, command="logs"):
        code = run([command, *argv, "--from", str(copies)])
        out, err = capfdbinary.readouterr()
        return out.decode("utf-8", "backslashreplace").splitlines(), err.decode().splitlines(), code

    return call


def test_streams_are_merged_by_time(copies, logs):
    """Or one after the other."""
    write(copies, "s/j/a", stamped((1, "a1"), (3, "a3"), (5, "a5")))
    write(copies, "s/j/b", stamped((2, "b2"), (4, "b4")) + b"  goes on\n")

    assert [line.partition(": ")[2][21:] or line for line in logs()[0]] == [
        "a1", "b2", "a3", "b4", "s/j/b:   goes on", "a5",
    ]  # fmt: skip
    assert [line[4] for line in logs("--order", "arrival")[0]] == list("aaabbb")
    assert logs("--prefix", "never", "-o", "raw", "--order", "arrival")[0][-1] == "  goes on"


def test_since_and_until(copies, logs):
    """Both included; found without reading everything."""
    many = stamped(*((second, f"line {second}") for second in range(3600)))
    write(copies, "s/j/a", many + b"no time of its own\n")

    found = logs("--since", "2026-01-31T12:30:00Z", "--until", "2026-01-31T12:30:02Z")[0]
    assert [line[-4:] for line in found] == ["1800", "1801", "1802"]
    assert len(logs("--since", "2026-01-31T12:59:59Z")[0]) == 2
    assert logs("--since", "2026-01-31T13:00", "--tz", "UTC")[0] == []
    assert len(logs("--until", "2026-01-31T13:00:01", "--tz", "Europe/Vienna")[0]) == 2
    assert logs("--since", "5m")[0] == []


def test_lines_without_a_time_are_of_when_they_arrived(copies, logs):
    """To a second or so."""
    write(copies, "s/j/a", b"one\ntwo\n")

    assert logs("--since", "1h")[0] == ["one", "two"]
    assert logs("--until", "1h")[0] == []
    [line, _] = logs("-t", "--tz", "UTC")[0]
    assert line.startswith(time.strftime("%Y-", time.gmtime()))
    assert line.endswith("Z one")


def test_the_last_lines_that_are_wanted(copies, logs):
    """-n counts what is shown; a traceback is one."""
    write(copies, "s/j/a", stamped((0, "loss=nan")) + TRACE * 1000)

    assert logs("-n", "2")[0] == ["print without a level", "2026-01-31 12:00:03,000 DEBUG detail"]
    assert len(logs("-n", "2", "-l", "error")[0]) == 8
    assert logs("-n", "2", "-l", "warn")[0][0] == "2026-01-31 12:00:01,000 ERROR failed"
    assert len(logs("-n", "3", "-i", "loss=(nan|inf)")[0]) == 1
    assert logs("-n", "1", "-i", "slow", "-B", "1", "-A", "1")[0][::2] == ["ValueError: no", "print without a level"]
    assert logs("-n", "0", "-i", "slow")[0] == []
    assert len(logs("-n", "1", "-i", "slow", "--since", "2026-01-31T12:00:02Z")[0]) == 1


def test_filters_together(copies, logs):
    """Levels keep tracebacks, patterns are per line, around them comes what was asked for."""
    write(copies, "s/j/a", TRACE)

    assert logs("-l", "error")[0] == TRACE.decode().splitlines()[1:5]
    assert len(logs("-l", "debug")[0]) == 8
    assert logs("-i", "^Value", "-e", "print")[0] == ["ValueError: no"]
    assert logs("-i", "slow", "-C", "1")[0] == [
        "ValueError: no", "2026-01-31 12:00:02,000 WARNING slow", "print without a level",
    ]  # fmt: skip


def test_a_rare_word_is_found_wherever_it_lies(copies, logs):
    """At both ends, across what is read at once, with the lines before it."""
    lines = [b"%07d nothing to see here" % number for number in range(60_000)]
    places = (0, 1, 29_999, 43_690, 59_999)
    for place in places:
        lines[place] += b" but this"
    write(copies, "s/j/a", b"\n".join(lines))

    assert [int(line[:7]) for line in logs("-i", "but .his")[0]] == list(places)
    around = [int(line[:7]) for line in logs("-i", "but this", "-B", "40")[0] if line != "--"]
    assert around == sorted({place - back for place in places for back in range(41) if place >= back})


def test_json_is_one_object_a_line(copies, logs):
    """Whatever the bytes are; what is said is objects too, on stderr."""
    write(copies, "s/j/a", TRACE + b"\xff\x00\x1b[2J\r\n", 7, b"behind\nrest", state="dead")

    lines, said, code = logs("-o", "json", "-t", "--tz", "UTC")

    found = [json.loads(line) for line in lines]
    assert [one["text"] for one in found][-3:] == ["\ufffd\x00\x1b[2J\r", "behind", "rest"]
    assert found[-3]["invalid_utf8"] is True
    assert found[-1]["open"] is True
    assert [one.get("level") for one in found[:5]] == ["info", "error", "error", "error", "error"]
    assert [one.get("more", False) for one in found[:5]] == [False, False, True, True, True]
    assert all(one["timestamp"].endswith("Z") for one in found)
    assert all(before["end"] == after["offset"] for before, after in pairwise(found))
    notices = [json.loads(line) for line in said]
    assert [(one["notice"], one["offset"]) for one in notices] == [
        ("gap", found[-2]["offset"]),
        ("dead", found[-1]["end"]),
    ]
    assert code == 0


def test_a_gap_is_said_at_its_place(copies, capfd):
    """Between the lines before and behind it, which are no part of each other."""
    write(copies, "s/j/a", b"before", None, b"behind\n", state="finished")

    assert run(["logs", "--from", str(copies), "--prefix", "always"]) == 0
    out, err = capfd.readouterr()
    assert out == "s/j/a: before\ns/j/a: behind\n"
    assert err == "logstreamer: s/j/a: gap at byte 6: an unknown number of bytes lost (it was gone)\n"


@pytest.mark.parametrize(
    ("states", "argv", "code"),
    [
        (["finished", "failed"], ["--exit-status"], 3),
        (["finished", "failed"], [], 0),
        (["finished", "dead"], ["--fail-on-dead"], 4),
        (["finished", "dead"], ["--exit-status"], 0),
        (["failed", "dead"], ["--exit-status", "--fail-on-dead"], 3),
        (["finished", "failed"], ["-f", "--exit-status"], 3),
        (["finished", "finished"], ["-f", "--exit-status"], 0),
        (["finished", "dead"], ["-f", "--fail-on-dead"], 4),
        (["finished", "stopped"], ["--exit-status", "--fail-on-dead"], 0),
        (["finished", "stopped"], ["-f", "--exit-status", "--timeout", "1s"], 124),
        (["finished", "unknown"], ["-f", "--timeout", "1s"], 124),
        (["finished"], ["-f", "s/j/f0"], 0),
        (["failed"], ["-f", "s/j/f0"], 0),
        ([], ["s/j/f0", "--wait", "--timeout", "300ms"], 124),
        ([], ["s/j/f0"], 1),
        ([], [], 0),
    ],
)
def test_exit_codes_say_how_the_sources_are(copies, logs, states, argv, code):
    """Of a follower too, which ends when there is nothing to wait for."""
    copies.mkdir()
    for number, state in enumerate(states):
        write(copies, f"s/j/f{number}", b"x\n", state="" if state == "unknown" else state)

    lines, said, found = logs(*argv)

    assert found == code
    assert len(lines) == len(states)
    assert not any("error" in line for line in said)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["-i", "("], "missing )"),
        (["-e", "(?<=x)y"], "pattern"),
        (["--since", "yesterday"], "is no time"),
        (["--tz", "Mars"], "is no time zone"),
        (["--delay", "soon"], "is no duration"),
        (["--timeout", "soon"], "is no duration"),
        (["-t", "-o", "raw"], "-t does not go with -o raw"),
        (["-C", "-1"], "-C"),
        (["-l", "loud"], "loud"),
    ],
)
def test_wrong_flags_are_told_in_one_line(copies, logs, argv, words):
    """With 2, before anything is looked for."""
    lines, said, code = logs(*argv)

    assert (lines, code) == ([], 2)
    assert words in said[-1]


def test_ls_fits_and_says_what_is(copies, logs, monkeypatch):
    """States with what belongs to them; wide has the last line."""
    write(copies, "s/j/a", b"one\nlast \x1b[31mline\n", state="finished")
    write(copies, "s/j/b", b"x\n", 5, state="dead")

    header, *rows = logs(command="ls")[0]
    assert header.split("  ")[0] == "STREAM"
    assert [row.split()[:2] for row in rows] == [["s/j/a", "finished"], ["s/j/b", "dead"]]
    assert "dead (for the test, at byte 2)" in rows[1]
    assert rows[1].endswith("1 (5 B)")
    assert "LAST LINE SAYS" in logs("-o", "wide", command="ls")[0][0]
    assert [json.loads(line)["state"] for line in logs("-o", "json", command="ls")[0]] == ["finished", "dead"]
    assert "\x1b[" in logs("--color", "always", command="ls")[0][1]
    assert logs("elsewhere", command="ls")[1] == ["logstreamer: error: no stream matches elsewhere"]


def test_a_pattern_of_the_environment_may_hold_spaces(copies, logs, monkeypatch):
    """Several have a line each."""
    write(copies, "s/j/a", b"step 1\nstep 10\n1 step\nslow down\n")
    monkeypatch.setenv("LOGSTREAMER_LOGS_INCLUDE", "step 1$\nslow down\n")

    assert logs("--prefix", "never")[0] == ["step 1", "slow down"]


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_get_makes_no_file_of_what_is_none(copies, logs, tmp_path, force):
    """A pipe or a device would be gone for all who use it."""
    write(copies, "s/j/a", b"one\n", state="finished")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")

    for name in ("pipe", "link"):
        _, said, code = logs("s/j/a", "-o", str(tmp_path / name), *force, command="get")
        assert (code, len(said)) == (1, 1)
        assert "is no file" in said[0]

    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "link").is_symlink()


def test_get_through_a_link_keeps_the_link(copies, logs, tmp_path):
    """As cp does."""
    write(copies, "s/j/a", b"one\n", state="finished")
    (tmp_path / "link").symlink_to(tmp_path / "target")

    assert logs("s/j/a", "-o", str(tmp_path / "link"), command="get")[2] == 0

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"one\n"
