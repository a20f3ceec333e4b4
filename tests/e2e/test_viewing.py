"""`ls`, `logs`, `get`, `verify` and `demo` as processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from e2e.processes import environment, numbered_lines, run, sha256, size, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def send(receiver, directory, *names, site="s"):
    """Copies of files, finished."""
    done = run(["send", *names, "--to", receiver.url, "--site", site, "--stop-at-eof"], directory)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def view(receiver, tmp_path):
    """Runs a command that looks at the receiver's directory."""
    return lambda *argv: run([*argv, "--from", str(receiver.copies)], tmp_path)


def test_ls_tells_states_and_after_the_receiver_what_is_unknown(start, receiver, tmp_path, view):
    """A live stream is live only as long as somebody can know."""
    (tmp_path / "done.log").write_text("x\n")
    (tmp_path / "live.log").write_text("y\n")
    send(receiver, tmp_path, "done.log")
    start("send", "live.log", "--to", receiver.url, "--site", "s")
    wait_until(lambda: size(receiver.copy("live.log")) == 2)

    live = {row["file"]: row["state"] for row in map(json.loads, view("ls", "-o", "json").stdout.splitlines())}
    assert live == {"done.log": "finished", "live.log": "live"}

    receiver.program.kill()
    after = {row["file"]: row["state"] for row in map(json.loads, view("ls", "-o", "json").stdout.splitlines())}
    assert after == {"done.log": "finished", "live.log": "unknown"}
    assert b"no receiver is running here" in view("ls").stderr

    receiver.begin()
    wait_until(lambda: json.loads(view("ls", "s/default/live.log", "-o", "json").stdout)["state"] in ("live", "quiet"))


def test_a_killed_sender_is_dead_within_two_heartbeats(start, receiver, tmp_path, view):
    """And `logs -f` says so on stderr, and when it is back."""
    receiver.program.stop()
    receiver.begin("--idle-timeout", "3")
    (tmp_path / "a.log").write_text("1\n")
    sender = start("send", "a.log", "--to", receiver.url, "--site", "s")
    wait_until(lambda: size(receiver.copy("a.log")) == 2)
    viewer = start("logs", "-f", "--from", str(receiver.copies))
    viewer.wait_line("s/default/a.log: 1")
    sender.kill()

    viewer.wait_line(r"a\.log: dead \(no beat for [23] s, at byte 2\)")
    start("send", "a.log", "--to", receiver.url, "--site", "s").wait_line("following")
    viewer.wait_line(r"a\.log: back at byte 2")


def test_logs_prefixes_several_streams_and_never_one_raw(receiver, tmp_path, view):
    """Bytes only on stdout; one stream raw is the file."""
    (tmp_path / "a.log").write_bytes(b"a1\na2\nno end")
    (tmp_path / "b.log").write_bytes(b"\x1b[31m\xff\r\n")
    send(receiver, tmp_path, "a.log", "b.log")

    assert view("logs").stdout == (
        b"s/default/a.log: a1\ns/default/a.log: a2\ns/default/a.log: no end\ns/default/b.log: \x1b[31m\xff\r\n"
    )
    assert view("logs", "-n", "1", "--prefix", "never").stdout == b"no end\n\x1b[31m\xff\r\n"
    assert view("logs", "s/default/a.log", "-o", "raw").stdout == b"a1\na2\nno end"
    assert view("logs", "*.log", "-n", "0").stdout == b""
    assert view("logs", "s/default/a.log", "--prefix", "always", "-n1").stdout == b"s/default/a.log: no end\n"
    missing = view("logs", "elsewhere")
    assert (missing.returncode, missing.stdout) == (1, b"")


def test_logs_follows_through_a_restart_of_the_receiver(start, receiver, tmp_path):
    """Every byte once, to the end of the stream, and then it ends itself."""
    log = tmp_path / "a.log"
    log.write_bytes(numbered_lines(0, 10))
    sender = start("send", "a.log", "--to", receiver.url, "--site", "s")
    wait_until(lambda: size(receiver.copy("a.log")) > 0)
    viewer = start("logs", "-f", "-n", "all", "-o", "raw", "s/default/a.log", "--from", receiver.url)
    viewer.wait_line("00000009")
    receiver.program.kill()
    viewer.wait_line("trying again")
    with log.open("ab") as file:
        file.write(numbered_lines(10, 20))
    receiver.begin()
    viewer.wait_line("00000019")

    assert sender.stop() == 0

    assert viewer.wait() == 0
    assert bytes(viewer.out) == log.read_bytes()
    assert any("finished (digest ok)" in line for line in viewer.said)


def test_logs_shows_control_sequences_on_a_terminal(receiver, tmp_path):
    """`script` gives it a terminal; -o raw obeys them."""
    pty = pytest.importorskip("pty")
    (tmp_path / "a.log").write_bytes(b"10%\r100%\r\n\x1b[2Jgone?\n")
    send(receiver, tmp_path, "a.log")
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "logstreamer", "logs", "--from", str(receiver.copies)],
        stdout=theirs, env=environment(), check=True,
    )  # fmt: skip
    import os

    shown = os.read(ours, 1000)
    os.close(ours)
    os.close(theirs)

    assert shown == b"100%\r\n^[[2Jgone?\r\n"


def test_logs_is_quiet_when_its_reader_leaves(receiver, tmp_path):
    """As behind `head`."""
    (tmp_path / "a.log").write_bytes(numbered_lines(0, 100_000))
    send(receiver, tmp_path, "a.log")

    command = f"'{sys.executable}' -m logstreamer logs --from '{receiver.copies}' | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, env=environment(), check=True)

    assert done.stdout == numbered_lines(0, 1)
    assert done.stderr == b""


@pytest.mark.parametrize("way", ["directory", "receiver", "url"])
def test_get_is_byte_exact(receiver, tmp_path, way):
    """From the files, from a receiver that runs there, or from its URL; it does not overwrite unasked."""
    (tmp_path / "a.log").write_bytes(numbered_lines(0, 50_000))
    send(receiver, tmp_path, "a.log")
    if way == "directory":
        receiver.program.stop()
    origin = receiver.url if way == "url" else str(receiver.copies)
    argv = ["get", "s/default/a.log", "-o", "fetched", "--from", origin]

    first, second = run(argv, tmp_path), run(argv, tmp_path)

    assert (first.returncode, second.returncode) == (0, 1)
    assert sha256(tmp_path / "fetched") == sha256(tmp_path / "a.log")
    assert b"is there already" in second.stderr
    assert run([*argv, "--force"], tmp_path).returncode == 0
    assert not list(tmp_path.glob(".fetched*"))


def test_get_continues_what_was_interrupted(receiver, tmp_path):
    """A part that fits is kept, one that does not is fetched anew; the digest decides."""
    (tmp_path / "a.log").write_bytes(numbered_lines(0, 50_000))
    send(receiver, tmp_path, "a.log")
    argv = ["get", "s/default/a.log", "-o", "fetched", "--from", receiver.url, "--force"]

    for part in (numbered_lines(0, 20_000), b"something else", numbered_lines(0, 60_000)):
        (tmp_path / ".fetched.part").write_bytes(part)
        assert run(argv, tmp_path).returncode == 0
        assert sha256(tmp_path / "fetched") == sha256(tmp_path / "a.log")


@pytest.mark.parametrize("way", ["directory", "url"])
def test_verify_finds_a_flipped_byte(receiver, tmp_path, way):
    """It says where, and exits with 1; the others are exact."""
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_bytes(numbered_lines(0, 1000))
    send(receiver, tmp_path, "a.log", "b.log")
    argv = ["verify", str(receiver.copies)] if way == "directory" else ["verify", "--from", receiver.url]
    assert run(argv, tmp_path).returncode == 0
    copy = receiver.copy("a.log")
    copy.chmod(0o644)
    with copy.open("r+b") as file:
        file.seek(777)
        file.write(b"!")

    done = run(argv, tmp_path)

    assert done.returncode == 1
    assert b"DAMAGED     s/default/a.log" in done.stdout
    assert b"ok          s/default/b.log" in done.stdout
    assert b"2 streams: 1 exact, 0 unfinished, 1 damaged; 0 gaps" in done.stdout


@pytest.mark.parametrize(
    ("origin", "code", "words"),
    [
        ("http://127.0.0.1:1/?token=x", 1, b"cannot be reached"),
        ("nowhere", 1, b"no such directory"),
        ("ftp://x", 2, b"not a receiver's URL"),
    ],
)
def test_where_nothing_is_to_be_seen(tmp_path, origin, code, words):
    """One line, the right exit code."""
    for command in (["ls"], ["logs"], ["logs", "-f"], ["get", "a/b/c"], ["verify"]):
        done = run([*command, "--from", origin], tmp_path)
        assert (done.returncode, len(done.stderr.splitlines())) == (code, 1), command
        assert words in done.stderr


def test_a_viewer_ends_with_130_on_interrupt(start, receiver):
    """Without a word."""
    viewer = start("logs", "-f", "--from", str(receiver.copies))
    viewer.wait_line("no such stream yet")
    viewer.process.send_signal(signal.SIGINT)

    assert viewer.wait() == 130
    assert len(viewer.said) == 1


@pytest.mark.timeout(90)
def test_the_demo_ends_with_exact_copies(tmp_path):
    """Half a minute, three jobs, one death."""
    done = subprocess.run(
        [sys.executable, "-m", "logstreamer", "demo", "--keep", "demo"],
        cwd=tmp_path, capture_output=True, timeout=80, env=environment(), check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert b"dead (no beat" in done.stdout
    assert b"3 streams: 3 exact, 0 unfinished, 0 damaged; 0 gaps" in done.stdout
    assert len(list((tmp_path / "demo" / "hospital-b").glob("train.log.*"))) >= 2
