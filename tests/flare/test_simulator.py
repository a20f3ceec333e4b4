"""A simulator job by the recipe API: logs at the server while it runs, and equal to the files that it leaves."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import wait_until
from flare.poc import write_job
from logstreamer.cli.main import run
from logstreamer.store import View

EXAMPLE = Path(__file__).parents[2] / "examples" / "nvflare" / "job.py"
FILES = [f"site-{number}/simulate_job/{name}" for number in (1, 2) for name in ("log.json", "log.txt")]


@pytest.mark.slow
@pytest.mark.first
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


def test_a_second_run_into_one_directory_is_compared_with_its_own_copies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Those of the first run stay beside them; one that is missing or differs is told."""
    spec = importlib.util.spec_from_file_location("hello_live_logs", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    job = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(job)
    for site in ("site-1", "site-2"):
        source, copies = tmp_path / "workspace" / site, tmp_path / "logs" / site / "simulate_job"
        source.mkdir(parents=True)
        copies.mkdir(parents=True)
        for name in ("log.txt", "log.json"):
            (source / name).write_text("third")
            for copy, text in ((name, "first"), (f"{name}.2", "second"), (f"{name}.3", "third")):
                (copies / copy).write_text(text)

    assert job.compare(tmp_path / "workspace", tmp_path / "logs") == 0
    (tmp_path / "logs" / "site-2" / "simulate_job" / "log.json.3").write_text("other")
    assert job.compare(tmp_path / "workspace", tmp_path / "logs") == 1
    assert capsys.readouterr().out.count("DIFFERENT") == 1


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_job_without_code_of_its_own_in_a_workspace_that_was_enabled(tmp_path: Path):
    """Its components are checked against the list of classes; the example brings code, and those are not."""
    job = write_job(tmp_path / "job", rounds=1)
    for side, component in (
        ("client", {"id": "streamer", "path": "logstreamer.flare.JobLogStreamer", "args": {}}),
        (
            "server",
            {"id": "receiver", "path": "logstreamer.flare.JobLogReceiver", "args": {"store": f"{tmp_path}/logs"}},
        ),
    ):
        file = job / "app" / "config" / f"config_fed_{side}.json"
        config = json.loads(file.read_text())
        config["components"].append(component)
        file.write_text(json.dumps(config))
    workspace = tmp_path / "workspace"
    assert run(["flare", "enable", str(workspace), "--simulator"]) == 0

    simulator = [sys.executable, "-m", "nvflare.cli", "simulator", job, "-w", workspace, "-n", "1", "-t", "1"]
    ended = subprocess.run(simulator, env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, timeout=120)

    assert ended.returncode == 0, ended.stdout.decode()
    [copy] = (tmp_path / "logs").rglob("log.txt")
    assert copy.read_bytes() == (workspace / "site-1" / "log.txt").read_bytes()
