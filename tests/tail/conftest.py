from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tail.tailing import Log, Reading


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "app.log")


@pytest.fixture
def follow(log: Log) -> Iterator[Callable[..., Reading]]:
    """Makes readers of the log, closed at the end."""
    readings: list[Reading] = []

    def make(**options: Any) -> Reading:
        readings.append(Reading(options.pop("path", log.path), **options))
        return readings[-1]

    yield make
    for reading in readings:
        reading.close()
