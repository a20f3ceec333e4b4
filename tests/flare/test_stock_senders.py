"""NVFlare's own sender to a receiver that stores: what is acknowledged is stored, what is not stored is refused."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from nvflare.app_common.streamers.log_streamer import LogStreamer as StockStreamer

from conftest import wait_until
from contract.ends import numbered
from flare.net import FlareNet
from logstreamer.apis.streaming import PayloadKey
from logstreamer.errors import StoreError
from logstreamer.flare import JobLogReceiver, consumers
from logstreamer.flare.job_sink import JobSink

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


class Named(dict[str, Any]):
    """A stream context that keeps what is in it: the sender would put its file's name there."""

    def __setitem__(self, key: str, value: Any) -> None:
        self.setdefault(key, value)


class Sending:
    """NVFlare's own sender, with a file that has its last line."""

    def __init__(self, near: FlareNet, log: Path, chunk_size: int = 900, context: Any = None) -> None:
        self.outcome: tuple[str, Any] | None = None
        self._engine = near.engine("site-1")
        self._log = log
        self._chunk_size = chunk_size
        self._context = Named(context or {})
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        stop = threading.Event()
        stop.set()
        self.outcome = StockStreamer.stream_log(
            "log_streaming",
            "live_log",
            self._context,
            ["server"],
            str(self._log),
            self._engine.new_context(),
            stop_event=stop,
            poll_interval=0.02,
            chunk_size=self._chunk_size,
            chunk_timeout=30.0,
        )

    def result(self) -> tuple[str, Any]:
        self._thread.join(60)
        assert self.outcome is not None
        return self.outcome


def copy(tmp_path: Path, name: str = "train.log") -> Path:
    return tmp_path / "logs" / "site-1" / "job-7" / name


@pytest.mark.usefixtures("receiver")
def test_a_name_that_is_refused_is_no_success(near: FlareNet, tmp_path: Path):
    """Windows has no such file; the sender hears so with its first chunk."""
    log = tmp_path / "aux.log"
    log.write_bytes(numbered(300))

    rc, _ = Sending(near, log).result()

    assert rc != "OK"
    assert not copy(tmp_path, "aux.log").exists()


@pytest.mark.usefixtures("receiver")
@pytest.mark.parametrize("name", ["x\n2026-11-24 ERROR forged\x1b[31m", "x" * 300 + "\n\x1b[31m"])
def test_a_name_cannot_write_lines_of_its_own_into_the_log(
    near: FlareNet, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
):
    """Taken or refused: nothing a terminal would act on."""
    caplog.set_level(logging.INFO, logger="logstreamer")
    context = {PayloadKey.FILE_NAME: name}
    log = tmp_path / "train.log"
    log.write_bytes(numbered(3))

    Sending(near, log, context=context).result()
    wait_until(lambda: "ended with" in caplog.text or "cannot begin" in caplog.text or "is at" in caplog.text)

    said = [record.getMessage() for record in caplog.records if record.name.startswith("logstreamer")]
    assert any(r"\x1b[31m" in text for text in said)
    assert [text for text in said if not text.isprintable()] == []


def test_a_site_that_forbids_it_is_no_success(
    near: FlareNet, tmp_path: Path, receiver: JobLogReceiver, monkeypatch: pytest.MonkeyPatch
):
    """The kill switch of a site whose job streams all the same."""
    monkeypatch.setattr(receiver, "_refusal", lambda *_: "site-1 does not allow log streaming")
    log = tmp_path / "train.log"
    log.write_bytes(numbered(300))

    rc, _ = Sending(near, log).result()

    assert rc != "OK"
    assert not copy(tmp_path).exists()


@pytest.mark.usefixtures("receiver")
def test_a_disk_that_is_full_is_no_success(near: FlareNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The sender is told while it sends; what the disk takes later is stored all the same."""
    full = threading.Event()
    full.set()
    write = JobSink.data

    def data(sink: JobSink, frame: Any) -> Any:
        if frame.offset and full.is_set():
            raise StoreError("no space left")
        return write(sink, frame)

    monkeypatch.setattr(JobSink, "data", data)
    monkeypatch.setattr(consumers, "CHUNK_WITHIN", 1.0)
    log = tmp_path / "train.log"
    log.write_bytes(numbered(300))

    rc, _ = Sending(near, log).result()

    assert rc != "OK"
    assert copy(tmp_path).read_bytes() == log.read_bytes()[:900]
    full.clear()
    wait_until(lambda: copy(tmp_path).read_bytes() == log.read_bytes()[:1800])


@pytest.mark.usefixtures("receiver")
def test_the_end_waits_for_what_was_acknowledged(near: FlareNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A disk slower than such a sender's patience: it has long gone when the last of it is written."""
    slow = threading.Event()
    write = JobSink.data

    def data(sink: JobSink, frame: Any) -> Any:
        assert slow.wait(60)
        return write(sink, frame)

    monkeypatch.setattr(JobSink, "data", data)
    monkeypatch.setattr(consumers, "CHUNK_WITHIN", 0.5)
    log = tmp_path / "train.log"
    log.write_bytes(numbered(300))

    rc, _ = Sending(near, log, chunk_size=1500).result()
    slow.set()

    assert rc == "OK"
    wait_until(lambda: copy(tmp_path).read_bytes() == log.read_bytes())


@pytest.mark.usefixtures("receiver")
def test_a_refusal_is_no_failure_of_the_receiver(
    near: FlareNet, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """A site that may send nothing could fill the server's log with tracebacks."""
    monkeypatch.setattr(JobLogReceiver, "_refusal", lambda *_: "not this one")
    log = tmp_path / "train.log"
    log.write_bytes(numbered(3))

    rc, _ = Sending(near, log).result()

    assert rc != "OK"
    assert not copy(tmp_path).exists()
    assert not [record for record in caplog.records if record.exc_info and record.name.startswith("logstreamer")]
