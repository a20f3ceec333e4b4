"""The receiver's disk: full, or with damage from between two lives. D1, D2, D3, D5."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess

import pytest

from e2e.conftest import Receiver
from e2e.processes import run, sha256, size, wait_until
from faults.harness import Log, check_exact, check_no_errors, finish, record, wait_copied

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


class SmallDisk:
    """A file system of its own below *directory*; without the right to mount one, a limit of the receiver's files."""

    def __init__(self, directory, program) -> None:
        self._directory = directory
        self._program = program
        self.is_mounted = False

    def mount(self) -> None:
        """2 MiB."""
        self._directory.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=2m", "small", str(self._directory)]
        if os.geteuid() == 0 and shutil.which("mount") is not None:
            self.is_mounted = subprocess.run(command, check=False, capture_output=True, timeout=20).returncode == 0

    def limit(self) -> None:
        """The same for who may not mount."""
        if not self.is_mounted:
            resource.prlimit(self._program().process.pid, resource.RLIMIT_FSIZE, (2 << 20, resource.RLIM_INFINITY))

    def make_room(self) -> None:
        """Enough."""
        if self.is_mounted:
            command = ["mount", "-o", "remount,size=64m", str(self._directory)]
            subprocess.run(command, check=True, capture_output=True, timeout=20)
        else:
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(self._program().process.pid, resource.RLIMIT_FSIZE, unlimited)

    def unmount(self) -> None:
        """Gone, with all that is on it."""
        if self.is_mounted:
            subprocess.run(["umount", "-l", str(self._directory)], check=True, capture_output=True, timeout=20)


@pytest.fixture
def disk(tmp_path, start):
    """A small disk with a receiver on it, as `disk.receiver`."""
    disk = SmallDisk(tmp_path / "small", lambda: disk.receiver.program)
    disk.mount()
    disk.receiver = Receiver(start, tmp_path / "small")
    disk.limit()
    yield disk
    disk.receiver.program.kill()
    disk.unmount()


@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed"])
def test_d01_the_disk_is_full_in_the_middle_and_has_room_again(disk, start, log, tmp_path, killed):
    """It is said, nothing is thrown away, no torn write stays; also when the receiver dies with its disk full."""
    receiver = disk.receiver
    log.write(200_000)
    sender = start("send", log.name, "--to", receiver.url, "--site", "s")
    sender.wait_line("following")
    receiver.program.wait_line(r"app\.log of s waits: .*(No space left|File too large)")
    full = size(receiver.copy(log.name))

    assert full < log.size
    assert receiver.copy(log.name).read_bytes() == log.path.read_bytes()[:full]
    # D7: the process lives and nothing moves; whoever asks is told so.
    assert b"disk full" in run(["ls", "--from", receiver.url], tmp_path).stdout
    if killed:
        receiver.program.kill()
        receiver.begin()
        disk.limit()
        receiver.program.wait_line(r"app\.log of s waits: .*(No space left|File too large)")
    disk.make_room()
    wait_copied(receiver, log)
    finish(sender)

    check_exact(receiver, log.path)


DAMAGE = {
    "torn": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "zeros": lambda content: bytes(len(content)),
    "random": lambda content: bytes(range(256)) * 3,
    "missing": None,
}


@pytest.mark.parametrize("lives", [True, False], ids=["sender alive", "sender restarted"])
def test_d02_sidecars_are_damaged_between_two_lives(receiver, send, tmp_path, lives):
    """Each of these streams recovers from its own file, and one beside them does not even notice."""
    logs = [Log(tmp_path / f"{how}.log") for how in (*DAMAGE, "sound")]
    for log in logs:
        log.write(1000)
    sender = send(*(log.name for log in logs))
    for log in logs:
        wait_copied(receiver, log)
    receiver.program.kill()
    if not lives:
        sender.kill()
    for log in logs[:-1]:
        sidecar = receiver.copy(f".{log.name}.logstreamer.json")
        change = DAMAGE[log.path.stem]
        if change is None:
            sidecar.unlink()
        else:
            sidecar.write_bytes(change(sidecar.read_bytes()))
    for log in logs:
        log.write(500)
    receiver.begin()
    if not lives:
        sender = send(*(log.name for log in logs))

    for log in logs:
        wait_copied(receiver, log)
    finish(sender)

    for log in logs:
        assert sha256(receiver.copy(log.name)) == sha256(log.path)
        assert not receiver.copy(f"{log.name}.2").exists()
        assert record(receiver, log.name).gaps == ()
        assert [trouble.kind for trouble in record(receiver, log.name).troubles] == (
            [] if log is logs[-1] else ["recovered"]
        )
    assert run(["verify", str(receiver.copies)], tmp_path).returncode == 0
    check_no_errors(sender, receiver.program)


@pytest.mark.parametrize("lives", [True, False], ids=["sender alive", "sender restarted"])
def test_d03_the_stored_file_is_longer_than_its_sidecar_says(receiver, send, log, lives):
    """The sidecar is as it was before the last bytes were written, as after a crash between the two."""
    log.write(1000)
    sender = send(log.name)
    wait_copied(receiver, log)
    sidecar = receiver.copy(f".{log.name}.logstreamer.json")
    then = sidecar.read_bytes()
    log.write(1000)
    wait_copied(receiver, log)
    receiver.program.kill()
    if not lives:
        sender.kill()
    sidecar.write_bytes(then)
    receiver.begin()
    if not lives:
        sender = send(log.name)
    log.write(500)
    wait_copied(receiver, log)
    finish(sender)

    check_exact(receiver, log.path)


@pytest.mark.parametrize("lives", [True, False], ids=["sender alive", "sender restarted"])
def test_d03_the_stored_file_is_shorter_than_its_sidecar_says(receiver, send, log, tmp_path, lives):
    """What it lost is sent again; that it had been lost stays to be seen."""
    log.write(2000)
    sender = send(log.name)
    wait_copied(receiver, log)
    receiver.program.stop()  # writes the size
    if not lives:
        sender.kill()
    os.truncate(receiver.copy(log.name), log.size // 3)
    receiver.begin()
    if not lives:
        sender = send(log.name)
    log.write(500)
    wait_copied(receiver, log)
    finish(sender)

    assert sha256(receiver.copy(log.name)) == sha256(log.path)
    assert record(receiver).gaps == ()
    assert [trouble.kind for trouble in record(receiver).troubles] == ["shorter"]
    assert run(["verify", str(receiver.copies)], tmp_path).returncode == 0


def test_d03_bytes_of_somebody_else_are_no_acknowledgement(receiver, send, log, tmp_path):
    """They are as many as the sender's next ones, which nobody has: those are sent, and the place is recorded."""
    log.write(1000)
    sender = send(log.name)
    wait_copied(receiver, log)
    before = log.size
    with receiver.copy(log.name).open("ab") as copy:
        copy.write(b"foreign\n")
    log.write(100)
    wait_until(lambda: receiver.copy(log.name).read_bytes().endswith(log.path.read_bytes()[before:]), "the rest")
    finish(sender)

    assert [gap.offset for gap in record(receiver).gaps] == [before + len(b"foreign\n")]
    assert b"1 gap" in run(["verify", str(receiver.copies)], tmp_path).stdout


def test_a_snapshot_by_hard_links_only_delays(receiver, send, log, tmp_path):
    """As `cp -al` makes them: what came meanwhile arrives when the link is gone."""
    log.write(100)
    sender = send(log.name)
    wait_copied(receiver, log)
    snapshot = tmp_path / "snapshot"
    os.link(receiver.copy(log.name), snapshot)
    kept = snapshot.read_bytes()
    log.write(100)
    sender.wait_line("second hard link")
    assert snapshot.read_bytes() == kept
    snapshot.unlink()
    wait_copied(receiver, log)
    finish(sender)

    check_exact(receiver, log.path)


def test_d05_a_second_stream_of_the_same_name_never_touches_the_first(receiver, start, tmp_path):
    """Another file of that name, live at the same time; and the same job again, after both had ended."""
    logs = [Log(tmp_path / name / "app.log") for name in ("one", "two")]
    senders = []
    for number, log in enumerate(logs):
        log.path.parent.mkdir()
        log.write(100 + number)
        senders.append(start("send", str(log.path), "--to", receiver.url, "--site", "s"))
        copy = receiver.copy("app.log" if number == 0 else "app.log.2")
        wait_until(lambda copy=copy, log=log: size(copy) == log.size, f"{copy}")
    for sender in senders:
        finish(sender)
    firsts = [receiver.copy(name) for name in ("app.log", "app.log.2")]
    kept = [sha256(copy) for copy in firsts]
    assert kept == [sha256(log.path) for log in logs]

    logs[0].path.unlink()
    again = Log(logs[0].path)
    again.lines = 50_000
    again.write(10)
    done = run(["send", str(again.path), "--to", receiver.url, "--site", "s", "--stop-at-eof"], tmp_path)

    assert done.returncode == 0, done.stderr
    assert [sha256(copy) for copy in firsts] == kept
    assert sha256(receiver.copy("app.log.3")) == sha256(again.path)
