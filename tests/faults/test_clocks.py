"""The wall clock of either side is stepped under a running process: N13."""

from __future__ import annotations

import functools
import glob
import os
import subprocess
import time
from pathlib import Path

import pytest

from e2e.conftest import Receiver
from e2e.processes import wait_until
from faults.harness import check_exact, check_no_errors, finish, lacking, once_after, record, wait_copied

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

STEPS = (60, -60, 86_400, -86_400)
IDLE_TIMEOUT = 1.5


class WallClock:
    """The time of day of processes that get its *variables*; their monotonic clock is left alone."""

    def __init__(self, path: Path) -> None:
        found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + glob.glob("/usr/lib*/faketime/libfaketimeMT.so.1")
        if not found:
            lacking("faketime")
        self._path = path
        self.step(0)
        self.variables = {
            "LD_PRELOAD": found[0],
            "FAKETIME_TIMESTAMP_FILE": str(path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def step(self, seconds: int) -> None:
        """It differs from the true time by *seconds* from now on."""
        new = self._path.with_suffix(".new")
        new.write_text(f"{seconds:+d}s\n")
        new.replace(self._path)

    def read(self) -> float:
        """What a process sees."""
        done = subprocess.run(["date", "+%s"], env={**os.environ, **self.variables}, capture_output=True, check=True)
        return float(done.stdout)


@pytest.mark.parametrize("side", ["sender", "receiver"])
def test_n13_the_wall_clock_is_stepped(start, tmp_path, log, side):
    """By a minute and by a day, forwards and back: no timeout, no missed heartbeat, and data goes on."""
    clock = WallClock(tmp_path / "clock")
    stepped = functools.partial(start, **clock.variables)
    receiver = Receiver(stepped if side == "receiver" else start, tmp_path)
    receiver.program.stop()
    receiver.begin("--idle-timeout", str(IDLE_TIMEOUT))
    log.write(10)
    sender = (stepped if side == "sender" else start)("send", log.name, "--to", receiver.url, "--site", "s")
    sender.wait_line("following")
    wait_copied(receiver, log)
    for seconds in STEPS:
        clock.step(seconds)
        assert abs(clock.read() - time.time() - seconds) < 5
        wait_until(once_after(IDLE_TIMEOUT * 1.1))  # nothing but heartbeats
        log.write(10)
        wait_copied(receiver, log)
    finish(sender)

    check_exact(receiver, log.path)
    assert [run.rc for run in record(receiver).runs] == ["OK"]
    check_no_errors(sender, receiver.program)
    assert not any("nothing heard" in line for line in receiver.program.said)
