"""`serve` and `send` as processes: what was written arrives, whatever happens to either."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from e2e.processes import PATIENCE, TOKEN, environment, numbered_lines, run, sha256, size, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
needs_setpriv = pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root, and cannot give up its rights"
)


def follow(start, receiver, *sources):
    """A sender of *sources* that has begun."""
    sender = start("send", *sources, "--to", receiver.url, "--site", "s")
    sender.wait_line("following")
    return sender


def test_a_file_is_followed_through_rotation(start, receiver, tmp_path):
    """Three generations of one path make one copy, in order."""
    log = tmp_path / "train.log"
    log.write_bytes(numbered_lines(0, 1000))
    sender = follow(start, receiver, "train.log")
    for number in (2, 1):
        wait_until(lambda: size(receiver.copy("train.log")) >= sum(size(p) for p in tmp_path.glob("train.log*")))
        log.rename(tmp_path / f"train.log.{number}")
        log.write_bytes(numbered_lines(number * 1000, number * 1000 + 500))

    assert sender.stop() == 0

    parts = [tmp_path / "train.log.2", tmp_path / "train.log.1", log]
    assert sha256(receiver.copy("train.log")) == sha256(*parts)


def test_a_sender_that_keeps_its_streams_open_is_continued_by_the_next_one(start, receiver, tmp_path):
    """As a service that is restarted: written to and rotated in between, one copy of it all."""
    log, older = tmp_path / "train.log", tmp_path / "train.log.1"
    log.write_bytes(numbered_lines(0, 1000))
    sender = start("send", "train.log", "--to", receiver.url, "--site", "s", "--keep-open")
    sender.wait_line("following")
    assert sender.stop() == 0
    assert sha256(receiver.copy("train.log")) == sha256(log)
    for origin in (receiver.url, str(receiver.copies)):
        listed = run(["ls", "--from", origin], tmp_path).stdout.decode()
        assert "stopped (left open, to be continued)" in listed
    with log.open("ab") as file:
        file.write(numbered_lines(1000, 2000))
    log.rename(older)
    log.write_bytes(numbered_lines(2000, 3000))

    assert run(["send", "train.log", "--to", receiver.url, "--site", "s", "--stop-at-eof"], tmp_path).returncode == 0

    assert sha256(receiver.copy("train.log")) == sha256(older, log)
    assert not receiver.copy("train.log.2").exists()


def test_a_killed_sender_continues_where_it_stopped(start, receiver, tmp_path):
    """kill -9 in the middle, more is written, another sender: nothing is missing, nothing comes twice."""
    log = tmp_path / "train.log"
    log.write_bytes(numbered_lines(0, 400_000))
    sender = start("send", "train.log", "--to", receiver.url, "--site", "s")
    wait_until(lambda: size(receiver.copy("train.log")) > 0)
    sender.kill()
    with log.open("ab") as file:
        file.write(numbered_lines(400_000, 410_000))

    assert run(["send", "train.log", "--to", receiver.url, "--site", "s", "--stop-at-eof"], tmp_path).returncode == 0

    assert sha256(receiver.copy("train.log")) == sha256(log)
    assert not receiver.copy("train.log.2").exists()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_a_receiver_that_comes_back_loses_nothing(start, receiver, tmp_path, ending):
    """The sender waits, says so, and goes on by itself."""
    log = tmp_path / "train.log"
    log.write_bytes(numbered_lines(0, 300_000))
    sender = start("send", "train.log", "--to", receiver.url, "--site", "s")
    wait_until(lambda: size(receiver.copy("train.log")) > 0)
    receiver.program.process.send_signal(ending)
    receiver.program.wait()
    sender.wait_line("trying again")
    with log.open("ab") as file:
        file.write(numbered_lines(300_000, 310_000))
    receiver.begin()
    sender.wait_line("connected")

    assert sender.stop() == 0

    assert sha256(receiver.copy("train.log")) == sha256(log)
    checked = run(["verify", str(receiver.copies)], tmp_path)
    assert checked.returncode == 0, checked.stdout
    assert b"1 exact" in checked.stdout


def test_new_files_of_a_directory_are_picked_up(start, receiver, tmp_path):
    """The tree is kept; what was rotated is the past of a file and none of its own."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.log").write_bytes(b"a\n")
    sender = follow(start, receiver, "run")
    (tmp_path / "run" / "deep").mkdir()
    (tmp_path / "run" / "deep" / "b.log").write_bytes(b"b\n")
    wait_until(lambda: size(receiver.copy("deep/b.log")) == 2)
    (tmp_path / "run" / "a.log").rename(tmp_path / "run" / "a.log.1")
    (tmp_path / "run" / "a.log").write_bytes(b"A\n")
    wait_until(lambda: size(receiver.copy("a.log")) == 4)

    sender.wait_line("a.log.1 looks like the past of a followed file")
    assert sender.stop() == 0

    assert receiver.copy("a.log").read_bytes() == b"a\nA\n"
    assert not receiver.copy("a.log.1").exists()


def test_what_appears_right_before_the_end_is_sent_as_well(start, receiver, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.log").write_bytes(b"a\n")
    sender = follow(start, receiver, "run")
    (tmp_path / "run" / "late.log").write_bytes(b"late\n")

    assert sender.stop() == 0

    assert receiver.copy("late.log").read_bytes() == b"late\n"


def test_a_snapshot_copies_every_regular_file(receiver, tmp_path):
    """Rotated ones and second links too; a FIFO and a link to nothing are skipped."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("app.log", "app.log.1", "app.log.2.gz", ".hidden", "empty"):
        (tree / name).write_bytes(b"" if name == "empty" else name.encode())
    os.link(tree / "app.log", tree / "second")
    os.mkfifo(tree / "fifo")
    os.symlink("nowhere", tree / "dangling")

    done = run(["send", "tree", "--to", receiver.url, "--site", "s", "--stop-at-eof"], tmp_path)

    assert done.returncode == 0, done.stderr
    assert b"fifo is no regular file: skipped" in done.stderr
    for name in ("app.log", "app.log.1", "app.log.2.gz", ".hidden", "empty", "second"):
        assert receiver.copy(name).read_bytes() == (tree / name).read_bytes()
    assert not receiver.copy("fifo").exists()
    assert not receiver.copy("dangling").exists()


def test_two_files_of_one_name_are_told_apart(receiver, tmp_path):
    """By as many parents as it takes."""
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.log").write_text(name)

    done = run(["send", "a/app.log", "b/app.log", "--to", receiver.url, "--site", "s", "--stop-at-eof"], tmp_path)

    assert done.returncode == 0, done.stderr
    assert [receiver.copy(f"{name}/app.log").read_text() for name in "ab"] == ["a", "b"]


def test_one_file_of_two_names_is_sent_once(start, receiver, tmp_path):
    """A symbolic link and a hard link to what is sent already are told, not sent."""
    (tmp_path / "app.log").write_text("x")
    os.symlink("app.log", tmp_path / "soft.log")
    os.link(tmp_path / "app.log", tmp_path / "hard.log")

    sender = follow(start, receiver, "app.log", "soft.log", "hard.log")
    assert sender.stop() == 0

    assert sum("is the same file as" in line for line in sender.said) == 2
    assert [path.name for path in receiver.copies.glob("s/default/[!.]*")] == ["app.log"]


def test_a_missing_file_is_waited_for(start, receiver, tmp_path):
    """And said so; it is sent when it is there."""
    sender = start("send", "late.log", "--to", receiver.url, "--site", "s")
    sender.wait_line("late.log: no such file yet, waiting for it")
    (tmp_path / "late.log").write_text("here\n")
    wait_until(lambda: size(receiver.copy("late.log")) == 5)

    assert sender.stop() == 0


def test_a_name_that_cannot_be_stored_fails_alone(receiver, tmp_path):
    """Bytes that are no UTF-8, and a name that the store refuses: reported, and the others arrive."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "good.log").write_text("good")
    (tree / "nul").write_text("a device elsewhere")
    with open(os.fsencode(tree) + b"/\xff.log", "wb") as file:
        file.write(b"x")

    done = run(["send", "tree", "--to", receiver.url, "--site", "s", "--stop-at-eof"], tmp_path)

    assert done.returncode == 1
    assert done.stderr.count(b"cannot be stored under its name") == 2
    assert receiver.copy("good.log").read_text() == "good"


def test_a_command_is_shown_sent_and_its_exit_code_kept(receiver, tmp_path):
    """Standard output and standard error as they were written."""
    script = "echo one; echo two >&2; echo three; exit 7"

    done = run(["send", "--to", receiver.url, "--site", "s", "--", "sh", "-c", script], tmp_path)

    assert done.returncode == 7
    assert done.stdout == b"one\ntwo\nthree\n"
    assert receiver.copy("output.log").read_bytes() == b"one\ntwo\nthree\n"
    shown = run(["ls", "--from", str(receiver.copies)], tmp_path).stdout
    assert b"failed" in shown
    assert b"exit code 7" in shown
    assert run(["logs", "--exit-status", "--from", str(receiver.copies)], tmp_path).returncode == 3


def test_a_stopped_command_is_told_and_its_last_words_are_sent(start, receiver, tmp_path):
    """SIGTERM goes to the command, which decides when it ends."""
    script = "trap 'echo bye; exit 5' TERM; echo begun; while :; do sleep 0.05; done"
    sender = start("send", "--to", receiver.url, "--site", "s", "--", "sh", "-c", script)
    sender.wait_line("begun")

    assert sender.stop() == 5

    assert receiver.copy("output.log").read_bytes() == b"begun\nbye\n"


def test_a_python_command_is_live(start, receiver, tmp_path):
    """Its output is no terminal, so Python would keep the line back until it ends."""
    program = "print('begun'); import time; time.sleep(600)"
    argv = ["send", "--to", receiver.url, "--site", "s", "--", sys.executable, "-c", program]
    sender = start(*argv, unset=("PYTHONUNBUFFERED",))

    wait_until(lambda: size(receiver.copy("output.log")) == 6)

    sender.stop()


def test_what_a_left_child_prints_is_kept_and_said(start, receiver, tmp_path):
    """The command has ended, its child goes on: its file stays, the exit code is the command's."""
    os.mkfifo(tmp_path / "go")
    script = "(read line < go; echo late) & echo now; exit 3"
    sender = start("send", "--to", receiver.url, "--site", "s", "--", "sh", "-c", script, TMPDIR=str(tmp_path))

    assert sender.wait() == 3

    (kept,) = tmp_path.glob("logstreamer-*/output.log")
    (line,) = [line for line in sender.said if str(kept) in line]
    assert re.search(r"others still print \(sh \d+\)", line)
    assert receiver.copy("output.log").read_bytes() == b"now\n"
    (tmp_path / "go").write_text("\n")
    wait_until(lambda: kept.read_bytes() == b"now\nlate\n")


def test_a_file_that_never_was_is_an_error_and_its_name_stays_free(start, receiver, tmp_path):
    """A typo: one line, exit code 1, and no finished copy stands in the way of the file that comes later."""
    (tmp_path / "empty.log").write_bytes(b"")
    sender = start("send", "typo.log", "empty.log", "--to", receiver.url, "--site", "s")
    sender.wait_line("following")

    assert sender.stop() == 1

    assert [line for line in sender.said if "error" in line] == [
        f"logstreamer: error: {tmp_path / 'typo.log'}: there never was such a file"
    ]
    (tmp_path / "typo.log").write_text("here\n")
    assert run(["send", "typo.log", "--to", receiver.url, "--site", "s", "--stop-at-eof"], tmp_path).returncode == 0
    assert receiver.copy("typo.log").read_text() == "here\n"
    assert not receiver.copy("typo.log.2").exists()


def test_a_closed_terminal_ends_the_command_and_its_last_words_are_sent(receiver, tmp_path):
    """The kernel sends SIGHUP to both, and what they say afterwards has no place to go."""
    script = "trap 'echo bye; exit 5' HUP; echo begun; while :; do sleep 0.05; done"
    ours, theirs = os.openpty()
    argv = [sys.executable, "-m", "logstreamer", "send", "--to", receiver.url, "--site", "s", "--", "sh", "-c", script]
    sender = subprocess.Popen(
        argv, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=environment()
    )
    os.close(theirs)
    wait_until(lambda: size(receiver.copy("output.log")) == 6)
    os.close(ours)
    sender.send_signal(signal.SIGHUP)

    assert sender.wait(PATIENCE) == 5
    assert receiver.copy("output.log").read_bytes() == b"begun\nbye\n"


@needs_setpriv
@pytest.mark.parametrize("others", [(), ("open.log",)])
def test_a_file_that_may_not_be_read_yet_is_waited_for(start, receiver, tmp_path, others):
    """Alone as well as with another; permission is given back later."""
    secret = tmp_path / "secret.log"
    secret.write_text("x")
    secret.chmod(0o000)
    for name in others:
        (tmp_path / name).write_text("y")
    sender = start("send", "secret.log", *others, "--to", receiver.url, "--site", "s", plain=True)
    sender.wait_line("secret.log: Permission denied; waiting until it can be read")

    secret.chmod(0o644)
    wait_until(lambda: size(receiver.copy("secret.log")) == 1)

    assert sender.stop() == 0


def test_a_copy_that_cannot_be_written_names_what_was_asked_for(receiver, tmp_path):
    """And not the file beside it that it is fetched into."""
    (tmp_path / "a.log").write_text("x")
    assert run(["send", "a.log", "--to", receiver.url, "--site", "s", "--stop-at-eof"], tmp_path).returncode == 0

    done = run(["get", "s/default/a.log", "-o", "/no/where/x", "--from", receiver.url], tmp_path)

    assert done.returncode == 1
    assert done.stderr == b"logstreamer: error: cannot write /no/where/x: No such file or directory\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">/dev/full"])
def test_an_output_that_takes_nothing_is_no_failure_of_sending(receiver, tmp_path, closed):
    """The shell closed it, or its disk is full: the copy is what counts, and the exit code is the command's."""
    argv = [sys.executable, "-m", "logstreamer", "send", "--to", receiver.url, "--site", "s", "--", "echo", "hello"]

    done = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *argv], cwd=tmp_path, capture_output=True, env=environment(), check=False
    )

    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert receiver.copy("output.log").read_bytes() == b"hello\n"


def test_a_command_that_is_missing_is_127(receiver, tmp_path):
    """As in a shell, with one line."""
    done = run(["send", "--to", receiver.url, "--site", "s", "--", "no-such-program"], tmp_path)

    assert (done.returncode, len(done.stderr.splitlines())) == (127, 1)


def test_what_cannot_be_delivered_is_kept_and_said(start, tmp_path, receiver):
    """A command's output outlives a receiver that stays away; a second signal ends the wait at once."""
    receiver.program.kill()
    argv = ["send", "--to", receiver.url, "--site", "s", "--", "echo", "precious"]
    sender = start(*argv, TMPDIR=str(tmp_path))
    sender.wait_line("precious")
    sender.wait_line("trying again")

    began = time.monotonic()
    sender.process.send_signal(signal.SIGINT)
    wait_until(lambda: sender.process.poll() is not None or _again(sender))

    assert sender.wait() == 130
    assert time.monotonic() - began < PATIENCE / 2
    kept = next(line.rpartition(" ")[2] for line in sender.said if "the output is kept in" in line)
    with open(kept, "rb") as output:
        assert output.read() == b"precious\n"


def _again(sender) -> bool:
    sender.process.send_signal(signal.SIGINT)
    return False


def test_a_sender_does_not_send_the_store_it_fills(receiver, tmp_path):
    """`send .` where the copies lie would never end."""
    (tmp_path / "app.log").write_text("x")

    done = run(["send", ".", "--to", receiver.url, "--site", "s", "--stop-at-eof"], tmp_path)

    assert done.returncode == 0
    assert b"copies is a receiver's store: skipped" in done.stderr
    assert [path.name for path in receiver.copies.glob("s/default/[!.]*")] == ["app.log"]


@needs_setpriv
def test_an_unreadable_file_is_an_error_and_the_others_go_on(start, receiver, tmp_path):
    """One clear line, exit code 1, nothing else lost."""
    (tmp_path / "secret.log").write_text("x")
    (tmp_path / "secret.log").chmod(0o000)
    (tmp_path / "open.log").write_text("y")

    sender = start("send", "secret.log", "open.log", "--to", receiver.url, "--site", "s", "--stop-at-eof", plain=True)

    assert sender.wait() == 1
    assert any(line.endswith("secret.log: Permission denied") for line in sender.said)
    assert receiver.copy("open.log").read_text() == "y"


@needs_setpriv
def test_a_destination_that_may_not_be_written(start, tmp_path):
    """One clear line, exit code 1."""
    (tmp_path / "dest").mkdir(mode=0o555)

    program = start("serve", "--listen", "127.0.0.1:0", "--dest", "dest", plain=True)

    assert program.wait() == 1
    assert len(program.said) == 1
    assert "Permission denied" in program.said[0]


def test_a_wrong_token_ends_the_sender(receiver, tmp_path):
    """One line for all files, exit code 1, and nothing about trying again."""
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text("x")

    done = run(["send", "a.log", "b.log", "--to", receiver.url, "--site", "s"], tmp_path, LOGSTREAMER_TOKEN="another")

    assert done.returncode == 1
    assert done.stderr.count(b"wrong token") == 1
    assert b"Traceback" not in done.stderr
    assert b"trying again" not in done.stderr
    assert not receiver.copy("a.log").exists()
    receiver.program.stop()
    assert not any("ERROR" in line for line in receiver.program.said)


def test_a_port_in_use(tmp_path):
    """One line, exit code 1, and the store is free again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(["serve", "--listen", f"127.0.0.1:{port}", "--dest", "d"], tmp_path)

    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert b"Address already in use" in done.stderr


def test_a_second_receiver_in_one_directory(receiver, tmp_path):
    """One line, exit code 1."""
    done = run(["serve", "--listen", "127.0.0.1:0", "--dest", str(receiver.copies)], tmp_path)

    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert b"in use by another receiver" in done.stderr


def test_serve_prints_a_token_that_it_made(start, tmp_path):
    """And only then: one from the environment stays secret."""
    program = start("serve", "--listen", "127.0.0.1:0", LOGSTREAMER_TOKEN="")
    url = program.wait_line(r"ready at (http://\S+\?token=\S+)")[1]
    (tmp_path / "a.log").write_text("x")

    done = run(["send", "a.log", "--to", url, "--site", "s", "--stop-at-eof"], tmp_path, LOGSTREAMER_TOKEN="")
    seen = run(["ls", "-o", "json"], tmp_path, LOGSTREAMER_TOKEN="")

    assert (done.returncode, seen.returncode) == (0, 0)
    assert b'"finished"' in seen.stdout
    assert (tmp_path / "logs" / ".logstreamer" / "receiver.json").stat().st_mode & 0o777 == 0o600
    assert program.stop() == 0
    assert not (tmp_path / "logs" / ".logstreamer" / "receiver.json").exists()


def test_a_secret_token_is_not_printed(receiver):
    """It may be in a log by now, otherwise."""
    assert TOKEN not in receiver.program.out.decode()


@pytest.mark.parametrize("options", [(), ("--fsync",)])
def test_a_full_disk_pauses_and_loses_nothing(start, receiver, tmp_path, options):
    """It is said at both ends and shown by `ls`; with room again the stream goes on by itself."""
    receiver.program.stop()
    program = receiver.begin(*options).process
    (tmp_path / "a.log").write_bytes(numbered_lines(0, 100_000))
    resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    sender = follow(start, receiver, "a.log")
    receiver.program.wait_line(r"a\.log of s waits: .*(File too large|No space)")
    sender.wait_line("a.log: (File too large|No space left on device); waiting")

    assert b"disk full" in run(["ls", "--from", str(receiver.copies)], tmp_path).stdout
    resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_until(lambda: size(receiver.copy("a.log")) == size(tmp_path / "a.log"))

    assert sender.stop() == 0
    assert sha256(receiver.copy("a.log")) == sha256(tmp_path / "a.log")
    assert program.poll() is None
