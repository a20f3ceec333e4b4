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
