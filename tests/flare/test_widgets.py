"""The widgets one by one: arguments, the site's rule, the last lines, what is refused."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nvflare.apis.fl_constant import FLContextKey, ReservedKey
from nvflare.apis.fl_context import FLContext
from nvflare.apis.workspace import Workspace

from logstreamer.errors import ConfigError
from logstreamer.flare import JobLogReceiver, JobLogStreamer, SiteLogStreamer, job_config
from logstreamer.flare.job_end import JobEnd
from logstreamer.flare.job_log_receiver import _free
from logstreamer.flare.job_log_streamer import LastLines
from logstreamer.flare.rules import check_log_file_name, is_denied
from logstreamer.flare.site_log_streamer import STREAMER_PATH
from logstreamer.flare.swapping import Swapping

JOB = "job-7"
DENIED = [False, 0, None, "false", "False", "no", "0", "off", "", "perhaps", [], {}, float("nan")]
STOCK_PATH = "nvflare.app_common.logging.job_log_streamer.JobLogStreamer"


@pytest.mark.parametrize("widget", [JobLogStreamer, SiteLogStreamer])
@pytest.mark.parametrize(
    "name",
    ["/var/log/syslog", "../log.txt", "logs/../../x", "..", "a\\..\\b", "", ".", "a/", "a/.", "a\0b", "\\x", "C:x", 7],
)
def test_a_log_outside_the_jobs_directory_is_refused(widget: Any, name: Any):
    """Absolute paths and `..`, as NVFlare's own does, and what is no file."""
    with pytest.raises(ValueError, match="log_file_name"):
        widget(log_file_name=name)


@pytest.mark.parametrize("name", ["log.txt", "sub/log.txt", "..log", "a..b", ".hidden"])
def test_a_log_below_the_jobs_directory_is_taken(name: str):
    """Dots alone are no reason to refuse."""
    assert check_log_file_name(name) == name


@pytest.mark.parametrize("widget", [JobLogStreamer, SiteLogStreamer])
@pytest.mark.parametrize("name", ["liveness_interval", "poll_interval"])
@pytest.mark.parametrize(
    ("value", "error"), [(0, ConfigError), (-1.0, ConfigError), ("x", TypeError), (None, TypeError)]
)
def test_an_interval_that_is_none(widget: Any, name: str, value: Any, error: type[Exception]):
    """The argument is named, when the widget is made and not in its thread."""
    with pytest.raises(error, match=name):
        widget(**{name: value})


@pytest.mark.parametrize("value", ["no", 0, None])
def test_a_flag_that_is_none(value: Any):
    """Text is true, whatever it says."""
    with pytest.raises(TypeError, match="target_parent_server"):
        JobLogStreamer(target_parent_server=value)


def test_a_job_can_export_the_widgets():
    """NVFlare's job API reads a component's arguments from attributes."""
    streamer, receiver = vars(JobLogStreamer("log.json", 5.0, 0.1, True)), vars(JobLogReceiver("/d", 9.0))

    names = ("log_file_name", "liveness_interval", "poll_interval", "target_parent_server")
    assert [streamer[f"_{name}"] for name in names] == ["log.json", 5.0, 0.1, True]
    assert [receiver[f"_{name}"] for name in ("dest_dir", "idle_timeout", "store")] == ["/d", 9.0, None]
    assert vars(JobLogReceiver(store="/s"))["_store"] == "/s"


@pytest.mark.parametrize(("value", "error"), [(-1, ConfigError), ("30", TypeError), (float("nan"), ConfigError)])
def test_an_idle_timeout_that_is_none(value: Any, error: type[Exception]):
    """The argument is named."""
    with pytest.raises(error, match="idle_timeout"):
        JobLogReceiver(idle_timeout=value)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"dest_dir": 3}, TypeError, "dest_dir must be a str but got int"),
        ({"store": 3}, TypeError, "store must be a str but got int"),
        ({"store": ""}, ConfigError, "store must name a directory"),
        ({"store": "a\0b"}, ConfigError, "store must name a directory"),
        ({"store": "my/logs"}, ConfigError, "store must be an absolute path"),
        ({"dest_dir": "a\0b"}, ConfigError, "dest_dir must name a directory"),
        ({"dest_dir": "/d", "store": "/s"}, ConfigError, "both are given"),
    ],
)
def test_a_directory_that_is_none(arguments: dict[str, Any], error: type[Exception], text: str):
    """When the widget is made, and not with the first log that comes."""
    with pytest.raises(error, match=text):
        JobLogReceiver(**arguments)


@pytest.fixture
def site(tmp_path: Path) -> Any:
    """A client whose job is deployed: `site.launch(components, ...)` gives what is left of its components."""
    for directory in ("startup", "local"):
        (tmp_path / directory).mkdir()
    workspace = Workspace(str(tmp_path), "site-1")
    config = Path(workspace.get_app_config_dir(JOB)) / "config_fed_client.json"
    config.parent.mkdir(parents=True)

    def switch(allowed: Any) -> None:
        (tmp_path / "local" / "resources.json").write_text(json.dumps({"allow_log_streaming": allowed}))

    def launch(components: list[Any] | None, *, allowed: Any = True, widget: SiteLogStreamer | None = None) -> Any:
        switch(allowed)
        config.write_text(json.dumps({"format_version": 2, "components": components}))
        (widget or SiteLogStreamer())._on_launch("BEFORE_JOB_LAUNCH", context())
        return json.loads(config.read_text())["components"]

    def context() -> FLContext:
        fl_ctx = FLContext()
        fl_ctx.put(ReservedKey.IDENTITY_NAME, "site-1", private=False, sticky=False)
        fl_ctx.put(FLContextKey.WORKSPACE_ROOT, str(tmp_path), private=True, sticky=False)
        fl_ctx.put(FLContextKey.JOB_META, {"job_id": JOB}, private=True, sticky=False)
        return fl_ctx

    return SimpleNamespace(launch=launch, config=config, fl_ctx=context, deny=lambda: switch(False))


@pytest.mark.parametrize("components", [None, [], [{"id": "other", "path": "a.b.C"}]])
def test_a_job_without_a_streamer_gets_one(site: Any, components: list[Any] | None):
    """It sends to the server's parent process."""
    *others, added = site.launch(components)

    assert others == (components or [])
    assert added["path"] == STREAMER_PATH
    assert added["args"]["log_file_name"] == "log.txt"
    assert added["args"]["target_parent_server"] is True
    assert list(site.config.parent.glob("*.tmp")) == []


@pytest.mark.parametrize("path", [STREAMER_PATH, STOCK_PATH])
def test_a_job_with_a_streamer_keeps_it(site: Any, path: str):
    """Ours or NVFlare's own."""
    declared = {"id": "mine", "path": path, "args": {}}

    assert site.launch([declared]) == [declared]


def test_two_files_of_one_site(site: Any):
    """A second site streamer adds its own file, once."""
    first = site.launch([])
    both = site.launch(first, widget=SiteLogStreamer("error_log.txt"))

    assert [component["args"]["log_file_name"] for component in both] == ["log.txt", "error_log.txt"]
    assert site.launch(both, widget=SiteLogStreamer("error_log.txt")) == both


@pytest.mark.parametrize("path", [STREAMER_PATH, STOCK_PATH])
def test_a_site_that_forbids_it_strips_what_jobs_declare(site: Any, path: str):
    """And adds nothing."""
    other = {"id": "other", "path": "a.b.C"}

    assert site.launch([{"id": "mine", "path": path}, other], allowed=False) == [other]
    assert site.launch([other], allowed=False) == [other]


@pytest.mark.parametrize("key", ["path", "class_path", "name"])
def test_a_streamer_is_found_by_each_of_its_keys(site: Any, key: str):
    """NVFlare finds a class by any of them, so a job could stream what the site forbids."""
    declared = {"id": "mine", key: "JobLogStreamer" if key == "name" else STREAMER_PATH}

    assert site.launch([declared], allowed=False) == []
    assert site.launch([declared]) == [declared]


HOSTILE = {"id": "mine", "path": STREAMER_PATH}
CONF = f"components = [{json.dumps(HOSTILE)}]"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config_fed_client.json", json.dumps({"components": [{"id": "x", "path": "a.b.C", "args": {"y": HOSTILE}}]})),
        ("config_fed_client.json", json.dumps({"executors": [{"tasks": ["train"], "executor": {"args": [HOSTILE]}}]})),
        ("deeper/config_fed_client.json", json.dumps({"components": [HOSTILE]})),
        ("config_fed_client.json.default", json.dumps({"components": [HOSTILE]})),
        ("config_fed_client.conf", CONF),
    ],
)
def test_a_hostile_job_configuration_does_not_dodge_the_switch(site: Any, name: str, text: str):
    """A streamer as an argument, in another format, in another directory: the process of the job finds it nowhere."""
    path = site.config.parent / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    site.deny()

    SiteLogStreamer()._on_launch("BEFORE_JOB_LAUNCH", site.fl_ctx())

    assert "JobLogStreamer" not in json.dumps(job_config.load(str(site.config.parent)))


def test_a_streamer_that_was_not_found_does_not_start(site: Any, monkeypatch: pytest.MonkeyPatch):
    """Its class named by a variable, which NVFlare resolves in the job's process: it asks the site itself."""
    hidden = {"K": "JobLogStreamer", "components": [{"id": "mine", "path": "logstreamer.flare.{K}"}]}
    site.config.write_text(json.dumps(hidden))
    site.deny()
    SiteLogStreamer()._on_launch("BEFORE_JOB_LAUNCH", site.fl_ctx())
    assert json.loads(site.config.read_text()) == hidden
    streamer, said = JobLogStreamer(), []
    monkeypatch.setattr(streamer, "log_warning", lambda fl_ctx, text: said.append(text))

    streamer._on_start("START_RUN", site.fl_ctx())

    assert streamer._thread is None
    assert "does not allow" in said[0]


def test_a_configuration_that_nobody_can_read_is_one_line(site: Any, monkeypatch: pytest.MonkeyPatch):
    """NVFlare launches such a job all the same, and it fails there."""
    site.config.write_text("{")
    site.deny()
    widget, said = SiteLogStreamer(), []
    monkeypatch.setattr(widget, "log_error", lambda fl_ctx, text: said.append(text))

    widget._on_launch("BEFORE_JOB_LAUNCH", site.fl_ctx())

    assert len(said) == 1
    assert site.config.read_text() == "{"


@pytest.mark.parametrize("value", DENIED)
def test_a_switch_that_is_no_clear_yes_forbids(site: Any, value: Any):
    """Whoever writes "false" means it; at the site and at the server."""
    assert site.launch([{"id": "mine", "path": STREAMER_PATH}], allowed=value) == []
    config = {"allow_log_streaming": value}
    client = SimpleNamespace(get_site_config=lambda: config)
    assert JobLogReceiver()._refusal(SimpleNamespace(get_client_from_name=lambda name: client), "site", JOB)
    assert is_denied(value)


@pytest.mark.parametrize("value", [True, 1, "true", "Yes", " on ", "1"])
def test_a_switch_that_is_a_yes_allows(value: Any):
    """Also as text."""
    assert not is_denied(value)


@pytest.mark.parametrize("config", ["[1]", '{"components": {"a": 1}}', '{"components": "x"}'])
def test_a_job_of_an_odd_configuration_is_left_alone(site: Any, config: str, monkeypatch: pytest.MonkeyPatch):
    """NVFlare says what is wrong with it."""
    said: list[str] = []
    widget = SiteLogStreamer()
    monkeypatch.setattr(widget, "log_error", lambda fl_ctx, text: said.append(text))
    site.launch([])
    site.config.write_text(config)
    widget._on_launch("BEFORE_JOB_LAUNCH", site.fl_ctx())

    assert len(said) == 1


def test_a_component_that_is_none_is_left_alone(site: Any):
    """The others count."""
    assert site.launch(["x", {"id": "mine", "path": STREAMER_PATH}], allowed=False) == ["x"]
    odd = {"id": "site_log_streamer_x", "path": STREAMER_PATH, "args": "q"}
    assert site.launch([odd]) == [odd]


def test_a_receiver_refuses_a_site_that_forbids_it(caplog: pytest.LogCaptureFixture):
    """Whatever the site sends all the same; said once for each job."""
    configs = {"open": {}, "closed": {"allow_log_streaming": False}}
    engine = SimpleNamespace(
        get_client_from_name=lambda name: (
            SimpleNamespace(get_site_config=lambda: configs[name]) if name in configs else None
        )
    )
    receiver = JobLogReceiver()

    assert [receiver._refusal(engine, name, JOB) for name in ("open", "stranger")] == ["", ""]
    refusals = {receiver._refusal(engine, "closed", JOB) for _ in range(3)}
    assert "closed does not allow log streaming" in refusals.pop()
    assert caplog.text.count("closed does not allow") == 1


def test_a_refusal_is_said_however_many_there_were(caplog: pytest.LogCaptureFixture):
    """Only the latest of them are remembered."""
    client = SimpleNamespace(get_site_config=lambda: {"allow_log_streaming": False})
    engine, receiver = SimpleNamespace(get_client_from_name=lambda name: client), JobLogReceiver()

    for job in range(10_002):
        receiver._refusal(engine, "site-1", f"job-{job}")

    assert "job-10001" in caplog.text


def test_a_line_waits_until_it_is_delivered():
    """And no longer than the budget of all last lines. The thread that delivers it may log meanwhile."""
    end = JobEnd(patience=2.0)
    stop = threading.Event()
    sender = threading.Thread(target=stop.wait)
    sender.start()
    last = LastLines(end, sender)
    record = logging.LogRecord("x", logging.INFO, "", 0, "line", None, None)
    try:
        last._budget = 30.0
        carrier = threading.Thread(target=lambda: [_wait_asked(end, 1), last.handle(record), end.delivered(1)])
        carrier.start()
        last.handle(record)
        assert last._budget > 0
        carrier.join()
        assert end.asked() == 1
        last._budget = 0.05
        last.handle(record)  # nobody delivers
        assert last._budget <= 0
        last.handle(record)  # and now nothing is waited for
        assert end.asked() == 2
    finally:
        stop.set()
        sender.join()


def _wait_asked(end: JobEnd, number: int) -> None:
    while end.asked() < number:
        stop = threading.Event()
        stop.wait(0.001)


def test_a_process_that_is_told_to_end_leaves_its_logs_first():
    """A simulator sends SIGTERM at the moment at which it says that the process is swapped out."""
    said: list[str] = []
    former = signal.signal(signal.SIGTERM, lambda number, frame: said.append("ended"))
    try:
        swapping, end, over = Swapping(), JobEnd(patience=2.0), JobEnd(patience=2.0)
        sender = threading.Thread(target=lambda: [end._stop.wait(), said.append("left")])
        sender.start()
        swapping.add(end, sender)
        swapping.add(over, sender)
        swapping.remove(over)  # its run has ended
        for _ in range(2):  # each task that the process gets
            swapping.install()
        os.kill(os.getpid(), signal.SIGTERM)
        assert said == ["left", "ended"]
    finally:
        signal.signal(signal.SIGTERM, former)

    assert (end.is_set(), end.keep_open) == (True, True)
    assert (over.is_set(), over.keep_open) == (False, False)


def test_a_sender_that_gives_up_frees_who_waits():
    """No line waits for what will never come."""
    end = JobEnd(patience=2.0)
    end.over()

    assert not end.wait_delivered(60.0)


def test_nothing_earlier_is_overwritten(tmp_path: Path):
    """A second file of a name gets a number."""
    log = tmp_path / "log.txt"
    assert _free(str(log)) == str(log)
    for name in ("log.txt", "log.txt.2"):
        (tmp_path / name).touch()

    assert _free(str(log)) == f"{log}.3"
