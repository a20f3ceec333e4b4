"""The networks the contract is run over. An engine of a site whose name begins with "server" receives, others send."""

from __future__ import annotations

import socket
from typing import Any

from logstreamer.apis.shareable import ReturnCode
from logstreamer.engines.base import BaseEngine
from logstreamer.engines.memory import MemoryNetwork
from logstreamer.engines.websocket import WebSocketEngine

SERVERS = ("server", "server-2", "server-3")
TOKEN = "open sesame"


class Net:
    """Engines by site name, made when they are first asked for."""

    keeps_secrets = True
    """Whether a secure stream is possible."""

    needed_for_secrets = "https"
    """Where it is not, the error says that it needs this."""

    ended_by_sender = ReturnCode.OK
    """How a receiver sees the end of an object stream that its consumer did not end."""

    def __init__(self) -> None:
        self._engines: dict[str, BaseEngine] = {}

    def engine(self, site: str, **options: Any) -> Any:
        """The engine of *site*."""
        if site not in self._engines:
            self._engines[site] = self._make(site, **options)
        return self._engines[site]

    def _make(self, site: str, **options: Any) -> BaseEngine:
        raise NotImplementedError

    def shut_down(self, site: str) -> None:
        """End the engine of *site* as a program would; the next one asked for is a new one."""
        self._engines.pop(site).shutdown_streamer()

    def vanish(self, site: str) -> None:
        """The engine of *site* is gone from one moment to the next, without a word to anybody."""
        engine = self._engines.pop(site)
        engine.pump.stop()
        engine.shutdown_streamer()
        engine._wakeup.close()
        for following in list(engine._followings):
            following.abandon("vanished")

    def close(self) -> None:
        """Shut down what is left, the senders first."""
        for site in sorted(self._engines, key=lambda site: site.startswith("server")):
            self._engines[site].shutdown_streamer()


class MemoryNet(Net):
    """Engines of one process."""

    def __init__(self) -> None:
        super().__init__()
        self.network = MemoryNetwork()

    def _make(self, site: str, **options: Any) -> BaseEngine:
        return self.network.engine(site, **options)


class WebSocketNet(Net):
    """Real servers on loopback; each keeps its port when it is made anew."""

    keeps_secrets = False

    def __init__(self) -> None:
        super().__init__()
        self._ports = dict(zip(SERVERS, _free_ports(len(SERVERS)), strict=True))

    def _make(self, site: str, **options: Any) -> BaseEngine:
        if site in self._ports:
            return WebSocketEngine.serve(site, port=self._ports[site], token=TOKEN, **options)
        urls = {server: f"http://127.0.0.1:{port}" for server, port in self._ports.items()}
        return WebSocketEngine.connect(site, urls, token=TOKEN, **options)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


NETS = {"memory": MemoryNet, "websocket": WebSocketNet}
