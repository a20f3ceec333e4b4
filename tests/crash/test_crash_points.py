"""Kill -9 at every named point of the code, restart, verify: nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.ports import ReservedPort

from conftest import wait_until
from logstreamer.crash import ENVIRONMENT, POINTS
from logstreamer.store import Store, verify

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

TOKEN = "crash-test"
PATIENCE = 80.0
VISITS = {"data.written": 3, "sidecar.written": 3, "sidecar.replaced": 3, "segment.started": 2, "run.begun": 1}
VISITS |= {"sender.read": 3, "sender.acked": 2, "sender.segment": 2}
"""Which visit of a point kills: a later one lies in the middle of a stream, or at its rotation."""

FIRST = b"".join(b"before the rotation %06d\n" % number for number in range(10_000))
SECOND = b"".join(b"after the rotation %06d\n" % number for number in range(10_000))


class Site:
    """A receiver and a sender as processes of their own; one of them may be armed."""

    def __init__(self, folder: Path, fsync: bool) -> None:
        self.log = folder / "app.log"
        self.dest = folder / "dest"
        self.copy = self.dest / "site" / "job" / "app.log"
        self._port = ReservedPort()
        self._fsync = ["--fsync"] if fsync else []
        self._processes: list[subprocess.Popen[bytes]] = []

    def start_receiver(self, point: str = "") -> subprocess.Popen[bytes]:
        listen = ["--listen", f"127.0.0.1:{self._port.number}", "--dest", str(self.dest)]
        receiver = self._start("serve", *listen, *self._fsync, point=point)
        assert receiver.stdout is not None
        assert b"ready" in receiver.stdout.readline()
        return receiver

    def start_sender(self, point: str = "") -> subprocess.Popen[bytes]:
        to = ["--to", f"http://127.0.0.1:{self._port.number}", "--site", "site", "--job", "job"]
        sender = self._start("send", str(self.log), *to, point=point)
        assert sender.stderr is not None
        assert b"following" in sender.stderr.readline()  # from here on it takes signals
        return sender

    def stored(self) -> bytes:
        return self.copy.read_bytes() if self.copy.exists() else b""

    def _start(self, *arguments: str, point: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {"LOGSTREAMER_TOKEN": TOKEN, ENVIRONMENT: point}
        command = [sys.executable, "-m", "logstreamer", *arguments]
        pipe = subprocess.PIPE
        self._processes.append(subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe))
        return self._processes[-1]

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()


class Crash:
    """Starts both sides, one of them armed, and starts that one again when it has died at its point."""

    def __init__(self, site: Site, point: str) -> None:
        self._site = site
        self._point = point
        self._on_sender = point.startswith("sender.")
        self._died = False

    def start(self) -> None:
        armed = f"{self._point}:{VISITS.get(self._point, 1)}"
        receiver = self._site.start_receiver("" if self._on_sender else armed)
        self._sender = self._site.start_sender(armed if self._on_sender else "")
        self._victim = self._sender if self._on_sender else receiver

    def wait_for(self, expected: bytes) -> None:
        wait_until(
            lambda: self._site.stored() == expected or self._is_dead(), f"not stored: {len(expected)} bytes", PATIENCE
        )
        if self._is_dead():
            self._revive()
            wait_until(lambda: self._site.stored() == expected, f"not continued to {len(expected)} bytes", PATIENCE)

    def end(self) -> None:
        """Stop the sender, which drains and ends the stream, and is started again if that was what killed it."""
        self._sender.send_signal(signal.SIGTERM)
        if not self._died:
            self._victim.wait(60)
            self._revive()
            if self._on_sender:
                self._sender.send_signal(signal.SIGTERM)
        assert self._sender.wait(60) == 0

    def _is_dead(self) -> bool:
        return not self._died and self._victim.poll() is not None

    def _revive(self) -> None:
        assert self._victim.wait() == -signal.SIGKILL, f"{self._point} was never reached"
        self._died = True
        if self._on_sender:
            self._sender = self._site.start_sender()
        else:
            self._site.start_receiver()


@pytest.fixture
def site(tmp_path: Path, fsync: bool) -> Iterator[Site]:
    site = Site(tmp_path, fsync)
    try:
        yield site
    finally:
        site.close()


CASES = [(point, False) for point in POINTS] + [(point, True) for point in POINTS if point.startswith(("side", "data"))]


@pytest.mark.parametrize(("point", "fsync"), CASES)
def test_a_kill_at_any_point_loses_nothing_and_doubles_nothing(site: Site, point: str) -> None:
    """Both sides run, the armed one dies at its point while a log is written and rotated, and is started again."""
    crash = Crash(site, point)
    site.log.write_bytes(FIRST)
    crash.start()
    crash.wait_for(FIRST)  # what was never seen before a rotation, a fresh start does not look for
    os.rename(site.log, site.log.with_name("app.log.1"))
    site.log.write_bytes(SECOND)
    crash.wait_for(FIRST + SECOND)
    crash.end()
    assert site.stored() == FIRST + SECOND
    with Store.view(site.dest) as view:
        (report,) = verify(view)
    assert (report.status, report.gaps, report.damage) == ("ok", (), ())
