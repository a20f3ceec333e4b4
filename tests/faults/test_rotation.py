"""`logrotate` and Python's own handlers while the sender lives and while it is dead: T3, T16, T20."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from e2e.processes import size, wait_until
from faults.harness import check_no_errors, finish, lacking, record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

LINE = "%08d a line of a job's log, no other is the same\n"
OPTIONS = {
    "create": ("create",),
    "copytruncate": ("copytruncate",),
    "compress": ("create", "compress"),
    "delaycompress": ("create", "compress", "delaycompress"),
    "copytruncate compress": ("copytruncate", "compress"),
}


class Job:
    """A program that logs, its log, and how many lines it wrote."""

    def __init__(self, run_script, path: Path, handler: str) -> None:
        self.path = path
        self.lines = 0
        self._script = run_script("write.py", handler, str(path))
        self._script.wait_line("ready")

    def write(self, count: int) -> None:
        """So many lines; returns when they are written."""
        self._script.tell(f"write {count}")
        self.lines += count
        self._script.wait_line(f"wrote {self.lines}$")

    @property
    def written(self) -> bytes:
        """All that it ever wrote."""
        return "".join(LINE % number for number in range(self.lines)).encode()


class Logrotate:
    """The real one, with a configuration and a state file of its own."""

    def __init__(self, directory: Path, log: Path, *options: str) -> None:
        self._state = directory / "logrotate.state"
        self._config = directory / "logrotate.conf"
        lines = "\n".join(("rotate 50", "su root root" if log.owner() == "root" else "", *options))
        self._config.write_text(f"{log} {{\n{lines}\n}}\n")
        self._config.chmod(0o644)

    def __call__(self) -> None:
        """Rotate now."""
        program = shutil.which("logrotate", path="/usr/sbin:/usr/bin:/sbin:/bin")
        if program is None:
            lacking("logrotate")
        subprocess.run([program, "-f", "-s", self._state, self._config], check=True, capture_output=True, timeout=20)


def wait_whole(receiver, job: Job) -> None:
    """Until the copy has as many bytes as were written."""
    wait_until(lambda: size(receiver.copy(job.path.name)) >= len(job.written), "the whole of it")


def check_whole(receiver, job: Job) -> None:
    """Every line once and in order, no gap, one copy."""
    assert receiver.copy(job.path.name).read_bytes() == job.written
    assert record(receiver, job.path.name).gaps == ()
    assert [path.name for path in receiver.copies.glob("s/default/[!.]*")] == [job.path.name]


@pytest.mark.parametrize("options", OPTIONS)
def test_t20_logrotate_while_the_sender_lives(receiver, send, run_script, tmp_path, options):
    """Three rotations, two of them in a row, between lines that are followed."""
    log = tmp_path / "log" / "app.log"
    log.parent.mkdir(mode=0o755)
    job = Job(run_script, log, "watched" if "create" in OPTIONS[options] else "file")
    rotate = Logrotate(tmp_path, log, *OPTIONS[options])
    job.write(500)
    sender = send(str(log))
    for times in (1, 2):
        wait_whole(receiver, job)
        job.write(300)
        wait_whole(receiver, job)  # logrotate's own race in copytruncate is not what is tested here
        for _ in range(times):
            rotate()
        job.write(200)
    wait_whole(receiver, job)
    finish(sender)

    check_whole(receiver, job)
    check_no_errors(sender, receiver.program)


@pytest.mark.parametrize("options", OPTIONS)
def test_t20_logrotate_while_the_sender_is_dead(receiver, send, run_script, tmp_path, options):
    """The rest of what was read lies in a rotated sibling by now, compressed or not; then come its successors."""
    log = tmp_path / "log" / "app.log"
    log.parent.mkdir(mode=0o755)
    job = Job(run_script, log, "watched" if "create" in OPTIONS[options] else "file")
    rotate = Logrotate(tmp_path, log, *OPTIONS[options])
    job.write(500)
    sender = send(str(log))
    wait_whole(receiver, job)
    sender.kill()
    for _ in range(3):
        job.write(400)
        rotate()
    job.write(100)

    sender = send(str(log))
    wait_whole(receiver, job)
    finish(sender)

    check_whole(receiver, job)
    check_no_errors(sender, receiver.program)


@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed"])
def test_t03_rotating_file_handler(receiver, send, run_script, tmp_path, killed):
    """Dozens of rotations at once, far more than one between two looks."""
    job = Job(run_script, tmp_path / "app.log", "size")
    job.write(50)  # no rotation yet: what was rotated away before a sender first came, it does not look for
    sender = send("app.log")
    wait_whole(receiver, job)
    if killed:
        sender.kill()
    job.write(5_000)
    if killed:
        sender = send("app.log")
    wait_whole(receiver, job)
    job.write(1000)
    finish(sender)

    check_whole(receiver, job)
    assert len(record(receiver).segments) > 40
    check_no_errors(sender, receiver.program)


@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed"])
def test_t03_timed_rotating_file_handler(receiver, send, run_script, tmp_path, killed):
    """A rotation each second, to names that end in a time."""
    job = Job(run_script, tmp_path / "app.log", "time")
    job.write(100)
    sender = send("app.log")
    wait_whole(receiver, job)
    if killed:
        sender.kill()

    def two_rotations() -> bool:
        job.write(50)
        # The very first file is empty if its second was over before the first line.
        return sum(path.stat().st_size > 0 for path in tmp_path.glob("app.log.*")) >= 2

    wait_until(two_rotations, "two rotations")
    if killed:
        sender = send("app.log")
    wait_whole(receiver, job)
    finish(sender)

    check_whole(receiver, job)
    assert [segment.reason for segment in record(receiver).segments] == ["start", "rotated", "rotated"]
    check_no_errors(sender, receiver.program)


def test_t16_what_a_handler_deleted_is_a_gap_at_its_place(receiver, send, run_script, tmp_path):
    """Two backups are kept while the sender is dead, and the file that it read is not among them: they are read."""
    job = Job(run_script, tmp_path / "app.log", "few")
    job.write(100)
    sender = send("app.log")
    wait_whole(receiver, job)
    sender.kill()
    before = job.written
    job.write(10_000)
    standing = b"".join((tmp_path / name).read_bytes() for name in ("app.log.2", "app.log.1", "app.log"))

    sender = send("app.log")
    wait_until(lambda: size(receiver.copy("app.log")) >= len(before + standing), "what there is")
    finish(sender)

    assert job.written.endswith(standing)
    assert receiver.copy("app.log").read_bytes() == before + standing
    [gap] = record(receiver).gaps
    assert (gap.offset, gap.lost) == (len(before), None)
    check_no_errors(sender, receiver.program)
