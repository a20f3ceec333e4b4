"""StreamStatus: a stored stream with what it is doing now, as the API tells it."""

from __future__ import annotations

import msgspec

from logstreamer.server.states import Health
from logstreamer.store.record import StreamRecord


class StreamStatus(StreamRecord, frozen=True, kw_only=True):
    """A record whose state is the one of now.

    Args:
        last_data, last_beat: seconds ago, by the receiver's monotonic clock; None: not in this life of the receiver.
        reach: how far the sender's file reaches, in bytes of the stream.
        behind: bytes known to exist at the site and not stored yet.
        rate: bytes a second, over the last seconds.
        last_line: the text of the last line, at most 200 characters; up to a second old.
    """

    last_data: float | None = None
    last_beat: float | None = None
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
            reach=health.reach,
            behind=health.behind,
            rate=round(rate, 1),
            last_line=last_line,
        )

    def brief(self) -> StreamStatus:
        """The same without its history of runs and segments, for a stream of events."""
        return msgspec.structs.replace(self, runs=(), segments=(), history=())


def _seconds(age: float | None) -> float | None:
    return None if age is None else round(age, 1)
