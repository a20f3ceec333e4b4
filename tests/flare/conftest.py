from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import wait_until
from flare.cellnet import Pair
from logstreamer import FileStreamer, LogStreamer
from streamers.recording import Recorder

pytest.importorskip("nvflare")

from flare.apart import ApartNet, Nursery, over_there
from flare.net import FlareNet, Sites
from logstreamer.flare import JobLogReceiver
from logstreamer.flare.hub import hub_of


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """A receiver and a sender on cellnet."""
    pair = Pair(tmp_path)
    yield pair
    pair.close()


@pytest.fixture(scope="session", autouse=True)
def _cells() -> Iterator[None]:
    """Cells are kept from test to test."""
    yield
    Sites.stop_cells()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Of the processes that send."""
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def net(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApartNet]:
    """Cells of two processes: servers here, with a test's callbacks, and sites that send in another one."""
    for streamer, name in ((LogStreamer, "stream_log"), (FileStreamer, "stream_file")):
        there = over_there(f"{streamer.__name__}.{name}", getattr(streamer, name))
        monkeypatch.setattr(streamer, name, staticmethod(there))
    net = ApartNet(nursery)
    yield net
    net.close()


@pytest.fixture
def near() -> Iterator[FlareNet]:
    """Cells of this process alone."""
    net = FlareNet()
    yield net
    net.close()


@pytest.fixture
def receiver(near: FlareNet, tmp_path: Path) -> Iterator[JobLogReceiver]:
    """Keeps what comes to the server of `near` below `logs`."""
    receiver = JobLogReceiver(store=str(tmp_path / "logs"))
    receiver._on_start("START_RUN", near.engine("server").new_context())
    yield receiver
    wait_until(lambda: hub_of(near.engine("server")).live(None) == 0)  # nobody writes what is closed now
    assert receiver._stored is not None
    receiver._stored.store.close()


@pytest.fixture
def recorder() -> Recorder:
    """Callbacks that remember."""
    return Recorder()
