"""Networks for the faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contract.nets import NETS, MemoryNet, Net
from streamers.recording import Recorder


@pytest.fixture
def memory(no_leaks: None) -> Iterator[MemoryNet]:
    """Engines of one process."""
    net = MemoryNet()
    yield net
    net.close()


@pytest.fixture(params=NETS)
def net(request: pytest.FixtureRequest, no_leaks: None) -> Iterator[Net]:
    """Each of the networks."""
    net = NETS[request.param]()
    yield net
    net.close()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()
