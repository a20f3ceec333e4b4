"""What the callbacks of another process see: N1, N12, N14, N15, N16, N17."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from e2e.conftest import Receiver
from e2e.processes import sha256, size, wait_until
from faults.harness import Log, check_exact, check_no_errors, finish, in_soak, once_after, wait_copied

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


class Callbacks:
    """A receiver with callbacks, and what they were called with."""

    def __init__(self, run_script, directory: Path, idle_timeout: float, seconds: float = 0.0) -> None:
        self._directory = directory
        self.script = run_script("receive.py", str(idle_timeout), str(seconds))
        self.url = self.script.wait_line(r"ready (\S+)")[1]

    def register(self) -> None:
        """From now on it takes streams."""
        self.script.tell("register")
        self.script.wait_line("registered")

    def events(self, kind: str) -> list[list[str]]:
        """What was said of *kind* so far, in words."""
        lines = bytes(self.script.out).decode().splitlines()
        return [line.split() for line in lines if line.startswith(f"{kind} ")]

    def dones(self) -> list[str]:
        """The return codes of the done callback."""
        return [event[2] for event in self.events("done")]

    def received(self, name: str = "app.log") -> Path:
        """What the chunk callback got."""
        return self._directory / f"received.{name}"


@pytest.fixture
def callbacks(run_script, tmp_path):
    return lambda *arguments: Callbacks(run_script, tmp_path, *arguments)


def when(event: list[str]) -> float:
    """Its time on the monotonic clock, which all processes share."""
    return float(event[-1].removeprefix("at="))


@pytest.mark.parametrize("seconds", [0.2, 2.0, *in_soak(10.0, 60.0)])
def test_n01_sender_starts_before_the_handler_exists(callbacks, send, log, seconds):
    """The receiver is there and nobody has registered yet: asked again later, not one byte lost, no error."""
    receiver = callbacks(30.0)
    log.write(1000)
    sender = send(log.name, to=receiver.url)
    log.grow()
    wait_until(once_after(seconds), patience=seconds + 1)
    receiver.register()
    wait_until(lambda: size(receiver.received()) >= log.size)
    log.pause()
    finish(sender)

    assert sha256(receiver.received()) == sha256(log.path)
    wait_until(receiver.dones, "what it says of the end")
    assert receiver.dones() == ["OK"]
    check_no_errors(sender, receiver.script)


def test_n12_a_frozen_and_a_dead_target_do_not_slow_a_healthy_one(run_script, start, tmp_path, log):
    """Windows full of bytes arrive at the healthy one meanwhile; the others get all of it when they are back."""
    receivers = {}
    for name in ("healthy", "frozen", "dead"):
        (tmp_path / name).mkdir()
        receivers[name] = Receiver(start, tmp_path / name)
    log.write(10)
    targets = ",".join(f"{name}={receiver.url}" for name, receiver in receivers.items())
    sender = run_script("send.py", targets, str(log.path))
    for receiver in receivers.values():
        wait_copied(receiver, log)
    receivers["frozen"].program.process.send_signal(signal.SIGSTOP)
    receivers["dead"].program.kill()

    log.write(500_000)  # some 20 MiB, five windows
    wait_copied(receivers["healthy"], log)

    assert all(size(receivers[name].copy(log.name)) < log.size for name in ("frozen", "dead"))
    receivers["frozen"].program.process.send_signal(signal.SIGCONT)
    receivers["dead"].begin()
    for receiver in receivers.values():
        wait_copied(receiver, log)
    sender.tell("stop")
    sender.wait_line(r"result \S+ OK .*'healthy': 'OK', 'frozen': 'OK', 'dead': 'OK'")
    assert sender.wait() == 0
    for receiver in receivers.values():
        check_exact(receiver, log.path)


def test_n14_a_callback_may_take_longer_than_the_idle_timeout(callbacks, send, log):
    """No timeout while it works, and no end before it has returned, even when the sender dies meanwhile."""
    receiver = callbacks(1.0, 2.5)
    receiver.register()
    log.write(1)
    sender = send(log.name, to=receiver.url)
    receiver.script.wait_line("begin")
    receiver.script.wait_line("end")
    assert receiver.dones() == []
    log.write(1)
    receiver.script.wait_line("begin")
    sender.kill()
    receiver.script.wait_line("done app.log TIMEOUT")

    [*_, end], [done] = receiver.events("end"), receiver.events("done")
    assert when(end) + 1.0 <= when(done) + 0.01
    assert sha256(receiver.received()) == sha256(log.path)


def test_n15_what_is_in_the_file_is_sent_when_the_run_is_aborted(callbacks, run_script, log):
    """Also lines that end-of-run handlers write just after the abort (T18)."""
    receiver = callbacks(30.0)
    receiver.register()
    log.write(1000)
    sender = run_script("send.py", f"receiver={receiver.url}", str(log.path))
    wait_until(lambda: size(receiver.received()) >= log.size)
    log.write(50_000)
    sender.tell("abort")
    log.write(10)
    sender.wait_line("result .* TASK_ABORTED .*'receiver': 'OK'")

    assert sha256(receiver.received()) == sha256(log.path)
    wait_until(receiver.dones, "what it says of the end")
    assert receiver.dones() == ["OK"]


@pytest.mark.parametrize("death", ["at once after opening", "after one chunk", "during heartbeats"])
def test_n16_a_sender_dies_and_the_callback_is_called_once_in_time(callbacks, send, log, death):
    """RC TIMEOUT, not before the idle timeout and not long after it."""
    receiver = callbacks(idle_timeout := 1.5)
    receiver.register()
    log.write(0 if death.startswith("at once") else 1)
    sender = send(log.name, to=receiver.url)
    if death.startswith("at once"):
        wait_until(lambda: live(receiver) == 1, "the stream")
    else:
        receiver.script.wait_line("end")
    if death == "during heartbeats":
        wait_until(once_after(2.2 * idle_timeout))  # more than two idle timeouts of nothing but heartbeats
        assert receiver.dones() == []
    killed_at = time.monotonic()
    sender.kill()
    receiver.script.wait_line("done app.log TIMEOUT")

    [done] = receiver.events("done")
    assert killed_at < when(done) < killed_at + idle_timeout + 5.0  # a busy machine may be late
    wait_until(lambda: live(receiver) == 0)
    assert receiver.dones() == ["TIMEOUT"]


def counted(receiver: Callbacks) -> dict[str, int]:
    """The receiver's own numbers."""
    receiver.script.tell("count")
    words = receiver.script.wait_line(r"counted (.*) at=")[1].split()
    return {name: int(number) for name, number in (word.split("=") for word in words)}


def live(receiver: Callbacks) -> int:
    """Runs that are not over."""
    return counted(receiver)["live"]


def test_n17_an_end_an_abort_and_a_timeout_race_and_one_of_them_wins(callbacks, run_script, tmp_path, dice):
    """Senders of 40 files are frozen for about the idle timeout with their stop on the way, and the receiver aborts."""
    for turn in range(2):
        receiver = callbacks(0.3)
        receiver.register()
        logs = [Log(tmp_path / f"{turn}.{number}.log") for number in range(40)]
        for log in logs:
            log.write(10)
        sender = run_script("send.py", f"receiver={receiver.url}", *(str(log.path) for log in logs))
        wait_until(lambda: all(size(receiver.received(log.name)) == log.size for log in logs))  # noqa: B023
        sender.process.send_signal(signal.SIGSTOP)
        sender.tell("stop")
        wait_until(once_after(0.28 + dice.random() * 0.04))
        sender.process.send_signal(signal.SIGCONT)
        if turn % 2:
            receiver.script.tell("abort")
        sender.wait()
        wait_until(lambda: live(receiver) == 0)  # noqa: B023

        counts = counted(receiver)
        assert (counts["most"], counts["unended"]) == (1, 0), counts
        assert counts["ends"] >= len(logs)
        assert set(receiver.dones()) <= {"OK", "TIMEOUT", "TASK_ABORTED"}
