"""The in-process engine: for tests, simulators, and to see what a bad network does.

net = MemoryNetwork()
server, site = net.engine("server"), net.engine("site-1")
net.cut("site-1", "server")           # once; the engines reconnect by themselves
net.faults.drop = 0.01                # from now on one message in a hundred is lost
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from logstreamer.engines.base import BaseEngine
from logstreamer.engines.channel import Channel
from logstreamer.engines.inlet import Inlet
from logstreamer.engines.outbox import Outbox
from logstreamer.errors import ConfigError, RemoteProtocolError
from logstreamer.protocol.backoff import Backoff


@dataclass
class Faults:
    """What the network does to messages. May be changed at any time.

    Args:
        drop, duplicate, cut: how likely each message is lost, delivered twice, or ends its connection (0..1).
        delay: seconds every message takes, at least; order is kept.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    cut: float = 0.0
    delay: float = 0.0


class MemoryNetwork:
    """Engines of one process, by site name; every pair can talk.

    Args:
        seed: of the faults' random numbers; None: a new one each time.
    """

    def __init__(self, faults: Faults | None = None, seed: int | None = None) -> None:
        self.faults = faults or Faults()
        self.random = random.Random(seed)
        self._engines: dict[str, MemoryEngine] = {}
        self._links: set[_Link] = set()
        self._parted: set[frozenset[str]] = set()

    def engine(self, site: str, **options: Any) -> MemoryEngine:
        """A new engine for *site*; *options* as in `BaseEngine`. An earlier one of that name must be shut down.

        Raises:
            ConfigError: the name is taken.
        """
        if site in self._engines:
            raise ConfigError(f"this network has a site {site!r} already")
        self._engines[site] = MemoryEngine(self, site, **options)
        return self._engines[site]

    def find(self, site: str) -> MemoryEngine | None:
        """The engine of *site*, if it is there now."""
        return self._engines.get(site)

    def forget(self, engine: MemoryEngine) -> None:
        """*engine* is shut down: its connections end."""
        if self._engines.get(engine.site) is engine:
            del self._engines[engine.site]
        for link in list(self._links):
            if engine in (link.client, link.server):
                link.cut()

    def cut(self, one: str, other: str) -> None:
        """End every connection between two sites; they may connect again at once."""
        for link in list(self._links):
            if {link.client.site, link.server.site} == {one, other}:
                link.cut()

    def part(self, one: str, other: str) -> None:
        """Cut, and let no connection be made until `heal`."""
        self._parted.add(frozenset((one, other)))
        self.cut(one, other)

    def heal(self, one: str, other: str) -> None:
        """Undo `part`."""
        self._parted.discard(frozenset((one, other)))

    def link(self, client: MemoryEngine, channel: Channel) -> _Link | None:
        """A connection from *client* to the channel's target, if there can be one now."""
        server = self._engines.get(channel.target)
        if server is None or frozenset((client.site, channel.target)) in self._parted:
            return None
        link = _Link(self, client, server)
        self._links.add(link)
        return link

    def unlink(self, link: _Link) -> None:
        """The connection is over."""
        self._links.discard(link)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for engine in list(self._engines.values()):
            engine.shutdown_streamer()


class MemoryEngine(BaseEngine):
    """One site of a MemoryNetwork. Nothing leaves the process, so every stream is as secure as the process."""

    def __init__(self, network: MemoryNetwork, site: str, **options: Any) -> None:
        self._network = network
        super().__init__(site, **options)

    def _check_target(self, target: str, secure: bool) -> None:
        if not isinstance(target, str) or not target:
            raise ConfigError(f"a target must be the name of a site but got {target!r}")

    async def _connect(self, channel: Channel) -> None:
        backoff = Backoff(0.01, 0.2, self._network.random.random)
        while True:
            link = self._network.link(self, channel)
            if link is None:
                channel.disconnected(f"there is no site {channel.target!r} to be reached")
            else:
                await link.carry(channel)
                channel.disconnected("the connection was cut")
                backoff.reset()
            await asyncio.sleep(backoff.delay())

    def shutdown_streamer(self) -> None:
        super().shutdown_streamer()
        self._network.forget(self)


class _Link:
    """One connection; each direction is a task on the loop of the engine that sends."""

    def __init__(self, network: MemoryNetwork, client: MemoryEngine, server: MemoryEngine) -> None:
        self.client = client
        self.server = server
        self._network = network
        self._is_cut = False
        self._inlet: Inlet | None = None
        self._channel: Channel | None = None

    def cut(self) -> None:
        """End the connection, from any thread."""
        self._is_cut = True
        channel, inlet = self._channel, self._inlet
        if channel is not None:
            self.client.pump.call(channel.outbox.close)
        if inlet is not None:
            self.server.pump.call(inlet.outbox.close)

    async def carry(self, channel: Channel) -> None:
        """Carry messages both ways until the connection is cut; on the client's loop."""
        self.server.pump.call(lambda: self._serve(channel))
        channel.connected()
        self._channel = channel
        try:
            await self._send_all(channel.outbox, self.server, self._to_server)
        finally:
            self.cut()
            self._network.unlink(self)

    def _serve(self, channel: Channel) -> None:
        if not self._is_cut:
            self._inlet = Inlet(self.client.site, self.server.receiver, Outbox(self.server.pump.now))
            self.server.pump.spawn(self._answer(self._inlet, channel))

    async def _answer(self, inlet: Inlet, channel: Channel) -> None:
        try:
            await self._send_all(inlet.outbox, self.client, channel.receive)
        finally:
            inlet.lost()
            self.cut()

    def _to_server(self, message: bytes) -> None:
        if self._inlet is not None:
            self._inlet.receive(message)

    async def _send_all(self, outbox: Outbox, receiver: MemoryEngine, take: Callable[[bytes], None]) -> None:
        while not self._is_cut and (message := await outbox.next()) is not None:
            await asyncio.sleep(self._network.faults.delay)
            self._deliver(message, receiver, take)

    def _deliver(self, message: bytes, receiver: MemoryEngine, take: Callable[[bytes], None]) -> None:
        faults, chance = self._network.faults, self._network.random.random
        if chance() < faults.cut:
            self.cut()
        if self._is_cut or chance() < faults.drop:
            return
        for _ in range(2 if chance() < faults.duplicate else 1):
            receiver.pump.call(lambda: self._take(message, take))

    def _take(self, message: bytes, take: Callable[[bytes], None]) -> None:
        if self._is_cut:
            return
        try:
            take(message)
        except RemoteProtocolError:
            self.cut()
