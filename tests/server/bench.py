"""A receiver with its API in this process, a site that sends, and a client."""

from __future__ import annotations

import http.client
import threading
from pathlib import Path

from logstreamer.engines.websocket import WebSocketEngine
from logstreamer.protocol.frames import StreamKey
from logstreamer.sender import FollowSpec
from logstreamer.server.alerts.rules import Config
from logstreamer.server.alerts.service import Alerts
from logstreamer.server.api import Api
from logstreamer.server.board import Board
from logstreamer.store.catalogue import Store
from logstreamer.store_sink import Stored

TOKEN = "a-token"


class Bench:
    """A receiver with its API, a site that sends, and a client.

    Args:
        config: alerts; None: none.
        idle_timeout: of what they know; the receiver's own is 30 s.
    """

    def __init__(self, directory: Path, config: Config | None = None, idle_timeout: float = 30.0) -> None:
        self.directory = directory
        self.store = Store(directory / "copies")
        stored = Stored(self.store, idle_timeout=30.0)
        board = Board(stored)
        own = directory / "copies" / ".logstreamer"
        self.alerts = Alerts(config, board, self.store.reader, str(own), idle_timeout) if config else None
        self.engine = WebSocketEngine.serve(
            "receiver", port=0, token=TOKEN, routes=Api(stored, board, TOKEN, "i", self.alerts).routes()
        )
        self.engine.take_other_streams(stored.open_sink)
        board.start(self.engine)
        if self.alerts is not None:
            self.alerts.start(self.engine)
        self.board = board
        self.site = WebSocketEngine.connect("s", {"receiver": self.engine.url}, token=TOKEN)
        self.stop = threading.Event()

    def follow(self, name: str, content: bytes = b""):
        """Begin to send a file of *content*."""
        path = self.directory / name
        path.write_bytes(content)
        spec = FollowSpec(str(path), stop_event=self.stop, poll_interval=0.05)
        return self.site.follow(spec, StreamKey("c", "t", "j", name, str(path)), ["receiver"])

    def finish(self, following) -> None:
        """Let it end, and wait for that."""
        self.stop.set()
        self.site.pump.call(following.wake)
        following.result(10)
        self.stop.clear()

    def ask(self, path: str, token: str = TOKEN, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        """GET *path*."""
        connection = http.client.HTTPConnection(self.engine.endpoint.netloc, timeout=10)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body

    def close(self) -> None:
        """End everything."""
        self.site.shutdown_streamer()
        self.engine.pump.ask(self.board.stop)
        self.engine.shutdown_streamer()
        if self.alerts is not None:
            self.alerts.stop()
        self.store.close()
