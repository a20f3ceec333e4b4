"""This project, as a user runs it: `logstreamer serve` and `logstreamer send`."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers.base import Command, Peer, Way

SITE, JOB = "bench", "b"


class LogStreamerPeer(Peer):
    """Default settings, the token in the environment of both."""

    name = "logstreamer"

    def __init__(self, program: Path | None = None) -> None:
        self._program = str(program or Path(sys.executable).with_name("logstreamer"))

    def missing(self) -> str | None:
        if not Path(self._program).exists():
            return "logstreamer is not installed beside this Python"
        done = subprocess.run([self._program, "--help"], capture_output=True, text=True, check=False)
        return None if done.returncode == 0 else f"logstreamer does not run: {last_line(done.stderr)}"

    def version(self) -> str:
        return f"logstreamer {version('logstreamer')}"

    def receiver(self, way: Way) -> list[Command]:
        argv = [self._program, "serve", "--listen", f"{way.host}:{way.port}", "--dest", str(way.dest)]
        if tls := way.network.tls:
            argv += ["--tls-cert", str(tls.certificate), "--tls-key", str(tls.key)]
        return [Command(argv, env=_token())]

    def sender(self, way: Way) -> list[Command]:
        tls = way.network.tls
        url = f"{'https' if tls else 'http'}://{way.host}:{way.port}"
        more = ["--cafile", str(tls.certificate)] if tls else []
        target = ["--to", url, "--site", SITE, "--job", JOB, *more]
        return [Command([self._program, "send", str(way.source), *target], env=_token())]

    def stored(self, way: Way) -> Path:
        return way.dest / SITE / JOB / way.source.name


def _token() -> dict[str, str]:
    return {"LOGSTREAMER_TOKEN": "a-token-for-the-benchmark"}


def last_line(text: str) -> str:
    """What a failed program said last."""
    return (text.strip().splitlines() or ["(it said nothing)"])[-1]
