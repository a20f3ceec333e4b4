"""StreamStatus: a stored stream with what it is doing now, as the API tells it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from logstreamer.server.states import ENDS, Health
from logstreamer.store.record import StreamRecord


class StreamStatus(StreamRecord, frozen=True, kw_only=True):
    """A record whose state is the one of now.

    Args:
        last_data, last_beat: seconds ago, by the receiver's monotonic clock; None: not in this life of the receiver.
        ended: seconds ago, by the wall clock, when the last run came to the end that the state tells; None: one
            is not over, or nobody knows.
        reach: how far the sender's file reaches, in bytes of the stream.
        behind: bytes known to exist at the site and not stored yet.
        rate: bytes a second, over the last seconds.
        last_line: the text of the last line, at most 200 characters; up to a second old.
    """

    last_data: float | None = None
    last_beat: float | None = None
    ended: float | None = None
    reach: int = 0
    behind: int = 0
    rate: float = 0.0
    last_line: str = ""

    @classmethod
    def join(cls, record: StreamRecord, health: Health, rate: float = 0.0, last_line: str = "") -> StreamStatus:
        """*record* with *health* in the place of the state on disk."""
        known = {name: getattr(record, name) for name in StreamRecord.__struct_fields__}
        known.update(state=health.state.value, state_detail=health.detail)
        return cls(
            **known,
            last_data=_seconds(health.last_data),
            last_beat=_seconds(health.last_beat),
            ended=_ended(record, health),
            reach=health.reach,
            behind=health.behind,
            rate=round(rate, 1),
            last_line=last_line,
        )

    def brief(self) -> StreamStatus:
        """The same without its history of runs and segments, for a stream of events."""
        return msgspec.structs.replace(self, runs=(), segments=(), history=())


def _ended(record: StreamRecord, health: Health) -> float | None:
    # A stream whose sender has it still is dead by its silence alone: it may come back at any moment.
    if health.state not in ENDS or health.state.value != record.state or health.last_beat is not None:
        return None
    return _seconds(max(0.0, (datetime.now(UTC) - datetime.fromisoformat(record.since)).total_seconds()))


def _seconds(age: float | None) -> float | None:
    return None if age is None else round(age, 1)
