"""What the API answers, where that is no type of its own."""

from __future__ import annotations

import msgspec

from logstreamer.server.status import StreamStatus
from logstreamer.server.watchdog import Reason


class Streams(msgspec.Struct, frozen=True):
    """Every stream; *now*: the receiver's wall clock, RFC 3339."""

    streams: list[StreamStatus]
    now: str


class Place(msgspec.Struct, frozen=True):
    """A byte of a stream."""

    offset: int


class ArrivalList(msgspec.Struct, frozen=True):
    """Seconds since the epoch, and from which offset on bytes came then; ascending by offset."""

    arrivals: list[tuple[float, int]]


class Trouble(msgspec.Struct, frozen=True):
    """Why there is no answer, in one clear line."""

    error: str


class Health(msgspec.Struct, frozen=True):
    """*instance* names this life of the receiver."""

    status: str
    instance: str


class Readiness(msgspec.Struct, frozen=True):
    """Whether what should move does."""

    status: str
    instance: str
    reasons: list[Reason]
