"""`tail -F | socat`: what a shell gives you. No identity, no resume, no checksum: the bound to compare with."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks.peers.base import Command, Peer, Way

OPTIONS = ("-u", "-b", "65536")
"""One direction; the buffer that makes it quick: with socat's own 8 KiB it is about half as fast."""


class SocatPeer(Peer):
    """One connection, one direction."""

    name = "tail -F | socat"

    def missing(self) -> str | None:
        absent = [program for program in ("tail", "socat") if shutil.which(program) is None]
        return f"not installed: {', '.join(absent)}" if absent else None

    def version(self) -> str:
        tail = _output("tail", "--version").splitlines()[0]
        socat = next(line for line in _output("socat", "-V").splitlines() if line.startswith("socat version"))
        return f"{tail}, {' '.join(socat.split()[:3])}"

    def receiver(self, way: Way) -> list[Command]:
        tls, kind, more = way.network.tls, "TCP", ""
        if tls:
            kind, more = "OPENSSL", f",cert={tls.certificate},key={tls.key},verify=0"
        listen = f"{kind}-LISTEN:{way.port},bind={way.host},reuseaddr{more}"
        return [Command(["socat", *OPTIONS, listen, f"OPEN:{self.stored(way)},creat,append"])]

    def sender(self, way: Way) -> list[Command]:
        tail = Command(["tail", "-n", "+1", "-F", str(way.source)], feeds_next=True)
        tls = way.network.tls
        more = f",cafile={tls.certificate}" if tls else ""
        return [tail, Command(["socat", *OPTIONS, "-", f"{'OPENSSL' if tls else 'TCP'}:{way.host}:{way.port}{more}"])]

    def stored(self, way: Way) -> Path:
        return way.dest / way.source.name


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
