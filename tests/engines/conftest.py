"""Networks for the faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.nets import NETS, MemoryNet, Net
from streamers.recording import Recorder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The faults take most of a minute: `make check` leaves them to `make test`."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slow)


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
