"""What tests of whole engines share: patience, and the proof that nothing was left behind."""

from __future__ import annotations

import gc
import itertools
import logging
import os
import signal
import threading
import time
import zlib
from collections.abc import Callable, Iterator

import hypothesis
import pytest

PATIENCE = 20.0
"""Seconds after which something that should have happened counts as never happening."""

# How long an example takes says nothing on a machine that others use, too.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# A shell's background job ignores the one, nohup the other, and so would every process that the tests begin and stop.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

SHARED_THREADS = ("logstreamer-idle",)
"""Threads that serve the whole process and end by themselves."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every worker its share of what waits, of what computes, and of the longest tests as the first thing.

    A worker begins with a contiguous part of the list, so the files are dealt in an order without meaning, the same in
    each run.
    """
    items.sort(key=lambda item: zlib.crc32(item.nodeid.partition("::")[0].encode()))
    longest = [item for item in items if item.get_closest_marker("first") is not None]
    others = iter([item for item in items if item.get_closest_marker("first") is None])
    workers, total = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")), len(items)
    items.clear()
    for worker in range(workers):
        own = longest[worker::workers]
        part = (total - len(items)) // (workers - worker)
        items += [*own, *itertools.islice(others, max(0, part - len(own)))]


def wait_until(condition: Callable[[], object], what: Callable[[], str] | str = "", patience: float = PATIENCE) -> None:
    """Look at *condition* until it holds."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(what() if callable(what) else what or f"it never came to pass: {condition}")
        time.sleep(0.005)


@pytest.fixture
def eventually() -> Callable[..., None]:
    """`eventually(condition)` returns as soon as *condition* holds."""
    return wait_until


@pytest.fixture(scope="session")
def _libuv() -> None:
    """libuv opens a pipe with its first loop, once for the whole process, and keeps it."""
    uvloop = pytest.importorskip("uvloop")
    uvloop.new_event_loop().close()


@pytest.fixture
def no_leaks(_libuv: None) -> Iterator[None]:
    """Engines that were shut down leave no thread, no descriptor and no failed task behind."""
    threads, descriptors = _threads(), _descriptors()
    failures = _Failures()
    loggers = [logging.getLogger(name) for name in ("asyncio", "logstreamer.engines.pump")]
    for logger in loggers:
        logger.addHandler(failures)
    yield
    gc.collect(1)  # a full one for each test would take longer than the test
    wait_until(lambda: _threads() <= threads, lambda: f"threads left: {_threads() - threads}")
    wait_until(
        lambda: _descriptors().keys() <= descriptors.keys(),
        lambda: f"left open: {_descriptors().items() - descriptors.items()}",
    )
    for logger in loggers:
        logger.removeHandler(failures)
    assert failures.messages == []


class _Failures(logging.Handler):
    """Remembers what an event loop or a pump had to report."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(f"{record.getMessage()} {record.exc_info}")


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if not thread.name.startswith(SHARED_THREADS)}


def _descriptors() -> dict[str, str]:
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:  # that of the listing itself
            continue
    return found
