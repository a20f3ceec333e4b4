"""A real deployment: what a killed job process left, ten rotations, a site that forbids it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flare.poc import PATIENCE, SITES, Deployment, write_job
from logstreamer.store import View

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

ROTATIONS = 10


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A server and two clients, not started yet."""
    deployment = Deployment(tmp_path)
    try:
        deployment.prepare()
        yield deployment
    finally:
        deployment.close()


def wait_for(what: str, condition: Callable[[], object], deployment: Deployment) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited for {what}\n{deployment.output()}"
        time.sleep(0.1)


def rotated(log: Path) -> list[Path]:
    """The older parts of *log*, oldest first."""
    return sorted(log.parent.glob(f"{log.name}.*"), key=lambda path: -int(path.suffix[1:]))


def rotate_often(deployment: Deployment, site: str) -> None:
    """Let NVFlare's own handler rotate the site's job log every few lines."""
    path = deployment.local(site, "log_config.json")
    text = path.with_name("log_config.json.default").read_text()
    assert '"maxBytes": 20971520' in text
    path.write_text(
        text.replace('"maxBytes": 20971520', '"maxBytes": 2000').replace('"backupCount": 10', '"backupCount": 400')
    )


def test_a_killed_process_ten_rotations_and_a_site_that_forbids_it(deployment: Deployment, tmp_path: Path):
    """The first site's log is whole, to the last byte that its killed process wrote; of the other there is nothing."""
    store = tmp_path / "store"
    enabled = deployment.logstreamer("flare", "enable", deployment.kits, "--store", store)
    assert enabled.returncode == 0, enabled.stderr
    rotate_often(deployment, SITES[0])
    deployment.change(SITES[1], "resources.json", allow_log_streaming=False)
    deployment.start()
    job = deployment.submit(write_job(tmp_path / "job", 50, sleep=0.2))
    log = deployment.kits / SITES[0] / job / "log.txt"
    copy = store / SITES[0] / job / "log.txt"
    wait_for("rotations", lambda: len(rotated(log)) > ROTATIONS + 5 and copy.exists(), deployment)
    wait_for("a live copy", lambda: copy.stat().st_size > 20_000, deployment)

    os.kill(deployment.job_process(SITES[0], job), signal.SIGKILL)

    def record() -> object:
        with View(store) as view:
            found = {stream.path: stream for stream in view.streams()}
        return found.get(f"{SITES[0]}/{job}/log.txt")

    wait_for("the end of the copy", lambda: getattr(record(), "finished", None), deployment)
    parts = [path.read_bytes() for path in [*rotated(log), log]]
    # What had been rotated away before the job started its run was never at the path while it was followed.
    assert copy.read_bytes() in [b"".join(parts[first:]) for first in range(len(parts) - ROTATIONS)]
    assert record().gaps == ()
    assert [segment.reason for segment in record().segments].count("rotated") >= ROTATIONS
    assert not (store / SITES[1]).exists()
    wait_for("a line about it", lambda: "does not allow" in _text(deployment.kits / SITES[1]), deployment)
    assert deployment.logstreamer("verify", store).returncode == 0
    deployment.abort()


def _text(kit: Path) -> str:
    return "\n".join(path.read_text(errors="replace") for path in kit.glob("log*.txt*"))
