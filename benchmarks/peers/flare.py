"""NVFlare's own LogStreamer and JobLogReceiver over its cellnet, default settings."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.peers.base import Command, Peer, Way

ENDS = Path(__file__).with_name("flare_ends.py")
SCHEME = "http"
"""What `nvflare provision` of 2.9 sets up when a project says nothing (the simulator uses tcp)."""


class FlarePeer(Peer):
    """Two processes, each with a cell of its own.

    Args:
        python: an interpreter that has nvflare.
        scheme: NVFlare's driver between the cells: http, tcp or grpc.
    """

    name = "NVFlare LogStreamer"
    speaks_tls = False  # its cells want certificates of a provisioned project

    def __init__(self, python: Path, scheme: str = SCHEME) -> None:
        self._python = str(python)
        self._scheme = scheme

    def missing(self) -> str | None:
        if not Path(self._python).exists():
            return f"no Python at {self._python}; `make bench` makes it"
        done = self._run("import nvflare")
        return None if done.returncode == 0 else "nvflare is not installed"

    def version(self) -> str:
        program = "from importlib.metadata import version; print(version('nvflare'))"
        return f"NVFlare {self._run(program).stdout.strip()}, {self._scheme} driver"

    def receiver(self, way: Way) -> list[Command]:
        return [Command([self._python, str(ENDS), "receive", self._url(way), str(way.dest)])]

    def sender(self, way: Way) -> list[Command]:
        return [Command([self._python, str(ENDS), "send", self._url(way), str(way.source)])]

    def stored(self, way: Way) -> Path:
        return way.dest / "bench" / "site-1" / way.source.name

    def _url(self, way: Way) -> str:
        return f"{self._scheme}://{way.host}:{way.port}"

    def _run(self, program: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self._python, "-c", program], capture_output=True, text=True, check=False)
