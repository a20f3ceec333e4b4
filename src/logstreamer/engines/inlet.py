"""Inlet: the receiving end of one connection."""

from __future__ import annotations

from logstreamer.engines.outbox import Outbox
from logstreamer.outlet import FrameSource
from logstreamer.protocol.codec import decode
from logstreamer.receiver import Receiver


class Inlet:
    """Hands the messages of one authenticated site to the receiver; its answers wait in `outbox`.

    Args:
        site: who the connection proved to be.
    """

    is_patient = True

    def __init__(self, site: str, receiver: Receiver, outbox: Outbox) -> None:
        self.site = site
        self.outbox = outbox
        self._receiver = receiver

    def ready(self, stream: int, source: FrameSource) -> None:
        """*source* may have frames for *stream*."""
        self.outbox.ready(stream, source)

    def receive(self, message: bytes | memoryview) -> None:
        """Take one message.

        Raises:
            RemoteProtocolError: the site broke the protocol; the connection has to be closed.
        """
        stream, frame = decode(message)
        self._receiver.receive(self, stream, frame)

    def lost(self) -> None:
        """The connection is gone."""
        self._receiver.connection_lost(self)
