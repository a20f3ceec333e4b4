"""A relay between a real sender and a real receiver that meddles with single messages; written from docs/protocol.md.

What TCP never does to a connection, a faulty transport or peer does to messages: it loses, doubles and swaps them, and
says what is not true.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import msgspec
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from e2e.processes import TOKEN

OPEN, ACCEPT, REJECT, SEGMENT, DATA, HEARTBEAT, ACK, EOF = range(1, 9)
PATH, SITE_HEADER, SUBPROTOCOL = "/api/v1/ingest", "X-Logstreamer-Site", "logstreamer.v1"
_PREFIX = struct.Struct(">IBH")
_quiet = logging.getLogger("tests.relay")


@dataclass(frozen=True)
class Message:
    """One frame: the fields stand in the header behind the kind."""

    stream: int
    flags: int
    kind: int
    fields: tuple[Any, ...]
    payload: bytes = b""

    @classmethod
    def read(cls, message: bytes) -> Message:
        """Take a binary message apart."""
        stream, flags, length = _PREFIX.unpack_from(message)
        end = _PREFIX.size + length
        kind, *fields = msgspec.msgpack.decode(message[_PREFIX.size : end])
        return cls(stream, flags, kind, tuple(fields), message[end:])

    def write(self) -> bytes:
        """The binary message."""
        header = msgspec.msgpack.encode([self.kind, *self.fields])
        return _PREFIX.pack(self.stream, self.flags, len(header)) + header + self.payload

    def with_field(self, index: int, value: Any) -> Message:
        """The same but for one field."""
        return replace(self, fields=(*self.fields[:index], value, *self.fields[index + 1 :]))


Meddle = Callable[[Message], Sequence[Message]]


def honest(message: Message) -> Sequence[Message]:
    """As it came."""
    return [message]


class Relay:
    """Listens on a port of its own and passes messages on to *port*; a context manager.

    Attributes:
        up, down: what becomes of each message towards the receiver, and back.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.up: Meddle = honest
        self.down: Meddle = honest
        self.connections = 0
        self._newest: ServerConnection | None = None
        self._server = serve(
            self._carry,
            "127.0.0.1",
            0,
            subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
            compression=None,
            max_size=2 << 20,
            close_timeout=1,
            logger=_quiet,
        )
        self.url = f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def _carry(self, sender: ServerConnection) -> None:
        self.connections += 1
        self._newest = sender
        assert sender.request is not None
        with contextlib.suppress(OSError, InvalidStatus), dial(self._port, sender.request.headers[SITE_HEADER]) as back:
            answers = threading.Thread(target=self._pass, args=(back, sender, "down"))
            answers.start()
            self._pass(sender, back, "up")
            answers.join()

    def _pass(self, source: Any, drain: Any, way: str) -> None:
        with contextlib.suppress(ConnectionClosed):
            for message in source:
                for sent in getattr(self, way)(Message.read(message)):
                    drain.send(sent.write())
        drain.close()

    def cut(self) -> None:
        """End the connection of the sender that came last."""
        assert self._newest is not None
        self._newest.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._thread.join()


def dial(port: int, site: str, **headers: str) -> Any:
    """A connection to the receiver at *port*, as a sender makes it."""
    options = {"additional_headers": {"Authorization": f"Bearer {TOKEN}", SITE_HEADER: site, **headers}}
    sock = socket.create_connection(("127.0.0.1", port), 10)
    return connect(
        f"ws://127.0.0.1:{port}{PATH}",
        sock=sock,
        subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
        compression=None,
        max_size=2 << 20,
        close_timeout=1,
        logger=_quiet,
        **options,  # type: ignore[arg-type]
    )
