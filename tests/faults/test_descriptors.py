"""`ulimit -n` is reached in a running process, and raised again: T15, and the same at the receiver."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.processes import Program, sha256, size, wait_until
from faults.harness import Log, check_exact, check_no_errors, finish, record, wait_copied

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@contextmanager
def no_descriptors(program: Program) -> Iterator[None]:
    """It keeps those that it has and gets no more."""
    pid = program.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    lowest_free = next(number for number in range(len(used) + 1) if number not in used)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest_free, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_t15_a_sender_that_can_open_nothing_while_its_log_is_rotated(receiver, send, log):
    """What it cannot see is not deleted: nothing is passed over when it can see again."""
    log.write(1000)
    sender = send(log.name)
    wait_copied(receiver, log)
    rotated = [log.path.with_name(f"app.log.{number}") for number in (2, 1)]
    with no_descriptors(sender):
        for path in rotated:
            log.path.rename(path)
            log.write(1000)
        sender.wait_line("[Tt]oo many open files")
    wait_until(lambda: size(receiver.copy(log.name)) >= sum(map(size, (*rotated, log.path))), "all three files")
    finish(sender)

    check_exact(receiver, *rotated, log.path)


def test_t15_a_receiver_that_can_open_nothing_while_streams_begin(receiver, start, tmp_path):
    """Those it has go on; new ones are told, and begin when they can."""
    logs = {name: Log(tmp_path / "logs" / f"{name}.log") for name in ("old", "new", "other")}
    logs["old"].path.parent.mkdir()
    logs["old"].write(1000)
    sender = start("send", "logs", "--to", receiver.url, "--site", "s")
    wait_copied(receiver, logs["old"])
    with no_descriptors(receiver.program):
        logs["old"].write(1000)
        wait_copied(receiver, logs["old"])
        logs["new"].write(1000)
        logs["other"].write(1000)
        second = start("send", str(logs["other"].path), "--to", receiver.url, "--site", "t")
        second.wait_line("following")
        sender.wait_line("[Tt]oo many open files")
    for log in logs.values():
        wait_copied(receiver, log)
    wait_until(lambda: size(receiver.copies / "t" / "default" / "other.log") == logs["other"].size, "the other's")
    finish(sender)
    finish(second)

    for log in logs.values():
        assert sha256(receiver.copy(log.name)) == sha256(log.path)
        assert record(receiver, log.name).gaps == ()
    check_no_errors(sender, second, receiver.program)
