"""What the tests of the faults start: receivers, senders, scripts, a link that fails, and a log that grows."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.conftest import Receiver, receiver, start
from e2e.processes import Program
from faults.harness import Link, Log, Script

__all__ = ["receiver", "start"]


@pytest.fixture
def run_script(tmp_path: Path) -> Iterator[Callable[..., Script]]:
    """Starts one of `scripts/` in the test's directory."""
    scripts: list[Script] = []

    def begin(name: str, *argv: str, **variables: str) -> Script:
        scripts.append(Script(name, argv, tmp_path, **variables))
        return scripts[-1]

    yield begin
    for script in scripts:
        script.end()


@pytest.fixture
def link(receiver: Receiver) -> Iterator[Link]:
    """Lies between senders and the receiver."""
    with Link(receiver.port) as link:
        yield link


@pytest.fixture
def send(start: Callable[..., Program], receiver: Receiver) -> Callable[..., Program]:
    """Starts a sender of site "s" and waits until it takes signals."""

    def begin(*sources: str, to: str = "", **variables: str) -> Program:
        sender = start("send", *sources, "--to", to or receiver.url, "--site", "s", **variables)
        sender.wait_line("following|waiting for")
        return sender

    return begin


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """`app.log`, which grows when and while it is told to."""
    log = Log(tmp_path / "app.log")
    yield log
    log.pause()


@pytest.fixture
def dice() -> random.Random:
    """A new seed for each run; it is shown when the test fails."""
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed: {seed}")
    return random.Random(seed)
