"""The network that the contract's scenarios run over."""

from __future__ import annotations

import pytest

from streamers.pull_engine import PullNetwork
from streamers.recording import Recorder


@pytest.fixture
def net() -> PullNetwork:
    """Anything with `engine(site)`, whose engines have `new_context(job_id, abort_signal)`."""
    return PullNetwork()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()
