"""The sending sites of the contract's tests, in a process of their own, driven over a connection.

    python -m flare.far DESCRIPTOR

imports everything once. Each byte that arrives at that socket brings a descriptor, and is answered by the id of a
process: forked, with one end of a connection to be driven over.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from multiprocessing.connection import Connection
from typing import Any

from nvflare.app_common.decomposers import common_decomposers
from nvflare.fuel.f3.cellnet.fqcn import FQCN
from nvflare.private.fed.utils.fed_utils import fobs_initialize

from conftest import wait_until
from flare.calls import Calls
from flare.faults import Faults, step_clock
from flare.net import Sites
from logstreamer import FileStreamer, LogStreamer, ObjectProducer
from logstreamer import lane as lane_module
from logstreamer.flare.engine import FlareEngine

STREAMERS = {"LogStreamer.stream_log": LogStreamer.stream_log, "FileStreamer.stream_file": FileStreamer.stream_file}


class Far:
    """What the tests may ask for. Names stand for their own objects, which stay with them."""

    def __init__(self) -> None:
        self.calls: Calls
        self._sites: Sites
        self._faults: Faults

    def begin(self, url: str) -> None:
        """Join the cells whose root is at *url*."""
        self._sites = Sites(url)

    def give_up_after(self, seconds: float) -> None:
        """How long after a stop a target may stay away."""
        lane_module.GIVE_UP_SECONDS = seconds

    def connect(self, site: str) -> None:
        """Let *site* be there."""
        cell = self._sites.engine(site).cell
        wait_until(lambda: cell.is_cell_connected(FQCN.ROOT_SERVER))

    def forget(self) -> None:
        """The test is over."""
        step_clock(0.0)
        self._sites.close()

    def break_(self, site: str, kind: str) -> None:
        """Let something go wrong below *site*: see `Faults`."""
        self._faults = Faults(self._sites.engine(site).aux, kind)

    def mend(self) -> int:
        """No more of it; how often it did."""
        return self._faults.mend()

    def step_clock(self, seconds: float) -> None:
        """Let the wall clock be wrong."""
        step_clock(seconds)

    def stream(
        self, what: str, site: str, job: str | None, abort: str | None, stop: str | None, arguments: dict[str, Any]
    ) -> tuple[str, Any, Any]:
        """Call *what*; its two results, and the stream context as it is then."""
        if stop is not None:
            arguments["stop_event"] = Theirs(self.calls, stop)
        arguments["fl_ctx"] = self._context(site, job, abort)
        if what == "LogStreamer.stream_log":  # what the receiver decides is heard with the next message
            arguments.setdefault("liveness_interval", 1.0)
        rc, result = STREAMERS[what](**arguments)
        return rc, result, arguments["stream_ctx"]

    def stream_objects(
        self,
        site: str,
        job: str | None,
        abort: str | None,
        channel: str,
        topic: str,
        stream_ctx: dict[str, Any],
        targets: list[str],
        producer: str,
    ) -> tuple[str, Any]:
        """The same with a producer of the test's."""
        engine = FlareEngine(self._sites.engine(site))
        theirs = TheirProducer(self.calls, producer)
        return engine.stream_objects(channel, topic, stream_ctx, targets, theirs, self._context(site, job, abort))

    def _context(self, site: str, job: str | None, abort: str | None) -> Any:
        signal = Theirs(self.calls, abort) if abort is not None else None
        return self._sites.engine(site).new_context(job, signal)


class Theirs:
    """An event or a signal of the test's."""

    def __init__(self, calls: Calls, name: str) -> None:
        self._calls = calls
        self._name = name

    def is_set(self) -> bool:
        """Of an event."""
        return bool(self._calls.call(self._name, "is_set"))

    @property
    def triggered(self) -> bool:
        """Of a signal."""
        return bool(self._calls.call(self._name, "triggered"))


class TheirProducer(ObjectProducer):
    """A producer of the test's."""

    def __init__(self, calls: Calls, name: str) -> None:
        self._calls = calls
        self._name = name

    def produce(self, stream_ctx: dict[str, Any], fl_ctx: Any) -> Any:
        """Let it."""
        return self._calls.call(self._name, "produce", _plain(stream_ctx))

    def process_replies(self, replies: Any, stream_ctx: dict[str, Any], fl_ctx: Any) -> Any:
        """Let it; its result stays there."""
        return self._calls.call(self._name, "process_replies", replies, _plain(stream_ctx))


def _plain(stream_ctx: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in stream_ctx.items() if not callable(value)}


class Records(logging.Handler):
    """Log records go to where the test sees them."""

    def __init__(self, calls: Calls) -> None:
        super().__init__()
        self._calls = calls

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one."""
        try:
            self._calls.tell("log", "take", record.name, record.levelno, record.getMessage())
        except ConnectionError:
            os._exit(0)


def drive(descriptor: int) -> None:
    """Do what comes until the other side is gone."""
    far = Far()
    far.calls = Calls(Connection(descriptor), {"far": far}, on_lost=lambda: os._exit(0))
    logging.basicConfig(level=logging.INFO, handlers=[Records(far.calls)], force=True)
    signal.pause()


def main() -> None:
    """Fork a process for each connection."""
    fobs_initialize()
    common_decomposers.register()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        while True:
            order, descriptors, _, _ = socket.recv_fds(orders, 1, 1)
            if not order:
                return
            process = os.fork()
            if process == 0:
                orders.close()
                drive(descriptors[0])
            os.close(descriptors[0])
            orders.sendall(process.to_bytes(4, "big"))


if __name__ == "__main__":
    main()
