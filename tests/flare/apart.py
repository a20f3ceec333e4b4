"""A network of two processes: the servers here, with the tests; the sites that send in another one."""

from __future__ import annotations

import inspect
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from contract.nets import SERVERS
from flare.calls import Calls
from flare.net import FlareNet
from logstreamer import FLContext, ObjectProducer, ReturnCode, Signal


class FarProcess:
    """One process that sends.

    Args:
        url: of the root of all cells.
    """

    def __init__(self, process: int, connection: socket.socket, url: str) -> None:
        self._process = process
        self.calls = Calls(Connection(connection.detach()), {"log": Log()})
        self.calls.call("far", "begin", url)

    def kill(self) -> None:
        """It is gone from one moment to the next."""
        os.kill(self._process, signal.SIGKILL)
        self.calls.close()


class Nursery:
    """Makes such processes, one at a time: `far.py` has everything imported and forks them."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flare.far", str(theirs.fileno())],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self._far: FarProcess | None = None

    def far(self, url: str) -> FarProcess:
        """The process that sends; kept until it is killed."""
        if self._far is None:
            ours, theirs = socket.socketpair()
            socket.send_fds(self._orders, [b"1"], [theirs.fileno()])
            theirs.close()
            process = int.from_bytes(self._orders.recv(4), "big")
            self._far = FarProcess(process, ours, url)
        return self._far

    def kill(self) -> None:
        """Kill the process that sends."""
        far, self._far = self._far, None
        assert far is not None
        far.kill()

    def close(self) -> None:
        """End it all."""
        if self._far is not None:
            self.kill()
        self._orders.close()
        self._process.wait()


class Log:
    """Takes log records of the other process."""

    @staticmethod
    def take(name: str, level: int, message: str) -> None:
        """As if they were of this one."""
        logger = logging.getLogger(name)
        if logger.isEnabledFor(level):
            logger.handle(logger.makeRecord(name, level, "far", 0, message, (), None))


class ApartNet(FlareNet):
    """Engines by site name."""

    keeps_secrets = False
    needed_for_secrets = "certificates"
    ended_by_sender = ReturnCode.TASK_ABORTED

    def __init__(self, nursery: Nursery) -> None:
        super().__init__()
        self._nursery = nursery
        self._far_sites: dict[str, FarSite] = {}

    def engine(self, site: str, abort_signal: Signal | None = None) -> Any:
        """Of a server; or what stands for that of a site."""
        if site in SERVERS:
            return super().engine(site, abort_signal)
        if site not in self._far_sites:
            self._far_sites[site] = FarSite(self.far(), site)
        return self._far_sites[site]

    def far(self) -> FarProcess:
        """The process that sends."""
        return self._nursery.far(self._url)

    def vanish(self, site: str) -> None:
        """With its process, and all in it."""
        assert site in self._far_sites
        self._far_sites.clear()
        self._nursery.kill()

    def close(self) -> None:
        """Nothing of this test answers any more."""
        super().close()
        if self._far_sites:
            self.far().calls.call("far", "forget")


class FarSite:
    """An engine that sends from the other process."""

    def __init__(self, far: FarProcess, name: str) -> None:
        self.calls = far.calls
        self.name = name
        self.calls.call("far", "connect", name)

    def new_context(self, job_id: str | None = None, abort_signal: Signal | None = None) -> FLContext:
        """A context, for a job where one is named."""
        return FLContext(self, self.name, job_id, abort_signal)

    def stream(self, what: str, arguments: dict[str, Any]) -> tuple[str, Any]:
        """Call a streamer there."""
        fl_ctx, ours = arguments.pop("fl_ctx"), arguments["stream_ctx"]
        abort = self.calls.offer(fl_ctx.get_run_abort_signal())
        stop = self.calls.offer(arguments.pop("stop_event", None))
        try:
            rc, result, stream_ctx = self.calls.call(
                "far", "stream", what, self.name, fl_ctx.get_job_id(), abort, stop, arguments
            )
        finally:
            self.calls.withdraw(abort)
            self.calls.withdraw(stop)
        if ours is not None:
            ours.update(stream_ctx)
        return rc, result

    def stream_objects(
        self,
        channel: str,
        topic: str,
        stream_ctx: dict[str, Any],
        targets: Any,
        producer: ObjectProducer,
        fl_ctx: FLContext,
    ) -> tuple[str, Any]:
        """Send what *producer*, which is here, makes."""
        near = NearProducer(producer, fl_ctx)
        names = [self.calls.offer(fl_ctx.get_run_abort_signal()), self.calls.offer(near)]
        try:
            rc, result = self.calls.call(
                "far",
                "stream_objects",
                *(self.name, fl_ctx.get_job_id(), names[0], channel, topic, stream_ctx, list(targets), names[1]),
            )
        finally:
            for name in names:
                self.calls.withdraw(name)
        return rc, near.result if result is not None else None


class NearProducer:
    """A test's producer, called from there."""

    def __init__(self, producer: ObjectProducer, fl_ctx: FLContext) -> None:
        self.result: Any = None
        self._producer = producer
        self._fl_ctx = fl_ctx

    def produce(self, stream_ctx: dict[str, Any]) -> Any:
        """The next message."""
        return self._producer.produce(stream_ctx, self._fl_ctx)

    def process_replies(self, replies: Any, stream_ctx: dict[str, Any]) -> bool | None:
        """Its result stays here; there it is enough whether it is one of success."""
        self.result = self._producer.process_replies(replies, stream_ctx, self._fl_ctx)
        return None if self.result is None else bool(self.result)


def over_there(what: str, here: Callable[..., Any]) -> Callable[..., Any]:
    """*here*, called in the other process when its engine is one of those there."""
    signature = inspect.signature(here)

    def call(*arguments: Any, **named: Any) -> Any:
        bound = signature.bind(*arguments, **named).arguments
        engine = bound["fl_ctx"].get_engine()
        return engine.stream(what, dict(bound)) if isinstance(engine, FarSite) else here(*arguments, **named)

    return call
