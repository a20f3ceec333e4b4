"""What a stream is doing: one rule for the page, the command line and the API. Pure; monotonic seconds."""

from __future__ import annotations

import enum
import errno
import os
from dataclasses import dataclass

from logstreamer.inbound import Inbound, InboundState
from logstreamer.pauses import dead_after
from logstreamer.store.record import StreamRecord

QUIET_SECONDS = 10.0
"""A living sender whose file has not grown for this long is quiet."""

BEHIND_BYTES = 1 << 20
BEHIND_SECONDS = 2.0
"""A sender is behind with this many bytes to go, or with any that have not moved for this long."""

LOST = "it has not come back since the receiver was started"
"""Why a sender is dead that was there before the receiver was restarted."""

ELSEWHERE = "another program receives it"
"""Why nothing is known of a sender: that program alone hears it. NVFlare's server has receivers of its own."""

_PLACE = ", at byte "

_FULL = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


class State(enum.StrEnum):
    """What a person wants to know first."""

    WAITING = "waiting"
    LIVE = "live"
    QUIET = "quiet"
    BEHIND = "behind"
    DISK_FULL = "disk full"
    STALLED = "stalled"
    DEAD = "dead"
    FINISHED = "finished"
    FAILED = "failed"
    REFUSED = "refused by site"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


ENDS = frozenset({State.DEAD, State.FINISHED, State.FAILED, State.REFUSED, State.STOPPED})
"""States in which no sender has the stream, or none that is heard of."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """What the receiver knows of the sender of a run that is not over.

    Args:
        durable, reach: how far the copy and the sender's file reach, in bytes of the stream.
        last_data, last_beat: when bytes, and when anything, came last (monotonic seconds); None: not in this run.
        idle_timeout: seconds of silence that end the run; 0: none do.
        resumed: when the receiver last went on after a pause of its own: it heard nobody before.
        trouble: why the store takes nothing now, for a person.
    """

    link: InboundState
    durable: int
    reach: int
    last_data: float | None
    last_beat: float | None
    idle_timeout: float
    trouble: str = ""
    resumed: float = float("-inf")

    @classmethod
    def of(cls, inbound: Inbound) -> Pulse:
        """That of *inbound* now; on the engine's loop."""
        protocol = inbound.protocol
        return cls(
            inbound.state,
            protocol.durable if protocol else 0,
            inbound.reach,
            inbound.last_data,
            inbound.last_beat,
            protocol.idle_timeout if protocol else 0.0,
            inbound.trouble,
            inbound.resumed(),
        )


@dataclass(frozen=True, slots=True)
class Health:
    """A stream's state in words and numbers.

    Args:
        detail: what belongs to the state, for a person; may be empty.
        last_data, last_beat: seconds ago; None: not since the receiver started.
        behind: bytes known to exist at the site and not stored yet.
    """

    state: State
    detail: str = ""
    last_data: float | None = None
    last_beat: float | None = None
    reach: int = 0
    behind: int = 0


def judge(record: StreamRecord, pulse: Pulse | None, now: float, *, is_lost: bool = False) -> Health:
    """The health of a stream.

    Args:
        record: what is stored of it.
        pulse: of its run; None: no sender has it open.
        is_lost: its sender has had the time to come back after a start of the receiver, and has not.
    """
    if record.finished is not None:
        damaged = any(trouble.kind == "differs" for trouble in record.troubles)
        detail = "damaged, see `verify`" if damaged else "digest ok" if record.digest else ""
        return Health(State.FINISHED, detail, reach=record.size)
    if pulse is None or pulse.link is InboundState.OVER:
        return _without_sender(record, is_lost)
    data, beat = _age(pulse.last_data, now), _age(pulse.last_beat, now)
    behind = max(0, pulse.reach - max(pulse.durable, record.size))
    silence = None if beat is None else min(beat, now - pulse.resumed)
    state, detail = _with_sender(record, pulse, data, silence, behind)
    return Health(state, detail, data, beat, max(pulse.reach, record.size), behind)


def is_full(trouble: str) -> bool:
    """Whether a store's *trouble* is that there is no room."""
    return any(reason in trouble for reason in _FULL)


def _without_sender(record: StreamRecord, is_lost: bool) -> Health:
    match record.state:
        case "dead":
            return _dead(record, record.state_detail)
        case "failed":
            return Health(State.FAILED, record.state_detail, reach=record.size)
        case State.REFUSED.value:
            return Health(State.REFUSED, record.state_detail, reach=record.size)
        case "stopped":
            return Health(State.STOPPED, record.state_detail, reach=record.size)
    if record.state != State.UNKNOWN.value:  # some receiver keeps it up
        return Health(State.UNKNOWN, ELSEWHERE, reach=record.size)
    if is_lost:
        return _dead(record, LOST)
    return Health(State.UNKNOWN, "its sender has not come back yet", reach=record.size)


def _dead(record: StreamRecord, why: str) -> Health:
    why = why.partition(_PLACE)[0]
    return Health(State.DEAD, f"{why}{_PLACE}{record.size}" if why else f"at byte {record.size}", reach=record.size)


def _with_sender(
    record: StreamRecord, pulse: Pulse, data: float | None, silence: float | None, behind: int
) -> tuple[State, str]:
    if pulse.link is InboundState.STALLED:
        return State.DISK_FULL if is_full(pulse.trouble) else State.STALLED, pulse.trouble
    if silence is not None and silence >= dead_after(pulse.idle_timeout):
        return State.DEAD, f"no beat for {silence:.0f} s{_PLACE}{record.size}"
    if pulse.link is InboundState.DETACHED:
        return State.QUIET, "connection lost"
    if behind >= BEHIND_BYTES or (behind > 0 and (data is None or data >= BEHIND_SECONDS)):
        return State.BEHIND, f"{behind} bytes"
    if record.size == 0 and pulse.durable == 0:
        return State.WAITING, "nothing in the file yet" if record.segments else "for the file, or its first byte"
    if data is not None and data < QUIET_SECONDS:
        return State.LIVE, ""
    return State.QUIET, ""


def _age(then: float | None, now: float) -> float | None:
    return None if then is None else max(0.0, now - then)
