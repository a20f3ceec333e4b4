"""Detector: what has happened to a stream since a rule looked at it last. Pure; clocks come in."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from logstreamer.server.alerts.event import Event
from logstreamer.server.alerts.ledger import Known
from logstreamer.server.alerts.rules import Rule
from logstreamer.server.status import StreamStatus
from logstreamer.store.record import Gap
from logstreamer.store.sidecar import Run

LATELY_SECONDS = 3600.0
"""A rule that is new takes a stream whose sender has not come back for dead already, if nothing came for this long."""

_OVER = frozenset({"finished", "failed", "stopped"})
_WELL = frozenset({"OK", "TIMEOUT", "STOPPED", ""})
"""Ends of runs that are no failures: done, dead, stopped on purpose, and taken over by the sender's next run."""


class Look:
    """One stream at one moment.

    Args:
        ago: seconds since *status* was made.
        now: seconds since the epoch.
        listened: seconds for which the receiver has listened since it was held up itself: no silence counts for more.
    """

    def __init__(self, status: StreamStatus, ago: float, now: float, listened: float = float("inf")) -> None:
        self.status = status
        self.now = now
        since = status.last_data + ago if status.last_data is not None else now - _epoch(status.modified)
        self.silence = max(0.0, min(since, listened))

    def event(self, rule: Rule, detail: str, offset: int | None = None, lost: int | None = None) -> Event:
        """What *rule* says about it."""
        return Event(
            id=secrets.token_hex(8),
            rule=rule.name,
            kind=rule.when,
            stream=self.status.path,
            state=self.status.state,
            at=moment(self.now),
            detail=detail,
            offset=self.status.size if offset is None else offset,
            lost=lost,
        )


def detect(rule: Rule, look: Look, known: Known) -> list[Event]:
    """The events of *rule* that *known* does not know of yet; *known* knows them then. None of "match"."""
    return list(_DETECT[rule.when](rule, look, known))


def begin(rule: Rule, look: Look, known: Known) -> None:
    """The rule is new: what has happened before is no event."""
    detect(rule, look, known)
    known.offset = look.status.size
    if rule.when == "dead" and look.status.state == "unknown":
        known.active = look.silence > LATELY_SECONDS


def moment(now: float) -> str:
    """Seconds since the epoch as RFC 3339."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def identity(status: StreamStatus) -> str:
    """What tells a stream from another one at its path; "" where its sidecar is lost, which says when it began."""
    return status.created if status.key else ""


def _dead(rule: Rule, look: Look, known: Known) -> Iterator[Event]:
    if look.status.state == "dead":
        if not known.active:
            known.active = True
            yield look.event(rule, look.status.state_detail)
    elif look.status.state != "unknown":
        known.active = False


def _silent(rule: Rule, look: Look, known: Known) -> Iterator[Event]:
    if look.status.state not in _OVER and look.silence >= rule.silence and look.status.size != known.size:
        known.size = look.status.size
        sender = f"its sender is {look.status.state}" if look.status.state != "unknown" else "its sender is gone"
        yield look.event(rule, f"nothing came for {_length(look.silence)}, {sender}, at byte {look.status.size}")


def _finished(rule: Rule, look: Look, known: Known) -> Iterator[Event]:
    if look.status.finished is not None and not known.finished:
        known.finished = True
        yield look.event(rule, f"{look.status.size} bytes{', digest ok' if look.status.digest else ''}")


def _failed(rule: Rule, look: Look, known: Known) -> Iterator[Event]:
    ended = [run for run in look.status.runs if run.end is not None]
    seen = max(0, known.runs - look.status.runs_dropped)
    known.runs = look.status.runs_dropped + len(ended)
    for run in ended[seen:]:
        if run.rc not in _WELL:
            yield look.event(rule, _words_of_run(run), run.end)


def _gap(rule: Rule, look: Look, known: Known) -> Iterator[Event]:
    new = [gap for gap in look.status.gaps if gap.segment >= known.gaps]
    if new:
        known.gaps = new[-1].segment + 1
    for gap in new:
        yield look.event(rule, _words_of_gap(gap), gap.offset, gap.lost)


def _match(rule: Rule, look: Look, known: Known) -> Iterator[Event]:
    return iter(())


_DETECT: dict[str, Callable[[Rule, Look, Known], Iterator[Event]]] = {
    "dead": _dead,
    "silent": _silent,
    "finished": _finished,
    "failed": _failed,
    "gap": _gap,
    "match": _match,
}


def _words_of_run(run: Run) -> str:
    why = f"refused by site: {run.reason}" if run.rc == "REFUSED" else f"{run.rc} {run.reason}".strip()
    return f"{why}, at byte {run.end}"


def _words_of_gap(gap: Gap) -> str:
    lost = "bytes are" if gap.lost is None else f"{gap.lost} bytes are"
    detail = f", {gap.detail}" if gap.detail else ""
    return f"{lost} missing at byte {gap.offset} ({gap.reason}{detail})"


def _length(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _epoch(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return time.time()
