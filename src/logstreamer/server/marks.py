"""Marks: what happened to a stream, at the byte where it happened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from logstreamer.store.record import StreamRecord
from logstreamer.store.sidecar import Change, Run, Segment

Kind = Literal["start", "rotated", "truncated", "gap", "dead", "back", "failed", "refused", "stopped", "finished"]


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of them.

    Args:
        offset: it stands before the byte of this offset.
        at: wall clock, RFC 3339.
        lost: bytes that are missing there; None: none, or (of a gap) unknown how many.
    """

    offset: int
    kind: Kind
    at: str
    detail: str = ""
    lost: int | None = None


def marks_of(record: StreamRecord) -> list[Mark]:
    """Every mark of a stream, by offset."""
    known_since = record.history[0].at if record.history else "~"
    before = [mark for mark in _of_runs(record.runs) if mark.at < known_since]
    marks = [*map(_of_segment, record.segments), *before, *_of_changes(record.history)]
    if record.finished is not None:
        marks.append(Mark(record.size, "finished", record.finished))
    return sorted(marks, key=lambda mark: (mark.offset, mark.at))


def marks_between(record: StreamRecord, start: int, end: int, *, last: bool) -> tuple[Mark, ...]:
    """Those at [start, end); *last*: and at *end*, behind which there is nothing yet."""
    return tuple(mark for mark in marks_of(record) if start <= mark.offset < end or (last and mark.offset == end))


def _of_segment(segment: Segment) -> Mark:
    kind: Kind = "start" if segment.reason == "recovered" else segment.reason
    if segment.lost != 0 and kind == "start":
        kind = "gap"
    return Mark(segment.offset, kind, segment.at, segment.detail, segment.lost or None)


def _of_runs(runs: tuple[Run, ...]) -> Iterator[Mark]:
    """How each run ended, and that another one came back: what is left of it when changes of state are dropped."""
    for number, run in enumerate(runs):
        if number and run.start == runs[number - 1].end:
            yield Mark(run.start, "back", run.began, f"at byte {run.start}")
        if run.end is not None and run.rc == "TIMEOUT":
            yield Mark(run.end, "dead", run.ended or "", run.reason)
        elif run.end is not None and run.rc == "STOPPED":
            yield Mark(run.end, "stopped", run.ended or "", run.reason)
        elif run.end is not None and run.rc == "REFUSED":
            yield Mark(run.end, "refused", run.ended or "", run.reason)
        elif run.end is not None and run.rc not in ("OK", ""):  # "": its sender was restarted
            yield Mark(run.end, "failed", run.ended or "", f"{run.rc} {run.reason}".strip())


def _of_changes(history: tuple[Change, ...]) -> Iterator[Mark]:
    """Deaths, failures and stops, and what came back from them."""
    lost = False
    for change in history:
        if change.state == "dead":
            yield Mark(change.offset, "dead", change.at, change.detail)
        elif change.state == "failed":
            yield Mark(change.offset, "failed", change.at, change.detail)
        elif change.state == "refused by site":
            yield Mark(change.offset, "refused", change.at, change.detail)
        elif change.state == "stopped":
            yield Mark(change.offset, "stopped", change.at, change.detail)
        elif lost and change.state != "finished":
            yield Mark(change.offset, "back", change.at, f"at byte {change.offset}")
        lost = change.state in ("dead", "failed", "refused by site", "stopped")
