"""The benchmark's own machinery: it measures a peer that works and names one that does not. No time is asserted."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import pytest
from benchmarks.loglines import lines, write_log
from benchmarks.measure import Backlog, measure_backlog, measure_latency
from benchmarks.peers.base import Command, Peer, Way
from benchmarks.report import render
from benchmarks.results import PeerResult, percentile
from benchmarks.session import PeerFailed

RECEIVE = """
import socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server, open(sys.argv[2], "wb", buffering=0) as copy:
    connection = server.accept()[0]
    while data := connection.recv(65536):
        copy.write(data)
    time.sleep(600)  # like every peer, until it is stopped
"""
SEND = """
import socket, sys, time
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
with open(sys.argv[2], "rb") as source:
    while True:
        data = source.read(65536)
        if not data:
            time.sleep(0.002)
            continue
        connection.sendall({change})
"""


class ScriptPeer(Peer):
    """A socket and a loop.

    Args:
        change: a Python expression of `data`: what the sender makes of each piece.
    """

    name = "script"

    def __init__(self, change: str = "data") -> None:
        self._send = SEND.replace("{change}", change)

    def missing(self) -> None:
        return None

    def version(self) -> str:
        return "script 1"

    def receiver(self, way: Way) -> list[Command]:
        return [Command([sys.executable, "-c", RECEIVE, str(way.port), str(self.stored(way))])]

    def sender(self, way: Way) -> list[Command]:
        # Two processes, as `tail | socat` is: the first one only keeps the pipe open.
        idle = Command([sys.executable, "-c", "import time; time.sleep(600)"], feeds_next=True)
        return [idle, Command([sys.executable, "-c", self._send, str(way.port), str(way.source)])]

    def stored(self, way: Way) -> Path:
        return way.dest / way.source.name


def test_the_log_is_the_same_each_time_and_exactly_as_long_as_asked(tmp_path):
    """Also that it is made once, and reads like a log."""
    (tmp_path / "other").mkdir()
    first, second = write_log(tmp_path, 300_001), write_log(tmp_path / "other", 300_001)

    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size == 300_001
    assert first.read_bytes().startswith(b"2026-01-05 08:30:00.")
    assert any(b"Traceback" in record for record in islice(lines(), 5000))
    assert write_log(tmp_path, 300_001).stat().st_ino == first.stat().st_ino


def test_a_backlog_is_measured_from_first_to_last_byte(tmp_path):
    """Nothing stays behind. On a busy machine the whole copy may be there at the first look: then size is 0."""
    source = write_log(tmp_path, 4 << 20)

    backlog = measure_backlog(ScriptPeer(), source, tmp_path)

    assert 0 <= backlog.size < source.stat().st_size
    assert min(backlog.seconds, backlog.startup) > 0
    assert not (tmp_path / "copy").exists()


def test_each_line_has_its_latency(tmp_path):
    """As many as asked for, the warm-up left out."""
    seen = measure_latency(ScriptPeer(), tmp_path, rate=200, seconds=0.5, warmup=0.1)

    assert len(seen) == 100
    assert min(seen) > 0


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("data.replace(b'INFO', b'info')", "the copy differs"),
        ("data + b'x'", "stored .* bytes of"),
        ("exit('out of luck')", "a process ended with 1: out of luck"),
    ],
)
def test_a_peer_that_fails_gives_no_figures(tmp_path, change, complaint):
    """Wrong bytes, too many bytes, an early end."""
    with pytest.raises(PeerFailed, match=complaint):
        measure_backlog(ScriptPeer(change), write_log(tmp_path, 1 << 20), tmp_path)


def test_percentiles_are_nearest_rank():
    """The 99th of 100 values is the second largest."""
    values = [float(value) for value in range(100, 0, -1)]

    assert [percentile(values, share) for share in (0.5, 0.99, 1.0)] == [50.0, 99.0, 100.0]
    assert percentile([7.0], 0.01) == 7.0


def test_the_report_names_who_is_missing():
    """Never left out in silence."""
    measured = PeerResult("NVFlare LogStreamer", version="NVFlare 2.9.0", commands=["receive", "send"])
    measured.backlogs = [Backlog(10**8, seconds, 1.0, 2.0, 0.5) for seconds in (8.0, 10.0, 12.0)]
    measured.latencies = [[0.25, 0.5]]

    page = render([PeerResult("logstreamer", trouble="missing: broken"), measured], "3 rounds", "make bench")

    assert "| logstreamer | no figures: missing: broken |" in page
    row = "| NVFlare LogStreamer | 10 (8.333-12.5) | 1 | - | 10.00 + 20.00 | 250.00 ms, 500.00 ms | 0.50 s |"
    assert row in page
