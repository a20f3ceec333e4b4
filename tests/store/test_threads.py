"""Sidecars are read from the engine's thread and from others at the same moment."""

from __future__ import annotations

import subprocess
import sys

FIRST_READS = """
import sys, threading
sys.setswitchinterval(1e-6)
from logstreamer.store import sidecar
raw = sidecar.encode(sidecar.Sidecar(key="k", created=sidecar.now()))
start = threading.Barrier(6)
def read():
    start.wait()
    for _ in range(20):
        assert sidecar.decode(raw).key == "k"
threads = [threading.Thread(target=read) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_the_first_sidecars_of_a_process_are_read_by_many_threads():
    """A receiver that had been killed crashed so, rarely: each thread made msgspec look at the types for itself."""
    for _ in range(5):
        subprocess.run([sys.executable, "-c", FIRST_READS], check=True, timeout=60)
