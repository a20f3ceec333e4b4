"""The engines that the contract is run over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contract.nets import NETS, Net
from streamers.recording import Recorder


@pytest.fixture(params=NETS)
def net(request: pytest.FixtureRequest, no_leaks: None) -> Iterator[Net]:
    """One of the networks; whatever a test leaves running on it is shut down."""
    net = NETS[request.param]()
    yield net
    net.close()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()
