"""Where receivers keep their copies: shared by those of one process, private to one user."""

from __future__ import annotations

import gc
import re
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nvflare.apis.fl_constant import FLContextKey

from contract.ends import live_log
from flare.net import FlareNet
from logstreamer.errors import StoreError
from logstreamer.flare import JobLogReceiver
from logstreamer.flare.opened import new_mark, private_directory
from logstreamer.protocol.frames import VERSION, Open, StreamKey
from logstreamer.store import View
from logstreamer.store.catalogue import Store

KEY = StreamKey("log_streaming", "live_log", "simulate_job", "log.txt", "/workspace/site-1/log.txt")


def run_of(job: str) -> Any:
    """The context of a run of *job*."""
    workspace = {FLContextKey.WORKSPACE_OBJECT: SimpleNamespace(get_root_dir=lambda: "/workspace")}
    return SimpleNamespace(get_job_id=lambda: job, get_prop=workspace.get)


JOB = run_of("job-7")


def test_two_receivers_of_one_place_share_a_store(tmp_path: Path):
    """Declared by the job and by the server, by two names of one directory; it is free when both are gone."""
    (tmp_path / "dest").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "dest")
    one, other = JobLogReceiver(dest_dir=str(tmp_path / "dest")), JobLogReceiver(store=str(tmp_path / "link"))

    assert one._open(JOB) is other._open(JOB)
    assert one._open(JOB) is one._open(JOB)

    del one
    gc.collect()
    with pytest.raises(StoreError, match="in use"):
        Store(tmp_path / "dest", part="nvflare-job-7")
    del other
    gc.collect()
    Store(tmp_path / "dest", part="nvflare-job-7").close()


def test_the_sites_hear_that_a_place_is_in_use(near: FlareNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """At once and for good, so that no end of a run waits; at the server it is one line, and the job goes on."""
    receiver, fl_ctx = JobLogReceiver(dest_dir=str(tmp_path / "dest")), near.engine("server").new_context()
    said: list[str] = []
    monkeypatch.setattr(receiver, "log_error", lambda fl_ctx, text: said.append(text))

    with Store(tmp_path / "dest", part="nvflare-job-7"):
        receiver._on_start("START_RUN", fl_ctx)
        with live_log(near, tmp_path / "train.log", channel="log_streaming", topic="live_log") as live:
            live.write(b"line 1\n")
            rc, result = live.result()

    assert rc == "ERROR"
    [line] = said
    assert "live logs are not received" in line
    assert result["server"].get_header("reason") == line


def test_the_lock_of_a_job_is_gone_with_its_run(near: FlareNet, tmp_path: Path):
    """Or there would be one for each job of the past."""
    receiver, fl_ctx = JobLogReceiver(store=str(tmp_path)), near.engine("server").new_context()
    receiver._on_start("START_RUN", fl_ctx)
    locks = tmp_path / ".logstreamer"
    assert [path.name for path in locks.iterdir()] == ["lock.nvflare-job-7"]

    receiver._on_end("END_RUN", fl_ctx)

    assert list(locks.iterdir()) == []
    receiver._open(fl_ctx).store.close()


def test_a_receiver_without_a_place_leaves_the_logs_to_another_one(
    near: FlareNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """In whatever order they start."""
    fl_ctx = near.engine("server").new_context()
    (tmp_path / "file").touch()
    bad, good = JobLogReceiver(dest_dir=str(tmp_path / "file")), JobLogReceiver(store=str(tmp_path / "logs"))
    monkeypatch.setattr(bad, "log_error", lambda fl_ctx, text: None)

    for receiver in (bad, good, bad):
        receiver._on_start("START_RUN", fl_ctx)

    with live_log(near, tmp_path / "train.log", channel="log_streaming", topic="live_log") as live:
        live.write(b"line 1\n")
        rc, _ = live.stop()
    assert rc == "OK"
    assert (tmp_path / "logs" / "site-1" / "job-7" / "train.log").read_bytes() == b"line 1\n"
    good._open(fl_ctx).store.close()


def test_the_default_place_is_for_this_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Made so, and made so again."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    path = Path(private_directory())
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    path.chmod(0o755)
    assert Path(private_directory()) == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


@pytest.mark.parametrize("what", ["link", "file", "other user"])
def test_a_default_place_of_somebody_elses_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str):
    """The directory for temporary files belongs to everybody."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = Path(private_directory())
    if what == "other user":
        uid = path.stat().st_uid + 1
        path.rename(tmp_path / f"logstreamer-{uid}")
        monkeypatch.setattr("os.getuid", lambda: uid)
    else:
        path.rmdir()
        if what == "file":
            path.touch()
        else:
            (tmp_path / "elsewhere").mkdir()
            path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StoreError, match="dest_dir"):
        JobLogReceiver()._open(JOB)


def test_two_simulators_at_once_do_not_share_the_default_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Both call their job simulate_job; nor does one find what another left that was killed."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kept = []
    for _ in range(2):
        receiver = JobLogReceiver()
        sink = receiver._sink(None, receiver._open(run_of("simulate_job")), "site-1", Open(VERSION, KEY, "run"))
        sink.begin(Open(VERSION, KEY, "run"))
        kept.append(receiver)

    with View(private_directory()) as view:
        records = view.streams()
    assert [record.state for record in records] == ["live", "live"]
    assert len({record.site for record in records}) == 2
    assert all(re.fullmatch("simulate_job-[0-9a-f]{8}/site-1/log.txt", record.path) for record in records)


def test_a_server_that_is_started_again_finds_its_part_of_the_default_place():
    """And another server of this user has a part of its own."""
    marks = [new_mark("", f"/workspace/{name}") for name in "aab"]

    assert marks[0] == marks[1] != marks[2]
