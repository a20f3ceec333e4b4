from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flare.cellnet import Pair

pytest.importorskip("nvflare")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """A receiver and a sender on cellnet."""
    pair = Pair(tmp_path)
    yield pair
    pair.close()
