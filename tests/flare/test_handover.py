"""What becomes of a finished log at the server, and of one that never was at the client."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nvflare.apis.fl_constant import ReservedKey
from nvflare.apis.fl_context import FLContext
from nvflare.apis.impl.job_def_manager import SimpleJobDefManager
from nvflare.apis.server_engine_spec import ServerEngineSpec
from nvflare.app_common.storages.filesystem_storage import FilesystemStorage

from logstreamer.flare import JobLogReceiver, JobLogStreamer, job_log_streamer
from logstreamer.protocol.frames import VERSION, Eof, Open, StreamKey

JOB = "job-7"
JOB_UUID = "7a1c3c1e-5c0e-4f43-9d5f-0d7c0f5b8a11"


class Manager:
    """NVFlare's job manager: it takes the file away.

    Args:
        lists: whether it can say what it has.
    """

    def __init__(self, *, lists: bool = True) -> None:
        self.kept: dict[str, bytes] = {}
        self._lists = lists

    def set_client_data(self, jid: str, data: str, client_name: str, data_type: str, fl_ctx: Any) -> None:
        self.kept[f"{data_type}_{client_name}"] = Path(data).read_bytes()
        os.remove(data)

    def list_components(self, jid: str, fl_ctx: Any) -> list[str]:
        if not self._lists:
            raise NotImplementedError
        return ["meta", *self.kept]


class Server:
    """A receiver and its engine."""

    def __init__(self, root: Path, manager: Manager | None, job: str = JOB, **args: Any) -> None:
        self.job = job
        self.receiver = JobLogReceiver(**args)
        self.stored = self.receiver._open(SimpleNamespace(get_job_id=lambda: job, get_prop=lambda name: None))
        workspace = SimpleNamespace(get_run_dir=lambda job: str(root / "run" / job))
        self.engine: Any = SimpleNamespace(
            new_context=lambda: nullcontext(SimpleNamespace()),
            get_component=lambda name: manager,
            get_workspace=lambda: workspace,
        )

    def end(self, body: bytes, *, source: str, name: str = "log.txt", rc: str = "OK") -> Path:
        """A stream comes and ends; where its copy lay."""
        file = self.stored.store.open(self.job, "site-1", name, key=source)
        file.begin_run("run")
        if body:
            file.start_segment(0, "s", 0, "start", 0, "")
            file.append(0, body)
        if rc == "OK":
            file.finish()
        path = file.path
        file.end_run(rc, "")
        file.close()
        key = StreamKey("log_streaming", "live_log", self.job, name, source)
        self.receiver._ended(self.engine, self.stored, "site-1", key, path, rc, "")
        return Path(self.stored.store.root) / path


@pytest.mark.parametrize("lists", [True, False], ids=["storage lists", "storage does not"])
def test_no_log_takes_the_place_of_another(tmp_path: Path, lists: bool):
    """Two sources of one name are two logs, whatever their order; no number but for a reason."""
    manager = Manager(lists=lists)
    server = Server(tmp_path, manager, dest_dir=str(tmp_path / "dest"))

    server.end(b"the real log\n", source="/a/log.txt")
    server.end(b"", source="/a/sub/log.txt")
    server.end(b"another\n", source="/b/log.txt")
    server.end(b"bad\n", source="/a/error_log.txt", name="error_log.txt")

    assert manager.kept == {
        "LOG_log.txt_site-1": b"the real log\n",
        "LOG_log.txt.2_site-1": b"",
        "LOG_log.txt.3_site-1": b"another\n",
        "ERRORLOG_site-1": b"bad\n",
    }


def test_the_same_log_with_more_in_it_takes_its_own_place(tmp_path: Path):
    """The site sent the rest; what begins otherwise was truncated between, and is a log of its own."""
    manager = Manager()
    server = Server(tmp_path, manager, dest_dir=str(tmp_path / "dest"))

    for body in (b"one\n", b"one\ntwo\n", b"three\n", b"one\n"):
        server.end(body, source="/a/log.txt")

    assert list(manager.kept.values()) == [b"one\ntwo\n", b"three\n", b"one\n"]


def test_what_a_storage_has_already_stays(tmp_path: Path):
    """Of a server before this one, or of NVFlare's own."""
    manager = Manager()
    manager.kept["LOG_log.txt_site-1"] = b"earlier\n"

    Server(tmp_path, manager, dest_dir=str(tmp_path / "dest")).end(b"one\n", source="/a/log.txt")

    assert manager.kept == {"LOG_log.txt_site-1": b"earlier\n", "LOG_log.txt.2_site-1": b"one\n"}


def test_a_copy_lies_by_job_and_client_and_is_handed_over(tmp_path: Path):
    """At {dest_dir}/{job_id}/{client}/{file} until then; a stream that ended badly stays there."""
    server = Server(tmp_path, Manager(), dest_dir=str(tmp_path / "dest"))
    home = tmp_path / "dest" / JOB / "site-1"

    assert server.end(b"part", source="/a", rc="ERROR") == home / "log.txt"
    assert (home / "log.txt").read_bytes() == b"part"
    assert server.end(b"whole", source="/b") == home / "log.txt.2"
    assert not (home / "log.txt.2").exists()


def test_a_store_keeps_its_copy(tmp_path: Path):
    """The job manager gets another."""
    manager = Manager()

    left = Server(tmp_path, manager, store=str(tmp_path / "store")).end(b"whole", source="/b")

    assert left.read_bytes() == manager.kept["LOG_log.txt_site-1"] == b"whole"


def test_a_handover_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The copy for the job manager is removed; the store's own stays, as does one that only waits for it."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    manager = Manager()

    def full(*_: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(manager, "set_client_data", full)
    stored = Server(tmp_path, manager, store=str(tmp_path / "store"))
    staged = Server(tmp_path, manager, dest_dir=str(tmp_path / "dest"))
    for server in (stored, staged):
        with pytest.raises(OSError, match="space"):
            server.end(b"whole", source="/b")

    assert list((tmp_path / "tmp").iterdir()) == []
    logs = [*(tmp_path / "store").rglob("log.txt"), *(tmp_path / "dest").rglob("log.txt")]
    assert [log.read_bytes() for log in logs] == [b"whole", b"whole"]


def test_nvflares_own_job_manager_keeps_every_log(tmp_path: Path):
    """In the job storage of a real server, under the names it asks for when somebody downloads them."""
    storage = FilesystemStorage(root_dir=str(tmp_path / "jobs"), uri_root="/")
    manager = SimpleJobDefManager(uri_root=str(tmp_path / "jobs"), job_store_id="store")
    storage.create_object(manager.job_uri(JOB_UUID), b"job", {})

    class Engine(ServerEngineSpec):
        def get_component(self, component_id: str) -> Any:
            return storage if component_id == "store" else manager

        @contextmanager
        def new_context(self) -> Iterator[FLContext]:
            yield fl_ctx

    Engine.__abstractmethods__ = frozenset()  # nobody asks it for more
    fl_ctx = FLContext()
    fl_ctx.set_prop(ReservedKey.ENGINE, Engine(), private=True, sticky=False)
    server = Server(tmp_path, None, dest_dir=str(tmp_path / "dest"), job=JOB_UUID)
    server.engine = fl_ctx.get_engine()

    server.end(b"one\n", source="/a")
    server.end(b"one\ntwo\n", source="/a")
    server.end(b"other\n", source="/b")

    def kept(kind: str) -> bytes | None:
        return manager.get_client_data(JOB_UUID, "site-1", kind, fl_ctx)

    assert [kept("LOG_log.txt"), kept("LOG_log.txt.2"), kept("LOG_log.txt.3")] == [b"one\ntwo\n", b"other\n", None]


def test_without_a_job_manager_it_moves_to_the_run_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """The log says where it really is."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    caplog.set_level(logging.INFO)
    server = Server(tmp_path, None)
    home = tmp_path / "run" / JOB / "site-1"

    assert not server.end(b"one", source="/a").exists()
    server.end(b"two", source="/b")

    assert [(home / name).read_bytes() for name in ("log.txt", "log.txt.2")] == [b"one", b"two"]
    assert f"saved at {home}/log.txt.2" in caplog.text


def test_without_a_job_manager_a_copy_of_what_a_store_keeps_is_in_the_run_directory(tmp_path: Path):
    """NVFlare puts that directory into its job storage when the job's process is gone."""
    server = Server(tmp_path, None, store=str(tmp_path / "logs"))

    stored = server.end(b"one", source="/a")

    assert stored.read_bytes() == (tmp_path / "run" / JOB / "site-1" / "log.txt").read_bytes() == b"one"


@pytest.mark.parametrize("manager", [None, Manager()], ids=["run directory", "job manager"])
def test_a_job_whose_logs_were_taken_leaves_no_directories(
    tmp_path: Path, manager: Manager | None, monkeypatch: pytest.MonkeyPatch
):
    """A log that is not over keeps its own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    server = Server(tmp_path, manager)
    left = server.end(b"half", source="/a", name="deep/error_log.txt", rc="ERROR")

    server.end(b"one", source="/a", name="deep/log.txt")
    assert {path.name for path in left.parent.iterdir() if "error_log" not in path.name} == set()
    assert left.read_bytes() == b"half"
    server.end(b"", source="/a", name="deep/error_log.txt")

    assert [path.name for path in Path(server.stored.store.root).iterdir()] == [".logstreamer"]


def test_a_finished_log_that_is_opened_once_more_is_not_given_away_again(tmp_path: Path):
    """Its sender has not heard that it is finished."""
    manager = Manager()
    server = Server(tmp_path, manager, store=str(tmp_path / "logs"))
    frame = Open(VERSION, StreamKey("log_streaming", "live_log", JOB, "log.txt", "/a"), "run")

    for _ in range(2):
        sink = server.receiver._sink(server.engine, server.stored, "site-1", frame)
        sink.begin(frame)
        sink.eof(Eof(0, b"", 0), 0)
        sink.end("OK", "")

    assert manager.kept == {"LOG_log.txt_site-1": b""}


class Run:
    """A job's process that logs to a directory; `sent` is what was given to the sender."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[str] = []
        self.begun = threading.Event()
        monkeypatch.setattr(job_log_streamer, "_log_directory", lambda: str(directory))
        monkeypatch.setattr(job_log_streamer, "LogStreamer", SimpleNamespace(stream_log=self._send))
        context = SimpleNamespace(put=lambda **_: None, get_identity_name=lambda: "site-1", get_job_id=lambda: JOB)
        self.fl_ctx: Any = SimpleNamespace(
            get_engine=lambda: SimpleNamespace(new_context=lambda: context),
            get_prop=lambda *args, **kwargs: None,
            set_prop=lambda *args, **kwargs: None,
            get_identity_name=lambda default="": "",
        )

    def _send(self, *, file_name: str, **_: Any) -> None:
        self.sent.append(Path(file_name).name)
        self.begun.set()


def test_a_file_that_never_was_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """An empty copy would say that it was there; the end of the run does not wait for it."""
    caplog.set_level(logging.INFO)
    run = Run(tmp_path, monkeypatch)
    streamer = JobLogStreamer("sub/log.txt", poll_interval=0.01)
    monkeypatch.setattr(streamer, "log_info", lambda *_: None)

    streamer._on_start("START_RUN", run.fl_ctx)
    thread = streamer._thread
    assert thread is not None
    streamer._on_end("END_RUN", run.fl_ctx)
    thread.join(20)

    assert not thread.is_alive()
    assert run.sent == []
    assert "was not created during this job" in caplog.text


def test_the_end_of_a_run_is_bounded_for_all_files_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The server is away: the second file is not given the whole time again."""
    moment = [1000.0]
    waits: list[float] = []
    monkeypatch.setattr(job_log_streamer.time, "monotonic", lambda: moment[0])

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        moment[0] += seconds
        return False

    def join(seconds: float) -> None:
        waits.append(seconds)
        moment[0] += seconds

    fl_ctx = FLContext()
    for name in ("log.txt", "log.json", "error_log.txt"):
        streamer = JobLogStreamer(name)
        monkeypatch.setattr(streamer, "log_warning", lambda *_: None)
        streamer._appeared.set()
        streamer._end = SimpleNamespace(wait_taken=lambda seconds: True, wait_delivered=wait, set=lambda: None)
        streamer._thread = SimpleNamespace(is_alive=lambda: True, join=join)
        streamer._on_end("END_RUN", fl_ctx)

    assert waits == [55.0, 5.0, 0.0, 0.0, 0.0, 0.0]


def test_a_file_that_comes_later_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """And then sent."""
    run = Run(tmp_path, monkeypatch)
    streamer = JobLogStreamer("later.txt", poll_interval=0.01)
    monkeypatch.setattr(streamer, "log_info", lambda *_: None)

    streamer._on_start("START_RUN", run.fl_ctx)
    assert run.sent == []
    (tmp_path / "later.txt").touch()

    assert run.begun.wait(20)
    assert run.sent == ["later.txt"]
