"""Ours to NVFlare's own receiver, over its cellnet: what can be kept where the other side counts no bytes."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from nvflare.app_common.streamers.log_streamer import LogStreamer as NVLogStreamer

from conftest import wait_until
from contract.ends import live_log, numbered
from flare.apart import ApartNet
from streamers.recording import Recorder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


def register_theirs(net: ApartNet, recorder: Recorder) -> None:
    """NVFlare's own receiver at the server, with *recorder* for callbacks."""
    NVLogStreamer.register_stream_processing(
        net.engine("server").new_context(), "logs", "train", recorder.on_chunk, recorder.on_done
    )


@pytest.mark.parametrize("is_over", [False, True], ids=["still written", "over"])
def test_it_may_register_late_and_gets_what_was_rotated_away(net, recorder, tmp_path, caplog, is_over):
    """The file is held from the start, also when its end was asked for before the first answer."""
    caplog.set_level(logging.INFO)
    log: Path = tmp_path / "train.log"
    net.engine("server")
    with live_log(net, log) as live:
        live.write(numbered(100))
        wait_until(lambda: "trying again" in caplog.text)
        log.rename(tmp_path / "train.log.1")
        if is_over:
            live.stop_event.set()
        else:
            live.write(numbered(100, 100))
        register_theirs(net, recorder)
        written = numbered(100 if is_over else 200)
        recorder.wait_for_data(written)
        rc, _ = live.stop()

    assert rc == "OK"
    assert recorder.data() == written
    assert recorder.rcs() == ["OK"]


def test_what_never_left_is_sent_again(net, recorder, tmp_path):
    """A target that cannot be reached for a moment costs nothing, and doubles nothing."""
    register_theirs(net, recorder)
    net.engine("site-1")
    net.far().calls.call("far", "break_", "site-1", "unreachable")
    with live_log(net, tmp_path / "train.log") as live:
        for number in range(8):
            live.write(numbered(100, 100 * number))
            recorder.wait_for_data(numbered(100 * (number + 1)))
        rc, _ = live.stop()

    assert net.far().calls.call("far", "mend") >= 2
    assert rc == "OK"
    assert recorder.data() == numbered(800)


def test_a_reply_that_is_late_ends_it_and_what_is_not_acknowledged_is_said(net, recorder, tmp_path, caplog):
    """The message may have arrived, and this receiver would take it twice."""
    register_theirs(net, recorder)
    net.engine("site-1")
    net.far().calls.call("far", "break_", "site-1", "late")
    with live_log(net, tmp_path / "train.log", liveness_interval=60.0) as live:
        for number in range(2):  # the message that opens the stream is the first of three
            live.write(numbered(100, 100 * number))
            recorder.wait_for_data(numbered(100 * (number + 1)))
        rc, result = live.result()

    assert (rc, bool(result)) == ("ERROR", False)
    assert "TIMEOUT; 900 bytes are not acknowledged" in result["server"].get_header("reason")
    assert "TIMEOUT; 900 bytes are not acknowledged" in caplog.text
    assert recorder.data() == numbered(200)
