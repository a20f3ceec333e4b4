"""Chunks: what NVFlare's own sender says, in frames."""

from __future__ import annotations

import uuid
from typing import Any

from logstreamer.apis.streaming import PayloadKey
from logstreamer.errors import RemoteProtocolError
from logstreamer.protocol.codec import checksum
from logstreamer.protocol.frames import MAX_PAYLOAD, VERSION, Data, Eof, Frame, Heartbeat, Open, Segment, StreamKey


class ChunkReader:
    """The frames of one stream of chunks. Nothing in it says where a chunk belongs, so each stream is a new one.

    Args:
        name: of the file.
    """

    def __init__(self, name: str) -> None:
        self._run = uuid.uuid4().hex
        self._offset = 0
        self._opening: list[Frame] = [
            Open(VERSION, StreamKey("", "", "", name, self._run), self._run, attempt=1),
            Segment(0, 0, "", 0, "start", 0, "from NVFlare's own sender"),
        ]

    def opening(self) -> list[Frame]:
        """The frames that begin the stream; once."""
        opening, self._opening = self._opening, []
        return opening

    def frames(self, message: Any) -> list[Frame]:
        """Those of one message.

        Raises:
            RemoteProtocolError: its data is not what its size field says.
        """
        data = message.get(PayloadKey.DATA)
        if message.get(PayloadKey.HEARTBEAT):
            return [Heartbeat(self._offset, self._offset, 1)]
        if data is not None and not isinstance(data, bytes | bytearray):
            raise RemoteProtocolError(f"data must be bytes but got {type(data).__name__}")
        if len(data or b"") != message.get(PayloadKey.SIZE):
            raise RemoteProtocolError(
                f"{len(data or b'')} bytes of data, the size field says {message.get(PayloadKey.SIZE)}"
            )
        frames: list[Frame] = []
        view = memoryview(data or b"")
        for begin in range(0, len(view), MAX_PAYLOAD):
            part = view[begin : begin + MAX_PAYLOAD]
            frames.append(Data(self._offset, checksum(part), 1, part))
            self._offset += len(part)
        if message.get(PayloadKey.EOF):
            frames.append(Eof(self._offset, b"", 1))
        return frames
