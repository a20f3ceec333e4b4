"""Bench: what every case needs: a directory, the peers, the rounds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from benchmarks.loglines import write_log
from benchmarks.peers.absent import ABSENT
from benchmarks.peers.base import Network, Peer, Tls, Way
from benchmarks.peers.flare import FlarePeer
from benchmarks.peers.logstreamer import LogStreamerPeer
from benchmarks.peers.rsyslog import RsyslogPeer
from benchmarks.peers.socat import SocatPeer
from benchmarks.records import Described, Record, Records
from benchmarks.session import PeerFailed

MIB = 1 << 20


class Named(Protocol):
    """Who takes turns: a peer, or what else has a name in the report."""

    @property
    def name(self) -> str:
        """As the report has it."""


@dataclass
class Bench:
    """One run.

    Args:
        workdir: absolute; for files, sources and copies.
        quick: short forms of everything.
        flare_python: an interpreter that has NVFlare.
    """

    workdir: Path
    records: Records
    flare_python: Path
    quick: bool = False
    peers: list[Peer] = field(default_factory=list)

    def describe_peers(self) -> None:
        """Find out who is here; who is not is said, and in the report with the reason."""
        self.records.peers.clear()
        for peer in (LogStreamerPeer(), FlarePeer(self.flare_python), RsyslogPeer(), SocatPeer()):
            if trouble := peer.missing():
                self._leave_out(peer.name, trouble)
                continue
            self.records.peers[peer.name] = Described(peer.name, peer.version(), shown(peer))
            self.peers.append(peer)
        for absent in ABSENT:
            self._leave_out(absent.name, absent.missing())

    def _leave_out(self, name: str, trouble: str) -> None:
        say(f"{name}: missing: {trouble}")
        self.records.peers[name] = Described(name, missing=from_here(trouble))

    def log(self, mib: int) -> Path:
        """A source file of *mib* MiB, made once."""
        return write_log(self.workdir, mib * MIB)

    @cached_property
    def tls(self) -> Tls:
        """A certificate for 127.0.0.1 and the benchmark's own link.

        Raises:
            PeerFailed: openssl is missing.
        """
        tls = Tls(self.workdir / "certificate.pem", self.workdir / "key.pem")
        names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
        options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
        files = ["-keyout", str(tls.key), "-out", str(tls.certificate)]
        argv = ["openssl", "req", "-x509", *options, *files, "-subj", "/CN=localhost", "-addext", names]
        try:
            subprocess.run(argv, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise PeerFailed(f"no certificate: {error}") from error
        return tls

    def rounds(
        self,
        case: str,
        number: int,
        measure: Callable[[Any, int], Record | None],
        peers: Sequence[Named] | None = None,
    ) -> None:
        """*number* rounds of all peers by turns, each round beginning with another one; round 0 warms up."""
        order: deque[Named] = deque(self.peers if peers is None else peers)
        self.records.rounds[case] = number
        for turn in range(number + 1):
            for peer in order:
                if f"{case}: {peer.name}" in self.records.failures:
                    continue
                try:
                    record = measure(peer, turn)
                except Exception as error:  # noqa: BLE001 - of the peer whose turn it is, and no other one's
                    self.fail(case, peer.name, error)
                    continue
                if record is not None and turn > 0:
                    self.add(record)
            order.rotate(-1)

    def add(self, record: Record) -> None:
        """Keep *record*, and say it."""
        self.records.records.append(record)
        figures = ", ".join(f"{key} {value:.4g}" for key, value in record.values.items())
        say(f"{record.case}, {record.peer}: {figures}")

    def fail(self, case: str, peer: str, error: Exception) -> None:
        """*peer* has no (more) figures in *case*."""
        text = str(error)
        if not isinstance(error, PeerFailed):
            traceback.print_exception(error)
            text = f"{type(error).__name__}: {error}"
        self.records.failures[f"{case}: {peer}"] = from_here(text)
        say(f"{case}, {peer}: failed: {text}")


def shown(peer: Peer) -> list[str]:
    """Its commands and files, with names in place of what differs in each transfer."""
    way = Way(source=Path("FILE"), dest=Path("DIR"), port=0, network=Network())
    texts = [str(command) for command in [*peer.receiver(way), *peer.sender(way)]]
    for path, text in peer.files(way).items():
        texts += [f"{path}:", *(f"    {line}" for line in text.splitlines())]
    return [re.sub(r"(127\.0\.0\.1:|LISTEN:|port=\")0\b", r"\1PORT", from_here(text)) for text in texts]


def from_here(text: str) -> str:
    """Paths below the current directory made relative: the report names no machine's directories."""
    return text.replace(f"{Path.cwd()}{os.sep}", "")


def say(text: str) -> None:
    """Progress, beside the report."""
    print(f"bench: {text}", file=sys.stderr, flush=True)
