"""Kill -9 at every named point of the code, restart, verify: nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logstreamer.crash import ENVIRONMENT, POINTS
from logstreamer.store import Store, verify

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

TOKEN = "crash-test"
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
        self._port = _free_port()
        self._fsync = ["--fsync"] if fsync else []
        self._processes: list[subprocess.Popen[bytes]] = []

    def start_receiver(self, point: str = "") -> subprocess.Popen[bytes]:
        listen = ["--listen", f"127.0.0.1:{self._port}", "--dest", str(self.dest)]
        receiver = self._start("serve", *listen, *self._fsync, point=point)
        assert receiver.stdout is not None
        assert b"ready" in receiver.stdout.readline()
        return receiver

    def start_sender(self, point: str = "") -> subprocess.Popen[bytes]:
        to = ["--to", f"http://127.0.0.1:{self._port}", "--site", "site", "--job", "job"]
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


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 50
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


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
    armed = f"{point}:{VISITS.get(point, 1)}"
    on_sender = point.startswith("sender.")
    site.log.write_bytes(FIRST)
    receiver = site.start_receiver("" if on_sender else armed)
    sender = site.start_sender(armed if on_sender else "")
    victim = sender if on_sender else receiver

    _wait(lambda: site.stored() == FIRST or victim.poll() is not None, "the first file did not arrive")
    os.rename(site.log, site.log.with_name("app.log.1"))
    site.log.write_bytes(SECOND)
    _wait(lambda: site.stored() == FIRST + SECOND or victim.poll() is not None, "the second file did not arrive")
    if victim.poll() is None:
        sender.send_signal(signal.SIGTERM)
    assert victim.wait(30) == -signal.SIGKILL, f"{point} was never reached"

    if on_sender:
        sender = site.start_sender()
    else:
        site.start_receiver()
    _wait(lambda: site.stored() == FIRST + SECOND, "the stream did not continue")
    sender.send_signal(signal.SIGTERM)
    assert sender.wait(40) == 0
    assert site.stored() == FIRST + SECOND
    with Store.view(site.dest) as view:
        (report,) = verify(view)
    assert (report.status, report.gaps, report.damage) == ("ok", (), ())
