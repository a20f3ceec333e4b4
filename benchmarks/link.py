"""A link of a given rate and round trip, for as long as a context lasts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.peers.base import Network
from benchmarks.session import PeerFailed

RECEIVER_ADDRESS, SENDER_ADDRESS = "10.77.0.1", "10.77.0.2"


@contextmanager
def link(bits: float, round_trip: float) -> Iterator[Network]:
    """Two network namespaces, and `benchmarks.shaper` between them.

    Raises:
        PeerFailed: this machine cannot make one: it needs root, /dev/net/tun and Debian's iproute2.
    """
    if absent := lacks(os.geteuid()):
        raise PeerFailed(f"not measured, for want of a link and not by a fault of logstreamer's: {', '.join(absent)}")
    names = [f"bench-{end}-{os.getpid()}" for end in ("receiver", "sender")]
    shaper = None
    try:
        for name in names:
            _run("ip", "netns", "add", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        argv = [names[0], RECEIVER_ADDRESS, names[1], SENDER_ADDRESS, str(bits), str(round_trip)]
        shaper = subprocess.Popen([sys.executable, "-m", "benchmarks.shaper", *argv], stdout=subprocess.PIPE, text=True)
        assert shaper.stdout is not None
        if shaper.stdout.readline() != "up\n":
            raise PeerFailed("no link: the shaper did not start")
        receiver, sender = (("ip", "netns", "exec", name) for name in names)
        yield Network(host=RECEIVER_ADDRESS, at_receiver=receiver, at_sender=sender)
    finally:
        if shaper is not None:
            shaper.kill()
            shaper.wait()
            assert shaper.stdout is not None
            shaper.stdout.close()
        for name in names:
            with suppress(PeerFailed):
                _run("ip", "netns", "del", name)


def lacks(user: int, tun: Path = Path("/dev/net/tun")) -> list[str]:
    """What *user* would need for a link and has not."""
    needs = {
        "network namespaces need root": user == 0,
        f"there is no {tun}": tun.exists(),
        "there is no ip (Debian: iproute2)": shutil.which("ip") is not None,
    }
    return [need for need, is_there in needs.items() if not is_there]


def _run(*argv: str) -> None:
    try:
        subprocess.run(argv, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise PeerFailed(f"no link: {' '.join(argv)}: {error.stderr.strip()}") from error
