"""A receiver with a store behind it goes and comes; the file is exact. N7, N8 and D1 at engine level."""

from __future__ import annotations

import threading

import pytest

from conftest import wait_until
from contract.ends import live_log, numbered
from contract.nets import Net
from logstreamer import ReturnCode
from logstreamer.engines import websocket
from logstreamer.store import disk
from logstreamer.store.catalogue import Store
from logstreamer.store_sink import Stored


class Keeper:
    """The receiver's store, and its engine, which can be made anew."""

    def __init__(self, net: Net, root, **options) -> None:
        self.net = net
        self.root = root
        self.copy = root / "site-1" / "job-7" / "train.log"
        self._options = {"idle_timeout": 30.0, **options}
        self.store: Store | None = None

    def start(self) -> None:
        self.store = Store(self.root)
        self.net.engine("server").take_other_streams(Stored(self.store, **self._options).open_sink)

    def crash(self) -> None:
        """Gone without a word to anybody, as far as one process can show it."""
        server = self.net.engine("server")
        server.pump.ask(server.receiver.leave_all)
        self.net.shut_down("server")
        self.store.close()

    def data(self) -> bytes:
        return self.copy.read_bytes() if self.copy.exists() else b""

    def wait_for(self, data: bytes) -> None:
        wait_until(lambda: self.data() == data, lambda: f"got {len(self.data())} of {len(data)} bytes")


@pytest.fixture
def keeper(net, tmp_path, monkeypatch):
    monkeypatch.setattr(websocket, "FIRST_RETRY", 0.01)
    monkeypatch.setattr(websocket, "LAST_RETRY", 0.1)
    keeper = Keeper(net, tmp_path / "store")
    keeper.start()
    yield keeper
    net.close()
    keeper.store.close()


def test_the_stored_copy_is_exact(keeper, net, tmp_path):
    with live_log(net, tmp_path / "train.log") as live:
        live.write(numbered(10_000))
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert keeper.data() == numbered(10_000)


def test_a_receiver_that_crashes_and_returns_on_its_port_goes_on_where_its_file_ends(keeper, net, tmp_path):
    """N7."""
    with live_log(net, tmp_path / "train.log", chunk_timeout=0.2) as live:
        for round_ in range(4):
            live.write(numbered(1000, 2000 * round_))
            keeper.wait_for(numbered(2000 * round_ + 1000))
            keeper.crash()
            live.write(numbered(1000, 2000 * round_ + 1000))
            keeper.start()
            keeper.wait_for(numbered(2000 * round_ + 2000))
        rc, result = live.stop()

    assert (rc, bool(result)) == (ReturnCode.OK, True)
    assert keeper.data() == numbered(8000)


def test_both_ends_crash_and_the_copy_is_exact(keeper, net, tmp_path):
    """N8."""
    for round_ in range(3):
        with live_log(net, tmp_path / "train.log") as live:
            live.write(numbered(1000, 1000 * round_))
            keeper.wait_for(numbered(1000 * round_ + 1000))
            net.vanish("site-1")
            keeper.crash()
            keeper.start()
    with live_log(net, tmp_path / "train.log") as live:
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert keeper.data() == numbered(3000)


def test_the_end_on_a_full_disk_waits_for_room(keeper, net, tmp_path, monkeypatch):
    """D1: neither bytes nor the end itself are lost."""
    full = threading.Event()
    append, finish = disk_call(monkeypatch, "append", full), disk_call(monkeypatch, "finish", full)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(numbered(100))
        keeper.wait_for(numbered(100))
        full.set()
        live.write(numbered(100, 100))
        live.stop_event.set()
        assert append.wait(20)
        full.clear()
        rc, _ = live.result()

    assert rc == ReturnCode.OK
    assert keeper.data() == numbered(200)
    assert not finish.is_set()


def disk_call(monkeypatch, name, full):
    """Let a method of the stored file fail while *full*; the event says that it has."""
    from logstreamer.store.stream_file import StreamFile

    method, failed = getattr(StreamFile, name), threading.Event()

    def limited(self, *args):
        if full.is_set():
            failed.set()
            raise disk.DiskFull("no room")
        return method(self, *args)

    monkeypatch.setattr(StreamFile, name, limited)
    return failed


def test_eof_on_a_full_disk_is_confirmed_when_there_is_room(keeper, net, tmp_path, monkeypatch):
    full = threading.Event()
    finish = disk_call(monkeypatch, "finish", full)
    full.set()

    with live_log(net, tmp_path / "train.log") as live:
        live.write(numbered(100))
        live.stop_event.set()
        assert finish.wait(20)
        full.clear()
        rc, _ = live.result()

    assert rc == ReturnCode.OK
    assert keeper.data() == numbered(100)
