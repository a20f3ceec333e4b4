"""A receiver that cannot show who it is gets nothing: W3."""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from contract.nets import TOKEN
from logstreamer import LogStreamer, ReturnCode, WebSocketEngine, lane
from logstreamer.engines import websocket
from streamers.recording import LiveLog, Recorder

pytestmark = pytest.mark.slow

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """Makes certificates of this machine with `openssl`."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self.certificate = directory / f"{name}.pem"
        self._key = directory / f"{name}.key"
        self._run("req", "-x509", *KEY, "-keyout", self._key, "-out", self.certificate, "-subj", f"/CN={name}")

    def issue(self, address: str = "IP:127.0.0.1", days: int = 1) -> tuple[Path, Path]:
        """The files of a certificate and its key, for *address*; it ends in *days*."""
        request, key, certificate, more = (self._directory / f"server.{end}" for end in ("csr", "key", "crt", "ext"))
        more.write_text(f"subjectAltName={address}\n")
        self._run("req", "-new", *KEY, "-keyout", key, "-out", request, "-subj", "/CN=server")
        signer = ("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial")
        self._run("x509", "-req", "-in", request, *signer, "-days", days, "-extfile", more, "-out", certificate)
        return certificate, key

    def _run(self, *words: object) -> None:
        subprocess.run(["openssl", *map(str, words)], cwd=self._directory, check=True, capture_output=True)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is missing")
    return Authority(tmp_path, "authority")


@pytest.fixture(autouse=True)
def _impatient(no_leaks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "FIRST_RETRY", 0.01)
    monkeypatch.setattr(websocket, "LAST_RETRY", 0.1)
    monkeypatch.setattr(lane, "GIVE_UP_SECONDS", 0.5)


def send_one_line(directory: Path, served: tuple[Path, Path], trusted: Path) -> tuple[Recorder, tuple[str, Any]]:
    """Serve with a certificate, send to that trusting another; what was received, and the result."""
    recorder, (certificate, key) = Recorder(), served
    server = WebSocketEngine.serve("server", port=0, token=TOKEN, certfile=str(certificate), keyfile=str(key))
    site = WebSocketEngine.connect("site-1", {"server": server.url}, token=TOKEN, cafile=str(trusted))
    with server, site:
        LogStreamer.register_stream_processing(
            server.new_context(), "logs", "train", recorder.on_chunk, recorder.on_done, idle_timeout=30.0
        )
        with LiveLog(site, directory / "train.log", ("server",)) as live:
            live.write(b"line 1\n")
            return recorder, live.stop()


def test_a_certificate_that_holds_lets_everything_through(authority: Authority, tmp_path: Path):
    recorder, (rc, _) = send_one_line(tmp_path, authority.issue(), authority.certificate)

    assert rc == ReturnCode.OK
    assert recorder.data() == b"line 1\n"


BROKEN = {
    "expired": ({"days": -1}, "expired"),
    "another host's": ({"address": "IP:127.0.0.2"}, "mismatch"),
}


@pytest.mark.parametrize("how", [*BROKEN, "of a stranger"])
def test_w03_a_certificate_that_does_not_hold(authority: Authority, tmp_path: Path, caplog, how: str):
    """Not a byte, and no token, goes to who shows it; the reason is told, and it is tried again."""
    caplog.set_level(logging.INFO, "logstreamer")
    options, reason = BROKEN.get(how, ({}, "unable to get local issuer|self.signed"))
    trusted = authority.certificate if how in BROKEN else Authority(tmp_path, "stranger").certificate

    recorder, (rc, result) = send_one_line(tmp_path, authority.issue(**options), trusted)

    assert rc == ReturnCode.ERROR
    assert result["server"].get_return_code() == ReturnCode.COMMUNICATION_ERROR
    assert recorder.chunks == []
    assert any(re.search(reason, record.getMessage()) for record in caplog.records), caplog.text
