"""A log for a process where nobody is registered: its stand-in takes it."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from nvflare.apis.fl_constant import SiteType

from conftest import wait_until
from contract.ends import live_log, numbered, register
from logstreamer import LogStreamer
from logstreamer.flare import JobLogStreamer
from logstreamer.flare.job_end import JobEnd
from logstreamer.flare.messages import STAND_IN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

CONTEXT = {STAND_IN: "server-2"}


def test_it_takes_all_of_the_log(net, recorder, tmp_path, caplog):
    """From the first byte, with what was rotated away meanwhile; the key itself is not sent."""
    caplog.set_level(logging.INFO)
    net.engine("server")
    register(net, recorder, "server-2")
    with live_log(net, tmp_path / "train.log", stream_ctx=dict(CONTEXT)) as live:
        live.write(numbered(100))
        wait_until(lambda: "trying again" in caplog.text)
        live.path.rename(tmp_path / "train.log.1")
        live.write(numbered(100, 100))
        recorder.wait_for_data(numbered(200))
        rc, result = live.stop()

    assert (rc, list(result)) == ("OK", ["server"])
    assert recorder.rcs() == ["OK"]
    assert STAND_IN not in recorder.done[0][0]
    assert "server-2 takes the log: nobody is registered at server" in caplog.text


def test_it_is_not_asked_where_the_target_itself_is_only_late(net, recorder, tmp_path, caplog):
    """A job's own receiver has the first word."""
    caplog.set_level(logging.INFO)
    net.engine("server")
    register(net, type(recorder)(), "server-2")
    with live_log(net, tmp_path / "train.log", stream_ctx=dict(CONTEXT)) as live:
        live.write(numbered(100))
        wait_until(lambda: "trying again" in caplog.text)
        register(net, recorder)
        recorder.wait_for_data(numbered(100))
        rc, _ = live.stop()

    assert rc == "OK"
    assert "takes the log" not in caplog.text


@pytest.mark.parametrize(
    ("parent", "asked"), [(False, ("server", "server_parent")), (True, ("server_parent", None))], ids=["job", "parent"]
)
def test_a_jobs_streamer_names_the_servers_parent(tmp_path, monkeypatch, parent: bool, asked: Any):
    """Where the server's resources.json has the receiver, nobody is registered in its job process."""
    asks: list[Any] = []
    monkeypatch.setattr(LogStreamer, "stream_log", lambda **call: asks.append(call))
    log = tmp_path / "log.txt"
    log.touch()
    widget = JobLogStreamer(target_parent_server=parent)
    widget._appeared = threading.Event()

    widget._stream(str(log), JobEnd(1.0), _Context())

    [call] = asks
    assert (call["targets"][0], call["stream_ctx"].get(STAND_IN)) == asked
    assert asked[0] in (SiteType.SERVER, SiteType.SERVER_PARENT)


class _Context:
    """What the streamer asks of NVFlare's context."""

    @staticmethod
    def get_identity_name() -> str:
        return "site-1"

    @staticmethod
    def get_job_id() -> str:
        return "job-7"
