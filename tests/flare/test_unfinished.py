"""What a site finishes when a job's process has ended: which logs, where, and never what lies elsewhere."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nvflare.apis.fl_constant import FLContextKey, ProcessType, ReservedKey
from nvflare.apis.fl_context import FLContext

from conftest import wait_until
from logstreamer import LogStreamer
from logstreamer.flare import JobLogStreamer, SiteLogStreamer
from logstreamer.flare.job_end import JobEnd
from logstreamer.flare.unfinished import DIRECTORY, MOST_LOGS, Unfinished, log_within

pytestmark = pytest.mark.timeout(60)

JOB = "job-7"


class Client:
    """A client's parent process with the directory of one job, and what was sent from there."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for directory in ("startup", "local", f"{JOB}/app_site-1/config"):
            (root / directory).mkdir(parents=True)
        self.root = root
        self.job = root / JOB
        self.marks = self.job / DIRECTORY
        self.sent: list[tuple[str, str, str]] = []
        self.fails_at: set[str] = set()
        self.widgets = [SiteLogStreamer()]
        monkeypatch.setattr(LogStreamer, "stream_log", self._stream_log)

    def _stream_log(self, **call: Any) -> tuple[str, bool]:
        context = call["fl_ctx"]
        assert (context.get_job_id(), context.get_identity_name()) == (JOB, "site-1")
        assert call["stop_event"].is_set()
        [target] = call["targets"]
        self.sent.append((os.path.relpath(call["file_name"], self.job), target, context.get_process_type()))
        return "OK", target not in self.fails_at

    def context(self) -> FLContext:
        fl_ctx = FLContext()
        fl_ctx.put(ReservedKey.IDENTITY_NAME, "site-1", private=False, sticky=False)
        fl_ctx.put(ReservedKey.PROCESS_TYPE, ProcessType.CLIENT_PARENT, private=True, sticky=False)
        engine = SimpleNamespace(new_context=self.context, fire_event=lambda event, fl_ctx: None)
        fl_ctx.put(ReservedKey.ENGINE, engine, private=True, sticky=False)
        fl_ctx.put(FLContextKey.WORKSPACE_ROOT, str(self.root), private=True, sticky=False)
        fl_ctx.put(FLContextKey.JOB_META, {"job_id": JOB}, private=True, sticky=False)
        fl_ctx.put(FLContextKey.CURRENT_JOB_ID, JOB, private=True, sticky=False)
        return fl_ctx

    def launch(self, *components: Any, allowed: bool = True) -> None:
        (self.root / "local" / "resources.json").write_text(json.dumps({"allow_log_streaming": allowed}))
        config = self.job / "app_site-1" / "config" / "config_fed_client.json"
        config.write_text(json.dumps({"components": components}))
        for widget in self.widgets:
            widget._on_launch("BEFORE_JOB_LAUNCH", self.context())

    def complete(self, event: str = "JOB_COMPLETED") -> None:
        """To the end of what it begins."""
        for widget in self.widgets:
            getattr(widget, "_on_completed" if event == "JOB_COMPLETED" else "_on_system_start")(event, self.context())
        wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name == f"logstreamer-{JOB}"])


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    return Client(tmp_path, monkeypatch)


DECLARED = {"id": "mine", "path": "logstreamer.flare.JobLogStreamer"}


def declared(name: str = "log.txt") -> JobLogStreamer:
    """A streamer that a job declares, when its run has begun."""
    return JobLogStreamer(log_file_name=name)


def test_a_streamer_of_the_site_is_finished_at_the_servers_parent(client: Client):
    """Also if the job's process never came to its run; once, whichever widget hears first."""
    client.widgets.append(SiteLogStreamer("error_log.txt"))
    client.launch()
    (client.job / "log.txt").write_text("x\n")
    client.complete()
    client.complete()

    assert client.sent == [("log.txt", "server_parent", ProcessType.CLIENT_PARENT)]
    assert list(client.marks.iterdir()) == []


@pytest.mark.parametrize(
    ("address", "process"), [("server", ProcessType.CLIENT_JOB), ("server_parent", ProcessType.CLIENT_PARENT)]
)
@pytest.mark.parametrize("name", ["log.txt", "sub/log x%2f.txt"])
def test_a_log_that_a_job_declares_is_finished_where_it_was_taken(
    client: Client, name: str, address: str, process: str
):
    """As the job's process, where that process at the server took it: NVFlare sends it there."""
    client.launch(DECLARED)
    (client.job / "sub").mkdir()
    (client.job / name).write_text("x\n")
    streamer = declared(name)
    streamer._unfinished = streamer._hold(str(client.job))
    streamer._taken(address, True)
    client.complete()

    assert client.sent == [(name, address, process)]
    assert list(client.marks.iterdir()) == []


def test_a_log_that_nobody_has_taken_is_offered_to_both(client: Client):
    """First to the job's process."""
    client.launch(DECLARED)
    (client.job / "log.txt").write_text("x\n")
    assert declared()._hold(str(client.job)) is not None
    client.fails_at = {"server", "server_parent"}
    client.complete()
    assert [target for _, target, _ in client.sent] == ["server", "server_parent"]

    client.fails_at = {"server"}
    client.sent.clear()
    client.complete()
    client.complete()
    assert [target for _, target, _ in client.sent] == ["server", "server_parent"]


@pytest.mark.parametrize(("address", "tries"), [("server", 1), ("server_parent", 2)])
def test_what_could_not_be_sent_is_sent_after_a_restart(client: Client, address: str, tries: int):
    """Unless it was for the job's process at the server, which is gone."""
    client.launch(DECLARED)
    (client.job / "log.txt").write_text("x\n")
    with Unfinished(str(client.job)) as unfinished:
        unfinished.add("log.txt", address)
    client.fails_at = {address}
    client.complete()
    client.complete("SYSTEM_START")

    assert [target for _, target, _ in client.sent] == [address] * tries


def test_nvflares_own_receiver_of_a_job_gets_no_second_log(client: Client):
    """It cannot continue the first. To the server's parent all is sent again: there it takes the first one's place."""
    client.launch(DECLARED)
    for name, address in (("log.txt", "server"), ("log.json", "server_parent")):
        (client.job / name).write_text("x\n")
        stream_to_nvflares_own(client, name, address)
    client.complete()

    assert client.sent == [("log.json", "server_parent", ProcessType.CLIENT_PARENT)]


@pytest.mark.parametrize("first", ["2026-11-25 01:00:00,123 - INFO - START_RUN\n", "x" * 5000, ""])
def test_the_last_part_of_a_rotated_log_does_not_take_the_place_of_all(client: Client, first: str):
    """NVFlare's own receiver has what the job's process sent, and nothing but that."""
    client.launch(DECLARED)
    log = client.job / "log.txt"
    log.write_text(first)
    stream_to_nvflares_own(client, "log.txt", "server_parent")
    log.rename(client.job / "log.txt.1")
    log.write_text("2026-11-25 02:00:00,456 - INFO - END_RUN fired\n")
    client.complete()

    assert client.sent == []
    assert list(client.marks.iterdir()) == []


def stream_to_nvflares_own(client: Client, name: str, address: str) -> None:
    """A streamer of a job whose log NVFlare's own receiver at *address* takes, to the end of its run."""
    streamer = declared(name)
    streamer._unfinished = streamer._hold(str(client.job))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LogStreamer, "stream_log", lambda **call: call["stop_event"].taken(address, False))
        streamer._stream(str(client.job / name), JobEnd(1.0, streamer._taken), client.context())


def test_a_site_that_forbids_it_finishes_nothing(client: Client):
    """And a streamer that runs all the same sees no offer."""
    client.launch(DECLARED, allowed=False)
    (client.job / "log.txt").write_text("x\n")

    assert declared()._hold(str(client.job)) is None
    client.complete()
    assert client.sent == []


def test_after_a_restart_it_waits_for_the_jobs_process(client: Client):
    """A job may outlive the client that launched it."""
    client.launch()
    with Unfinished(str(client.job)) as unfinished:
        held = unfinished.hold("log.txt")
        waiting = threading.Thread(target=unfinished.wait_until_free, args=("log.txt",))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        os.close(held)
        waiting.join(30)
        assert not waiting.is_alive()


HOSTILE = [
    "%2E%2E%2Fsecret",
    "..%2Fsecret",
    "%2Fetc%2Fpasswd",
    "log%2Etxt",
    "a%00b",
    "%",
    "link.txt",
    "way%2Fsecret",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("content", [b"server_parent", b"\xff" * 9999, b"/etc/passwd"])
def test_marks_that_lead_elsewhere_are_nothing(client: Client, name: str, content: bytes):
    """A job with code of its own can leave what it likes in its directory."""
    client.launch(DECLARED)
    (client.root / "secret").write_text("a key")
    (client.job / "link.txt").symlink_to(client.root / "secret")
    (client.job / "way").symlink_to(client.root)
    (client.job / "log.txt").write_text("x\n")
    (client.marks / name).write_bytes(content)
    client.complete()

    assert client.sent == []
    assert (client.root / "secret").read_text() == "a key"


def test_marks_that_are_no_files_are_nothing(client: Client):
    """A pipe would hold the site up, a link would let it remove what it should not."""
    client.launch(DECLARED)
    (client.root / "secret").write_text("server_parent")
    for name in ("pipe.txt", "link.txt", "directory.txt"):
        (client.job / name).write_text("x\n")
    os.mkfifo(client.marks / "pipe.txt")
    (client.marks / "link.txt").symlink_to(client.root / "secret")
    (client.marks / "directory.txt").mkdir()
    client.complete()

    assert client.sent == []
    with Unfinished(str(client.job)) as unfinished:
        for name in ("pipe.txt", "link.txt"):
            assert unfinished.taker(name) is None
            with pytest.raises(OSError, match=r"."):
                unfinished.add(name, "server")
    assert (client.root / "secret").read_text() == "server_parent"


def test_a_directory_of_marks_that_is_a_link_is_none(client: Client):
    """Nothing elsewhere is taken for a mark and removed."""
    client.launch(DECLARED)
    client.marks.rmdir()
    (client.root / "log.txt").write_text("the site's own")
    client.marks.symlink_to(client.root)
    (client.job / "log.txt").write_text("x\n")
    client.complete()

    assert client.sent == []
    assert (client.root / "log.txt").read_text() == "the site's own"


def test_a_job_cannot_keep_its_site_busy_with_marks(client: Client):
    """A hundred logs of a job are finished."""
    client.launch(DECLARED)
    for number in range(MOST_LOGS + 5):
        (client.job / f"{number}.txt").write_text("x\n")
        (client.marks / f"{number}.txt").write_text("server_parent")
    client.complete()

    assert len(client.sent) == MOST_LOGS


def test_a_link_within_the_jobs_directory_is_followed(tmp_path: Path):
    """As one that names the current log."""
    (tmp_path / "today.txt").touch()
    (tmp_path / "log.txt").symlink_to("today.txt")

    assert log_within(str(tmp_path), "log.txt") == str(tmp_path / "log.txt")
    assert log_within(str(tmp_path), "none.txt") is None
