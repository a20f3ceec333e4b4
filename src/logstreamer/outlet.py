"""Outlet: one connection, seen from the streams that answer on it."""

from __future__ import annotations

from typing import Protocol

from logstreamer.protocol.frames import Frame


class Outlet(Protocol):
    """One connection, seen from the streams that answer on it.

    Attributes:
        is_patient: an ack may wait a moment for the next one; False where the sender sends nothing before it.
    """

    site: str
    is_patient: bool

    def ready(self, stream: int, source: FrameSource) -> None:
        """*source* may have frames for *stream*: ask its `next_frame` when there is room."""


class FrameSource(Protocol):
    """Who has frames to send."""

    @property
    def encoding(self) -> str:
        """How their payloads are encoded."""

    @property
    def may_send(self) -> bool:
        """False: `next_frame` has nothing now, and there is no need to ask it."""

    def next_frame(self, now: float) -> Frame | None: ...

    def fail(self, error: Exception) -> None:
        """`next_frame`, or sending its frame, raised *error*."""


class Farewell:
    """A last frame for a stream that nobody here holds any more."""

    encoding = ""
    may_send = False

    def __init__(self, frame: Frame) -> None:
        self._frame: Frame | None = frame

    def say(self, outlet: Outlet, stream: int) -> None:
        """Send it on *stream* of *outlet*."""
        outlet.ready(stream, self)

    def next_frame(self, now: float) -> Frame | None:
        """The frame, once."""
        frame, self._frame = self._frame, None
        return frame

    def fail(self, error: Exception) -> None:
        """There is nobody left to be told."""
