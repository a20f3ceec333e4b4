"""A TCP link that fails as told: one for each sender, in front of the receiver."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from tests.chaos.plan import Fault

_PIECE = 1 << 16


class Proxy:
    """All links of a run, on one event loop in a thread of its own. A context manager.

    Attributes:
        carried: bytes towards the receiver and back, of all links.
    """

    def __init__(self, sites: tuple[str, ...], upstream: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._links = {site: Link(upstream) for site in sites}
        self.ports: dict[str, int] = {}

    def __enter__(self) -> Proxy:
        self._thread.start()
        self.ports = {site: self._run(link.listen()) for site, link in self._links.items()}
        return self

    def __exit__(self, *exc: object) -> None:
        for link in self._links.values():
            self._run(link.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def inject(self, fault: Fault) -> None:
        """Let *fault* happen now, to the link of its target."""
        link = self._links[fault.target]
        self._loop.call_soon_threadsafe(link.inject, fault)

    def heal(self) -> None:
        """From now on all links work."""
        for link in self._links.values():
            self._loop.call_soon_threadsafe(link.heal)

    @property
    def carried(self) -> Counter[str]:
        """Bytes by direction, "up" towards the receiver."""
        total: Counter[str] = Counter()
        for link in self._links.values():
            total += link.carried
        return total

    @property
    def connections(self) -> int:
        """Made so far."""
        return sum(link.accepted for link in self._links.values())

    def _run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)


class Link:
    """One listening port and the connections through it; all on the loop."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._open = {"up": asyncio.Event(), "down": asyncio.Event()}
        self._refusing = False
        self._swallowing: set[str] = set()  # sides; what was swallowed never comes, so a cut has to follow
        self._delay = 0.0
        self._rate = 0
        self._budget: dict[str, int | None] = {"up": None, "down": None}
        self.carried: Counter[str] = Counter()
        self.accepted = 0
        for gate in self._open.values():
            gate.set()

    async def listen(self) -> int:
        """Take connections; the port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_PIECE)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Cut everything, and take no more."""
        self.heal()
        if self._server is not None:
            self._server.close()
        self._cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- faults

    def inject(self, fault: Fault) -> None:
        """Let *fault* begin, and end when its time is over."""
        match fault.kind:
            case "cut":
                self._cut()
            case "cut_after":
                self._budget[fault.side] = fault.amount
            case "stall":
                for side in ("up", "down") if fault.side == "both" else (fault.side,):
                    self._open[side].clear()
                    self._later(fault.seconds, self._open[side].set)
            case "delay":
                self._delay = fault.amount / 1000
                self._later(fault.seconds, self._no_delay)
            case "throttle":
                self._rate = fault.amount
                self._later(fault.seconds, self._no_throttle)
            case "refuse":
                self._refusing = True
                self._cut()
                self._later(fault.seconds, self._accept_again)
            case "half_open":
                self._halve(fault)
            case "swallow":
                self._swallowing.add(fault.side)
            case other:
                raise ValueError(other)

    def heal(self) -> None:
        """End every fault at once."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._no_delay()
        self._no_throttle()
        self._accept_again()
        self._swallowing.clear()
        self._budget = {"up": None, "down": None}
        for gate in self._open.values():
            gate.set()
        for pair in list(self._pairs):
            if pair.halved:
                pair.abort()

    def _cut(self) -> None:
        for pair in list(self._pairs):
            pair.abort()

    def _halve(self, fault: Fault) -> None:
        """Break one side of each connection; the other hears nothing of it until the time is over."""
        for pair in list(self._pairs):
            pair.halve(fault.side)
            self._later(fault.seconds, pair.abort)

    def _later(self, seconds: float, act: Any) -> None:
        self._timers.add(asyncio.get_running_loop().call_later(seconds, act))

    def _no_delay(self) -> None:
        self._delay = 0.0

    def _no_throttle(self) -> None:
        self._rate = 0

    def _accept_again(self) -> None:
        self._refusing = False

    # --- bytes

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self._refusing:
            writer.transport.abort()
            return
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream, limit=_PIECE)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, up_writer)
        self._pairs.add(pair)
        tasks = [
            asyncio.ensure_future(self._carry(pair, reader, up_writer, "up")),
            asyncio.ensure_future(self._carry(pair, up_reader, writer, "down")),
        ]
        self._tasks.update(tasks)
        await asyncio.gather(*tasks, return_exceptions=True)
        pair.abort()
        self._tasks.difference_update(tasks)
        self._pairs.discard(pair)

    async def _carry(self, pair: _Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, side: str) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_PIECE):
                if side in self._swallowing:
                    continue
                await self._open[side].wait()
                if self._delay:
                    await asyncio.sleep(self._delay)  # the link's own latency
                if self._rate:
                    await asyncio.sleep(min(len(data) / self._rate, 2.0))
                whole = self._allowed(data, side)
                if not pair.halved:
                    writer.write(whole)
                    await writer.drain()
                    self.carried[side] += len(whole)
                if len(whole) < len(data):
                    self._budget[side] = None
                    pair.cut_behind(side)
                    break
        await pair.ended(side)

    def _allowed(self, data: bytes, side: str) -> bytes:
        budget = self._budget[side]
        if budget is None:
            return data
        self._budget[side] = max(0, budget - len(data))
        return data[:budget] if len(data) > budget else data


class _Pair:
    """Both halves of a connection."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._client = client
        self._server = server
        self._aborted = asyncio.Event()
        self.halved = False

    def abort(self) -> None:
        """Reset both."""
        self._aborted.set()
        self._client.transport.abort()
        self._server.transport.abort()

    def halve(self, side: str) -> None:
        """Reset the half on *side* (up: the receiver's); keep the other open, and deaf."""
        self.halved = True
        (self._server if side == "up" else self._client).transport.abort()

    def cut_behind(self, side: str) -> None:
        """What was written towards *side* still arrives, then both halves are gone."""
        (self._server if side == "up" else self._client).close()
        (self._client if side == "up" else self._server).transport.abort()

    async def ended(self, side: str) -> None:
        """One direction is over: so is the other, unless it shall not hear of it yet."""
        if self.halved:
            await self._aborted.wait()
        elif not self._aborted.is_set():
            # A proper end: what is still under way to the other side arrives.
            with contextlib.suppress(OSError):
                await (self._server if side == "up" else self._client).drain()
            (self._server if side == "up" else self._client).close()
