"""`logs`, `ls -w` and `get` in a real terminal, and in pipes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.stored import stamped, write
from e2e.conftest import Receiver
from e2e.processes import environment, numbered_lines, run, wait_until
from e2e.terminals import Terminal
from engines.proxy import Proxy
from logstreamer.cli.progress import TERMINAL_SECONDS
from logstreamer.store import Store

pytestmark = pytest.mark.slow


class Growing:
    """A stream that this process stores, as a receiver does."""

    def __init__(self, store: Store, path: str) -> None:
        site, job, name = path.split("/")
        self.stream = store.open(site, job, name, key=f"logs/{path}")
        self.stream.begin_run("run-1")
        self.stream.start_segment(0, "8:1", 0, "start")

    def add(self, text: bytes) -> None:
        """More bytes."""
        self.stream.append(self.stream.durable, text)


@pytest.fixture
def growing(tmp_path):
    """Makes streams below ./copies."""
    with Store(tmp_path / "copies") as store:
        yield lambda path: Growing(store, path)


@pytest.fixture
def terminal(tmp_path):
    """Starts a command that looks at ./copies in a terminal."""
    begun: list[Terminal] = []

    def start(*argv: str, **options: object) -> Terminal:
        begun.append(Terminal([*argv, "--from", "copies"], tmp_path, **options))  # type: ignore[arg-type]
        return begun[-1]

    yield start
    for one in begun:
        one.child.close(force=True)


HOSTILE = (
    b"2026-01-31 12:00:00,000 INFO begins\n"
    b"2026-01-31 12:00:01,000 ERROR no \x1b[2J\x1b[H\x1b]0;owned\x07 luck\n"
    b"10%\r50%\r100%\n"
    b"\x1b[32mgreen\x1b[0m \x1b[8mhidden\x1b[0m \xff\n"
)


def test_a_terminal_gets_colours_and_obeys_nothing(tmp_path, terminal):
    """Levels, the line's own colours, the last state of a bar; nothing moves the cursor or the title."""
    write(tmp_path / "copies", "s/j/a", HOSTILE, state="finished")

    shown = terminal("logs", "-H", "luck")
    assert shown.wait_end() == 0

    assert shown.lines[:5] == [
        "2026-01-31 12:00:00,000 INFO begins",
        "2026-01-31 12:00:01,000 ERROR no ^[[2J^[[H^[]0;owned^G luck",
        "100%",
        "green hidden \ufffd",
        "",
    ]
    assert shown.colour("ERROR") == "red"
    assert shown.colour("no ^") == "red"
    assert shown.colour("luck") == "black"
    assert shown.colour("INFO") == "green"
    assert shown.colour("green") == "green"
    assert shown.colour("100%") == "default"
    assert shown.screen.title == ""


@pytest.mark.parametrize(
    ("argv", "variables"),
    [
        ((), {"NO_COLOR": "1"}),
        (("--color", "never"), {}),
        ((), {"TERM": "dumb"}),
        ((), {"LOGSTREAMER_LOGS_COLOR": "never"}),
    ],
)
def test_colours_can_be_done_without(tmp_path, terminal, argv, variables):
    """Not one escape sequence is left; control sequences are shown all the same."""
    write(tmp_path / "copies", "s/j/a", HOSTILE, state="failed")

    shown = terminal("logs", *argv, **variables)
    assert shown.wait_end() == 0

    assert b"\x1b" not in shown.received
    assert b"no ^[[2J^[[H" in shown.received
    assert b"s/j/a: failed (TASK_ABORTED for the test)" in shown.received


def test_a_line_without_an_end_is_shown_in_place(growing, terminal):
    """A progress bar moves in its row, and is one line in the end; lines of others come above it."""
    bar, other = growing("s/j/bar"), growing("s/j/other")
    bar.add(b"start\n")
    other.add(b"first\n")
    shown = terminal("logs", "-f", "--order", "arrival")
    shown.wait_text("first")

    bar.add(b"\r10% |#         |")
    shown.wait_text("bar   │ 10% |#")
    bar.add(b"\r20% |##        |")
    shown.wait_text("bar   │ 20% |##")
    other.add(b"second\n")
    shown.wait_text("second")
    bar.add(b"\r100% |##########|\n")
    shown.wait_text("100%")

    lines = [line for line in shown.lines if line]
    assert lines == ["bar   │ start", "other │ first", "other │ second", "bar   │ 100% |##########|"]


def test_raw_obeys(tmp_path, terminal):
    """Who wants the bytes gets the bytes."""
    write(tmp_path / "copies", "s/j/a", b"gone\x1b[2J\x1b[Hleft\n", state="finished")

    shown = terminal("logs", "-o", "raw")
    assert shown.wait_end() == 0

    assert shown.lines[0] == "left"


def test_ls_w_is_renewed_in_place(growing, terminal, tmp_path):
    """Sizes, new streams, another width; `q` leaves the last table behind."""
    first = growing("site-1/job/train.log")
    first.add(b"x" * 100)
    shown = terminal("ls", "-w", columns=90, rows=12)
    shown.wait_text("100 B")
    assert shown.colour("unknown") == "default"
    assert "unknown (another progr" in "\n".join(shown.lines)  # this one

    first.add(b"x" * 2000)
    growing("site-2/job/train.log").add(b"y")
    shown.wait_text("2.1 KiB")
    shown.wait_text("site-2/job/train.log")
    assert sum("site-1/job/train.log" in line for line in shown.lines) == 1
    shown.wait(lambda: b"1s ago" in shown.received and b"2s ago" in shown.received, "times that move")
    drawn = len(shown.received)
    shown.resize(44, 12)
    shown.wait(lambda: "…".encode() in shown.received[drawn:], "a narrower table")
    shown.child.send("q")

    assert shown.wait_end() == 0
    assert any("site-2" in line for line in shown.lines)
    assert shown.received.rstrip().rfind(b"\x1b[?1049l") > shown.received.rfind(b"\x1b[?1049h")


def test_ls_w_gives_the_terminal_back_when_it_is_ended(growing, terminal):
    """By SIGTERM, by Ctrl-C."""
    growing("s/j/a").add(b"x\n")
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        shown = terminal("ls", "-w")
        shown.wait_text("s/j/a")
        shown.child.kill(number)
        assert shown.wait_end() == code
        assert b"\x1b[?25h\x1b[?1049l" in shown.received


def test_get_shows_its_progress(tmp_path, start):
    """A bar while it takes longer, which goes away, and one line in the end."""
    content = numbered_lines(0, 1000) * 280  # 12.5 MiB, in blocks of 4
    write(tmp_path / "copies", "s/j/a", content, state="finished")
    receiver = Receiver(start, tmp_path)
    with Proxy(receiver.port) as way:
        way.stall_after(6 << 20)
        shown = Terminal(["get", "s/j/a", "-o", "got", "--from", way.url], tmp_path)
        wait_until(lambda: way.is_stalled, "the stall")
        time.sleep(2 * TERMINAL_SECONDS)  # what is quick shows no bar
        way.let_go()
        shown.wait(lambda: "▕".encode() in shown.received, "the bar")
        assert shown.wait_end() == 0

    assert [line for line in shown.lines if line] == ["logstreamer: got: 12.6 MiB, digest ok"]
    assert (tmp_path / "got").read_bytes() == content


def test_streams_are_merged_while_they_grow(growing, start):
    """A line waits for an earlier one; one that comes too late is marked, not lost."""
    a, b = growing("s/j/a"), growing("s/j/b")
    a.add(stamped((0, "a0")))
    b.add(stamped((1, "b1")))
    viewer = start("logs", "-f", "--delay", "1s", "--from", "copies")
    viewer.wait_line("b1")
    a.add(stamped((9, "a9")))
    b.add(stamped((5, "b5")))
    viewer.wait_line("s/j/b: 2026.* b5")
    viewer.wait_line("s/j/a: 2026.* a9")

    b.add(stamped((6, "b6")))

    viewer.wait_line(r"s/j/b: \(late 3\.0 s\) 2026.* b6")
    viewer.process.send_signal(signal.SIGINT)
    assert viewer.wait() == 130


def test_what_waits_is_printed_at_the_end(growing, start):
    """Ctrl-C loses nothing that was read."""
    a, _ = growing("s/j/a"), growing("s/j/b")
    a.add(stamped((0, "a0")))
    viewer = start("logs", "-f", "--delay", "1h", "--from", "copies")
    viewer.wait_line("a0")
    a.add(stamped((1, "a1")) * 3)
    wait_until(lambda: _read_by(viewer.process.pid, a.stream.durable), "the lines are read")
    viewer.process.send_signal(signal.SIGINT)

    assert viewer.wait() == 130
    assert bytes(viewer.out).count(b" a1\n") == 3


def _read_by(pid: int, size: int) -> bool:
    """Whether the process has read so much since we first looked: its polls go on, and read nothing new."""
    before = Path(f"/proc/{pid}/io").read_text()
    time.sleep(0.6)
    return size > 0 and before != Path(f"/proc/{pid}/io").read_text()


CODES = [
    (["logs", "s/j/finished"], 0),
    (["logs", "elsewhere"], 1),
    (["logs", "--no-such-flag"], 2),
    (["logs", "--exit-status"], 3),
    (["logs", "-f", "--fail-on-dead"], 4),
    (["logs", "-f", "--timeout", "200ms"], 124),
    (["ls", "-w", "--timeout", "200ms"], 124),
]


@pytest.mark.timeout(120)
def test_exit_codes_of_processes(tmp_path, growing):
    """All of them, as a shell sees them; 130 has tests of its own."""
    for state in ("finished", "failed", "dead"):
        one = growing(f"s/j/{state}")
        one.add(b"x\n")
        if state == "finished":
            one.stream.finish()
        else:
            one.stream.end_run("TIMEOUT" if state == "dead" else "TASK_ABORTED", "")

    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "logstreamer", *argv, *(["--from", "copies"] if code != 2 else [])],
            cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for argv, code in CODES
    ]  # fmt: skip

    for (argv, code), process in zip(CODES, processes, strict=True):
        said = process.communicate(timeout=50)[1]
        assert process.returncode == code, (argv, said)
        assert b"Traceback" not in said


def test_a_pipe_to_a_program_is_never_broken(tmp_path, growing):
    """Both pipes together are JSON lines, of random bytes, a gap and a death."""
    write_random = os.urandom(200_000).replace(b"\r", b"\n")
    one = growing("s/j/a")
    one.add(write_random)
    one.stream.start_segment(one.stream.durable, "8:2", 0, "gap", lost=3, detail="gone")
    one.add(b"behind\n")
    one.stream.end_run("TIMEOUT", "")
    script = "import sys, json\nprint(sum('text' in json.loads(line) for line in sys.stdin.buffer))"

    command = f"'{sys.executable}' -m logstreamer logs -o json --from copies 2>&1 | '{sys.executable}' -c \"{script}\""
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, env=environment(), check=True)

    expected = write_random.count(b"\n") + (not write_random.endswith(b"\n")) + 1
    assert int(done.stdout) == expected + 2
    assert done.stderr == b""


def test_a_reader_that_leaves_ends_a_follower(growing, tmp_path):
    """Also when nothing more comes, as with `| head`."""
    growing("s/j/a").add(b"1\n2\n3\n")
    command = f"'{sys.executable}' -m logstreamer logs -f --from copies | head -n 1"

    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, timeout=50, env=environment(), check=True
    )

    assert (done.stdout, done.stderr) == (b"s/j/a: 1\n", b"")


MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""
"""Runs a command and says its peak memory; that of a child of ours would begin with what we have ourselves."""


def test_a_slow_reader_and_a_line_of_50_mb_cost_no_memory(tmp_path, growing):
    """The lines that nobody takes stay in the file."""
    one, other = growing("s/j/a"), growing("s/j/b")
    line = b"x" * (1 << 20)
    for _ in range(50):
        one.add(line)
    one.add(b"\nend\n")
    other.add(b"y\n" * 1000)
    argv = [sys.executable, "-m", "logstreamer", "logs", "-f", "-n", "all", "--from", "copies", "--exit-status"]
    argv = [sys.executable, "-c", MEASURED, *argv]
    with subprocess.Popen(
        argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as viewer:
        assert viewer.stdout is not None
        head = viewer.stdout.read(1)
        for _ in range(20):
            other.add(b"z" * 999_999 + b"\n")  # grows while nobody reads
        one.stream.finish()
        other.stream.finish()
        body = head + viewer.stdout.read()
        assert viewer.stderr is not None
        said = viewer.stderr.read()

    assert body.count(b"x") == 50 << 20
    assert body.count(b"z") == 20 * 999_999
    assert viewer.returncode == 0
    assert int(said.split()[-1]) < 150 << 10  # KiB


COMPLETED = [
    ("logstreamer lo", b"logs"),
    ("logstreamer logs --exi", b"--exit-status"),
    ("logstreamer get site", b"site-1/job/a.log"),
]


def test_shells_complete_commands_and_streams(tmp_path):
    """As the README says it is switched on."""
    write(tmp_path / "copies", "site-1/job/a.log", b"x", state="finished")
    for line, word in (
        ("logstreamer lo", b"logs"),
        ("logstreamer logs --exi", b"--exit-status"),
        ("logstreamer get site", b"site-1/job/a.log"),
    ):
        done = run(
            [], tmp_path, _LOGSTREAMER_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(line.count(" ")),
            LOGSTREAMER_FROM="copies",
        )  # fmt: skip
        assert word in done.stdout, (line, done.stdout, done.stderr)


def test_objects_of_ls_follow_changes(growing, start):
    """One for each stream, and for each new state."""
    one = growing("s/j/a")
    one.add(b"x\n")
    watcher = start("ls", "-w", "-o", "json", "--from", "copies")
    watcher.wait_line('"state":"unknown"')
    one.stream.finish()

    watcher.wait_line('"state":"finished"')
    watcher.process.send_signal(signal.SIGINT)
    assert watcher.wait() == 130
    assert {json.loads(line)["path"] for line in watcher.out.splitlines()} == {"s/j/a"}
