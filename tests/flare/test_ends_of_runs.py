"""How a log ends with its run: at a server that is done first, in a process that is gone before its last word."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nvflare.apis.signal import Signal

from conftest import wait_until
from contract.ends import live_log
from flare.net import FlareNet
from logstreamer import lane
from logstreamer.flare import JobLogReceiver, JobLogStreamer, job_log_receiver, job_log_streamer
from logstreamer.flare.hub import hub_of
from logstreamer.flare.job_end import JobEnd
from logstreamer.flare.job_log_streamer import LastLines
from logstreamer.flare.swapping import Swapping
from logstreamer.store import StreamRecord, View

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

WHERE = {"channel": "log_streaming", "topic": "live_log"}


def record(root: Path) -> StreamRecord | None:
    with View(root / "logs") as view:
        return next(iter(view.streams()), None)


def test_a_run_that_ends_first_waits_for_a_client_that_is_still_sending(
    near: FlareNet, receiver: JobLogReceiver, tmp_path: Path
):
    """NVFlare issue 5207: its own receiver is gone with the run, and with it the log."""
    copy = tmp_path / "logs" / "site-1" / "job-7" / "train.log"
    fl_ctx = near.engine("server").new_context()
    end_of_run = threading.Thread(target=receiver._on_end, args=("END_RUN", fl_ctx))

    with live_log(near, tmp_path / "train.log", **WHERE) as live:
        live.write(b"line 1\n")
        wait_until(lambda: copy.exists() and copy.read_bytes() == b"line 1\n")
        end_of_run.start()
        live.write(b"line 2\n")
        wait_until(lambda: copy.read_bytes() == b"line 1\nline 2\n")
        assert end_of_run.is_alive()
        live.write(b"last line\n")
        rc, _ = live.stop()
    end_of_run.join(30)

    assert rc == "OK"
    assert not end_of_run.is_alive()
    assert copy.read_bytes() == b"line 1\nline 2\nlast line\n"
    found = record(tmp_path)
    assert found is not None
    assert found.finished


def test_a_run_that_ends_waits_for_a_client_that_hangs(near: FlareNet, receiver: JobLogReceiver, tmp_path: Path):
    """Until its idle timeout: it is not over before that."""
    copy = tmp_path / "logs" / "site-1" / "job-7" / "train.log"
    fl_ctx = near.engine("server").new_context()
    end_of_run = threading.Thread(target=receiver._on_end, args=("END_RUN", fl_ctx))

    with live_log(near, tmp_path / "train.log", **WHERE) as live:
        live.write(b"line 1\n")
        wait_until(lambda: copy.exists() and copy.read_bytes() == b"line 1\n")
        [inbound] = hub_of(near.engine("server")).receiver.live()
        assert inbound.last_beat is not None
        inbound.last_beat -= 25.0
        end_of_run.start()
        end_of_run.join(0.3)
        assert end_of_run.is_alive()
        live.stop()
    end_of_run.join(30)

    assert not end_of_run.is_alive()


def clients(engine: Any, monkeypatch: pytest.MonkeyPatch, **configs: Any) -> None:
    """Those of the job, with what their sites allow."""
    named = [SimpleNamespace(name=name, get_site_config=lambda c=config: c) for name, config in configs.items()]
    monkeypatch.setattr(engine, "get_clients", lambda: named, raising=False)


def test_a_run_that_ends_waits_for_a_client_that_has_not_begun(
    near: FlareNet, receiver: JobLogReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A short job: the first try of its stream came before the receiver was there."""
    engine = near.engine("server")
    clients(engine, monkeypatch, **{"site-1": {}, "site-2": {"allow_log_streaming": False}})
    end_of_run = threading.Thread(target=receiver._on_end, args=("END_RUN", engine.new_context()))
    end_of_run.start()
    end_of_run.join(0.3)
    assert end_of_run.is_alive()

    with live_log(near, tmp_path / "train.log", **WHERE) as live:
        live.write(b"line 1\n")
        rc, _ = live.stop()
    end_of_run.join(30)

    assert rc == "OK"
    assert not end_of_run.is_alive()
    assert (tmp_path / "logs" / "site-1" / "job-7" / "train.log").read_bytes() == b"line 1\n"


def test_a_client_that_never_begins_holds_a_run_for_a_while(
    near: FlareNet, receiver: JobLogReceiver, monkeypatch: pytest.MonkeyPatch
):
    """It may have no streamer at all; an aborted run, whose receiver NVFlare has closed, is not held."""
    engine, said = near.engine("server"), []
    clients(engine, monkeypatch, **{"site-1": {}, "site-2": {}})
    monkeypatch.setattr(receiver, "log_warning", lambda fl_ctx, text: said.append(text))
    monkeypatch.setattr(job_log_receiver, "OPEN_SECONDS", 0.01)
    aborted = Signal()
    aborted.trigger(True)

    receiver._on_end("END_RUN", engine.new_context(abort_signal=aborted))
    assert said == []
    receiver._on_start("START_RUN", engine.new_context())
    receiver._on_end("END_RUN", engine.new_context())
    receiver._on_end("END_RUN", engine.new_context())  # of another receiver of the same process

    assert said == ["the run ends, but no live log has come from site-1, site-2"]


def test_a_process_that_is_gone_before_its_last_word_has_a_finished_log(
    near: FlareNet, receiver: JobLogReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It said that it was ending, and every line of it had arrived."""
    site, end = near.engine("site-1"), JobEnd(patience=0.3)
    log = tmp_path / "train.log"

    with live_log(near, log, stop_event=end, chunk_timeout=1.0, **WHERE) as live:
        live.write(b"line 1\n")
        assert end.wait_delivered(30)
        end.begin()
        live.write(b"END_RUN fired\n")
        assert end.wait_delivered(30)
        stopped: Any = SimpleNamespace(core_cell=SimpleNamespace(running=False))
        monkeypatch.setattr(site, "get_cell", lambda: stopped)
        wait_until(lambda: (found := record(tmp_path)) is not None and found.finished)
        assert not end.wait_delivered(0.0)  # and nobody waits for what will never arrive
        monkeypatch.undo()  # it was not gone after all: it hears that its log is finished
        end.set()
        rc, _ = live.stop()

    assert rc == "OK"
    assert (tmp_path / "logs" / "site-1" / "job-7" / "train.log").read_bytes() == log.read_bytes()


@pytest.fixture
def streamer(near: FlareNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobLogStreamer]:
    """Of site-1, in its run; the end of one that waits for all that may come would outlast the test."""
    monkeypatch.setattr(job_log_streamer, "JOIN_SECONDS", 1000.0)
    monkeypatch.setattr(LastLines, "install", lambda last: None)
    monkeypatch.setattr(job_log_streamer, "swapping", Swapping())
    monkeypatch.setattr(job_log_streamer, "_log_directory", lambda: str(tmp_path))
    (tmp_path / "train.log").write_bytes(b"line 1\n")
    widget = JobLogStreamer("train.log", poll_interval=0.02)
    widget._on_start("START_RUN", near.engine("site-1").new_context())
    (tmp_path / "train.log").rename(tmp_path / "train.log.1")
    (tmp_path / "train.log").write_bytes(b"line 2\n")
    end, thread = widget._end, widget._thread
    assert end is not None
    assert thread is not None
    yield widget
    monkeypatch.setattr(lane, "GIVE_UP_SECONDS", 0.5)
    end.set()
    thread.join(30)


def test_what_is_rotated_away_once_a_run_has_started_is_sent(
    near: FlareNet, streamer: JobLogStreamer, receiver: JobLogReceiver, tmp_path: Path
):
    """The file is held before the components that follow hear of the start."""
    copy = tmp_path / "logs" / "site-1" / "job-7" / "train.log"

    wait_until(lambda: copy.exists() and copy.read_bytes() == b"line 1\nline 2\n")

    assert streamer._end is not None
    streamer._end.set()
    wait_until(lambda: (found := record(tmp_path)) is not None and found.finished)


def test_the_end_of_a_run_is_not_held_where_nobody_receives(
    near: FlareNet, streamer: JobLogStreamer, monkeypatch: pytest.MonkeyPatch
):
    """NVFlare's own does not hold it at all; ours asks a few times more."""
    said: list[str] = []
    monkeypatch.setattr(streamer, "log_warning", lambda fl_ctx, text: said.append(text))
    monkeypatch.setattr(job_log_streamer, "UNANSWERED_SECONDS", 0.5)
    near.engine("server")

    streamer._on_end("END_RUN", near.engine("site-1").new_context())

    assert said == ["nothing of train.log was delivered: no receiver has answered"]


def test_the_end_of_a_run_waits_for_a_receiver_that_is_late(near: FlareNet, streamer: JobLogStreamer, tmp_path: Path):
    """It answers only while the end of the run waits, which hears of it soon."""
    near.engine("server")
    end, stream = streamer._end, streamer._thread
    assert end is not None
    assert stream is not None
    end_of_run = threading.Thread(target=streamer._on_end, args=("END_RUN", near.engine("site-1").new_context()))
    end_of_run.start()
    wait_until(lambda: streamer._end is None)
    receiver = JobLogReceiver(store=str(tmp_path / "logs"))
    receiver._on_start("START_RUN", near.engine("server").new_context())
    end_of_run.join(30)

    assert not end_of_run.is_alive()
    assert (tmp_path / "logs" / "site-1" / "job-7" / "train.log").read_bytes() == b"line 1\nline 2\n"
    end.set()
    stream.join(30)
    assert receiver._stored is not None
    receiver._stored.store.close()


def test_a_process_that_is_swapped_out_leaves_its_log_to_the_next_one(
    near: FlareNet,
    receiver: JobLogReceiver,
    streamer: JobLogStreamer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
):
    """In a simulator with fewer threads than clients; nothing to warn of."""
    log = tmp_path / "train.log"
    copy = tmp_path / "logs" / "site-1" / "job-7" / "train.log"
    wait_until(copy.exists)
    with log.open("ab") as file:
        file.write(b"line 3\n")
    streamer._on_swap_out("SWAP_OUT", near.engine("site-1").new_context())
    assert copy.read_bytes() == b"line 1\nline 2\nline 3\n"
    wait_until(lambda: (left := record(tmp_path)) is not None and left.state == "stopped")

    with log.open("ab") as file:
        file.write(b"line 4\n")
    following = JobLogStreamer("train.log", poll_interval=0.02)
    following._on_start("START_RUN", near.engine("site-1").new_context())
    wait_until(lambda: copy.read_bytes() == b"line 1\nline 2\nline 3\nline 4\n")
    assert following._end is not None
    following._end.set()
    wait_until(lambda: (found := record(tmp_path)) is not None and found.finished)

    assert [path.name for path in copy.parent.glob("train*")] == ["train.log"]
    assert "ended with STOPPED" not in caplog.text


def test_a_run_that_was_aborted_before_has_what_it_has(near: FlareNet, tmp_path: Path):
    """NVFlare takes nothing for it any more, nor says how much of the log is there: no number is made up."""
    aborted = Signal()
    aborted.trigger(True)
    near.engine("server", aborted)

    with live_log(near, tmp_path / "train.log", **WHERE) as live:
        live.write(b"line 1\n")
        _, result = live.stop()

    reason = result["server"].get_header("reason")
    assert reason == "the run of server was aborted; what it does not have is not delivered"
