"""A real deployment: killed jobs and clients, an abort, a good end, ten rotations, a site that forbids it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flare.poc import PATIENCE, SITES, Deployment, receiver, streamer, write_job
from logstreamer.store import View

pytestmark = [pytest.mark.slow, pytest.mark.first, pytest.mark.timeout(300)]

ROTATIONS = 10
ROTATE_AT = 1500
JOB_KILLED, CLIENT_KILLED, ABORTED, CLOSED = SITES
OPEN = SITES[:3]


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A server and its clients, not started yet."""
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


def parts(log: Path) -> list[bytes]:
    """What *log* was before each rotation, and is now, oldest first."""
    older = sorted(log.parent.glob(f"{log.name}.*"), key=lambda path: -int(path.suffix[1:]))
    return [path.read_bytes() for path in [*older, log]]


def rotate_often(deployment: Deployment, site: str) -> None:
    """Let NVFlare's own handler rotate the site's job log every few lines."""
    path = deployment.local(site, "log_config.json")
    text = path.with_name("log_config.json.default").read_text()
    assert '"maxBytes": 20971520' in text
    path.write_text(
        text.replace('"maxBytes": 20971520', f'"maxBytes": {ROTATE_AT}').replace(
            '"backupCount": 10', '"backupCount": 900'
        )
    )


def test_a_killed_job_a_killed_client_an_abort_and_a_site_that_forbids_it(deployment: Deployment, tmp_path: Path):
    """Of three sites the log is whole, to the last byte that its process wrote; of the fourth there is nothing.

    One of the three jobs has declared its streamer itself. Another job, which declares its receiver as well, comes to
    a good end: each copy is what it leaves.
    """
    store = tmp_path / "store"
    enabled = deployment.logstreamer("flare", "enable", deployment.kits, "--store", store)
    assert enabled.returncode == 0, enabled.stderr
    for site in OPEN:
        rotate_often(deployment, site)
    deployment.change(CLOSED, "resources.json", allow_log_streaming=False)
    deployment.start()
    job = deployment.submit(write_job(tmp_path / "job", 1000, declared={ABORTED: [streamer("log.txt")]}))
    logs = {site: deployment.kits / site / job / "log.txt" for site in OPEN}
    copies = {site: store / site / job / "log.txt" for site in OPEN}

    def record(site: str) -> Any:
        with View(store) as view:
            return next((stream for stream in view.streams() if stream.path == f"{site}/{job}/log.txt"), None)

    def rotated(site: str) -> int:
        found = record(site)
        return [segment.reason for segment in found.segments].count("rotated") if found else 0

    def wait_for_end(site: str) -> None:
        wait_for(f"the end of the copy of {site}", lambda: getattr(record(site), "finished", None), deployment)

    wait_for("rotations", lambda: all(rotated(site) >= ROTATIONS for site in OPEN), deployment)
    deployment.kill_client(CLIENT_KILLED, job)
    deployment.kill_job(JOB_KILLED, job)
    assert any(part.startswith(copies[CLIENT_KILLED].read_bytes()) for part in tails(logs[CLIENT_KILLED]))
    deployment.start_client(CLIENT_KILLED)
    wait_for_end(JOB_KILLED)
    deployment.abort()

    for site in OPEN:
        wait_for_end(site)
        assert copies[site].read_bytes() in tails(logs[site])
        assert record(site).gaps == ()
        assert sorted(path.name for path in copies[site].parent.glob("log*")) == ["log.txt"]
    assert not (store / CLOSED).exists()
    assert "does not allow" in _text(deployment.kits / CLOSED)
    assert deployment.logstreamer("verify", store).returncode == 0
    check_a_good_end(deployment, tmp_path)


def check_a_good_end(deployment: Deployment, tmp_path: Path) -> None:
    """Of a job that declares its streamers and its receiver, which is asked before the one of the server's parent."""
    own, sites, names = tmp_path / "own", (JOB_KILLED, ABORTED), ("log.json", "log.txt")
    for site in sites:
        deployment.local(site, "log_config.json").unlink()
    apps = {site: [streamer(name) for name in names] for site in sites}
    job = deployment.submit(write_job(tmp_path / "job-2", 3, sites=sites, declared=apps, at_server=[receiver(own)]))
    copies = [f"{site}/{job}/{name}" for site in sites for name in names]

    def finished() -> list[str]:
        if not own.is_dir():
            return []
        with View(own) as view:
            return [stream.path for stream in view.streams() if stream.finished]

    wait_for("the ends of the copies", lambda: finished() == copies, deployment)
    marks = [deployment.kits / site / job / ".logstreamer-unfinished" for site in sites]
    wait_for("the marks to go", lambda: not any(list(mark.glob("log*")) for mark in marks), deployment)
    for site in sites:
        for name in names:
            left = deployment.kits / site / job / name
            assert (own / site / job / name).read_bytes() == left.read_bytes()
            assert b"Good Bye" in left.read_bytes()
            assert not (tmp_path / "store" / site / job / name).exists()
    assert deployment.logstreamer("verify", own).returncode == 0


def tails(log: Path) -> list[bytes]:
    """What a copy of *log* may be: what had been rotated away before the job started its run was never at the path
    while it was followed. What that start has written is part of it."""
    found = parts(log)
    [started] = [number for number, part in enumerate(found) if b"streaming %s\n" % os.fsencode(log) in part]
    return [b"".join(found[first:]) for first in range(started + 1)]


def _text(kit: Path) -> str:
    return "\n".join(path.read_text(errors="replace") for path in kit.glob("log*.txt*"))
