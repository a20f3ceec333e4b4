"""A receiver with its API in this process, a site that sends, and a client."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from logstreamer.engines.websocket import WebSocketEngine
from logstreamer.follow_spec import FollowSpec
from logstreamer.protocol.frames import StreamKey
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
    """

    def __init__(self, directory: Path, config: Config | None = None) -> None:
        self.directory = directory
        self.store = Store(directory / "copies")
        stored = Stored(self.store, idle_timeout=30.0)
        board = Board(stored)
        own = directory / "copies" / ".logstreamer"
        self.alerts = Alerts(config, board, self.store.reader, str(own)) if config else None
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

    def follow(self, name: str, content: bytes = b"", refusal: str = "", meta: dict | None = None):
        """Begin to send a file of *content*."""
        path = self.directory / name
        path.write_bytes(content)
        spec = FollowSpec(str(path), stop_event=self.stop, poll_interval=0.05, refusal=refusal)
        return self.site.follow(spec, StreamKey("c", "t", "j", name, str(path)), ["receiver"], meta)

    def finish(self, following) -> None:
        """Let it end, and wait for that."""
        self.stop.set()
        self.site.pump.call(following.wake)
        following.result(10)
        self.stop.clear()

    def ask(
        self, path: str, token: str = TOKEN, method: str = "GET", **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Ask for *path*."""
        connection = http.client.HTTPConnection(self.engine.endpoint.netloc, timeout=30)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body

    def append(self, name: str, content: bytes) -> None:
        """More bytes for a file that is followed."""
        with open(self.directory / name, "ab") as file:
            file.write(content)

    def events(self, *streams: str, last_id: str = "") -> Events:
        """Follow *streams*, PATH or PATH@OFFSET."""
        return Events(self.engine.endpoint.netloc, streams, last_id)

    def close(self) -> None:
        """End everything."""
        self.site.shutdown_streamer()
        self.engine.pump.ask(self.board.stop)
        self.engine.shutdown_streamer()
        if self.alerts is not None:
            self.alerts.stop()
        self.store.close()


class Event(NamedTuple):
    """One of them; *id* is the last one that was given."""

    name: str
    id: str
    data: dict


class Events:
    """A client of /api/v1/events."""

    def __init__(self, netloc: str, streams: tuple[str, ...], last_id: str = "") -> None:
        self.connection = http.client.HTTPConnection(netloc, timeout=20)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        query = "&".join(f"stream={quote(stream)}" for stream in streams)
        headers = {"Authorization": f"Bearer {TOKEN}", **({"Last-Event-ID": last_id} if last_id else {})}
        self.connection.request("GET", f"/api/v1/events?{query}", headers=headers)
        self.answer = self.connection.getresponse()
        self.id = ""

    def __iter__(self) -> Iterator[Event]:
        name, data = "", ""
        while line := self.answer.readline():
            field, _, value = line.decode().rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "id":
                self.id = value
            elif field == "data":
                data = value
            elif not field and data:
                yield Event(name, self.id, json.loads(data))
                name, data = "", ""

    def until(self, happened: Callable[[Event], bool]) -> list[Event]:
        """The events up to the first for which *happened* is true."""
        seen = []
        for event in self:
            seen.append(event)
            if happened(event):
                return seen
        raise AssertionError(f"the events ended with {seen[-1:]}")

    def close(self) -> None:
        """Leave."""
        self.answer.close()
        self.connection.close()


class Copy:
    """What a viewer has of the streams it follows, from events; checks that nothing is missing or comes twice."""

    def __init__(self) -> None:
        self.lines: dict[str, list[dict]] = {}
        self.open: dict[str, dict] = {}
        self.marks: list[dict] = []
        self.skipped: list[dict] = []
        self._end: dict[str, int] = {}

    def take(self, event: Event) -> Copy:
        """One more event."""
        data = event.data
        if event.name == "lines":
            stream = data["stream"]
            assert self._end.setdefault(stream, data["from"]) == data["from"]
            self.marks += data.get("marks", [])
            for line in data["lines"]:
                assert line["offset"] == self._end[stream]
                if line.get("open"):
                    self.open[stream] = line
                else:
                    self.open.pop(stream, None)
                    self.lines.setdefault(stream, []).append(line)
                    self._end[stream] = line["end"]
            assert data["to"] == self._end[stream]
        elif event.name == "skip":
            assert self._end.setdefault(data["stream"], data["from"]) == data["from"]
            self._end[data["stream"]] = data["to"]
            self.skipped.append(data)
        return self

    def texts(self, stream: str = "s/j/f") -> list[str]:
        """What it has of one."""
        return [line["text"] for line in self.lines.get(stream, [])]
