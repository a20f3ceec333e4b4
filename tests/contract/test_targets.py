"""Contract: several targets, each with an outcome of its own. Rule 8, N12."""

from __future__ import annotations

import threading

import pytest

from contract.ends import live_log, numbered, register
from logstreamer import ConfigError, LogStreamer, ReturnCode
from logstreamer import lane as lane_module
from streamers.recording import PATIENCE, Recorder


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(lane_module, "GIVE_UP_SECONDS", 1.0)


def test_every_target_gets_every_byte(net, tmp_path):
    recorders = {server: Recorder() for server in ("server", "server-2", "server-3")}
    for server, recorder in recorders.items():
        register(net, recorder, server)

    with live_log(net, tmp_path / "train.log", targets=recorders, chunk_size=1000) as live:
        live.write(numbered(5000))
        rc, result = live.stop()

    assert rc == ReturnCode.OK
    assert list(result) == list(recorders)
    assert [recorder.data() == numbered(5000) for recorder in recorders.values()] == [True] * 3


def test_one_fails_one_is_dead_and_the_healthy_one_gets_everything(net, tmp_path):
    """N12."""
    healthy, failing = Recorder(), Recorder()

    def fail(data, stream_ctx, fl_ctx):
        raise ValueError("the callback's own trouble")

    register(net, healthy)
    register(net, failing, "server-2", chunk_received_cb=fail)

    with live_log(net, tmp_path / "train.log", targets=("server", "server-2", "server-3")) as live:
        live.write(numbered(5000))
        healthy.wait_for_data(numbered(5000))
        failing.wait_for_done()
        live.write(b"after the failure\n")
        rc, result = live.stop()

    assert (rc, bool(result)) == (ReturnCode.ERROR, False)
    assert {target: reply.get_return_code() for target, reply in result.items()} == {
        "server": ReturnCode.OK,
        "server-2": ReturnCode.EXECUTION_EXCEPTION,
        "server-3": ReturnCode.COMMUNICATION_ERROR,
    }
    assert "server-3" in result["server-3"].get_header("reason")
    assert healthy.data() == numbered(5000) + b"after the failure\n"
    assert healthy.rcs() == [ReturnCode.OK]


def test_a_slow_target_does_not_hold_up_the_others(net, tmp_path):
    """N12."""
    healthy, slow, release = Recorder(), Recorder(), threading.Event()

    def wait_first(data, stream_ctx, fl_ctx):
        assert release.wait(PATIENCE)
        slow.on_chunk(data, stream_ctx, fl_ctx)

    register(net, healthy)
    register(net, slow, "server-2", chunk_received_cb=wait_first)

    with live_log(net, tmp_path / "train.log", targets=("server", "server-2")) as live:
        live.write(b"x" * (6 << 20))  # more than a window
        healthy.wait(lambda: sum(len(data) for data, *_ in healthy.chunks) == 6 << 20)
        assert slow.chunks == []
        release.set()
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert slow.data() == b"x" * (6 << 20)


def test_a_target_that_stays_away_is_named_after_the_stop(net, tmp_path):
    with live_log(net, tmp_path / "train.log", targets=("server-3",)) as live:
        live.write(b"line 1\n")
        rc, result = live.stop()

    assert (rc, bool(result)) == (ReturnCode.ERROR, False)
    assert result["server-3"].get_return_code() == ReturnCode.COMMUNICATION_ERROR
    assert "7 bytes not delivered" in result["server-3"].get_header("reason")


@pytest.mark.parametrize("target", ["", None, 3])
def test_a_target_that_is_no_name_is_a_config_error(net, tmp_path, target):
    with pytest.raises(ConfigError, match="target"):
        LogStreamer.stream_log("logs", "train", {}, [target], tmp_path / "x", net.engine("site-1").new_context())
