"""A simulator job by the recipe API: logs at the server while it runs, and equal to the files that it leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import wait_until
from logstreamer.store import View

EXAMPLE = Path(__file__).parents[2] / "examples" / "nvflare" / "job.py"
FILES = [f"site-{number}/simulate_job/{name}" for number in (1, 2) for name in ("log.json", "log.txt")]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_copies_grow_while_the_job_runs_and_are_equal_at_the_end(tmp_path: Path):
    """With the lines that NVFlare writes after END_RUN, which its own widgets lose."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with (tmp_path / "job.out").open("wb") as output:
        job = subprocess.Popen(
            [sys.executable, EXAMPLE, tmp_path, "2"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        growing = [tmp_path / "logs" / path for path in FILES]
        wait_until(lambda: all(path.exists() and path.stat().st_size for path in growing) or job.poll(), patience=90)
        assert job.poll() is None, (tmp_path / "job.out").read_text()
        code = job.wait(120)
    finally:
        job.kill()

    assert code == 0, (tmp_path / "job.out").read_text()
    with View(tmp_path / "logs") as view:
        streams = view.streams()
    assert [stream.path for stream in streams] == FILES
    assert all(stream.finished and not stream.gaps for stream in streams)
    assert b"END_RUN fired" in (tmp_path / "logs" / FILES[1]).read_bytes()
