"""How a sidecar changes: pure functions from one to the next. The caller writes what they return."""

from __future__ import annotations

from msgspec.structs import replace

from logstreamer.errors import StoreError
from logstreamer.store.sidecar import Change, Run, Segment, Sidecar, Trouble, TroubleKind, now

MAX_TEXT = 4096
"""Most characters of a name that a peer gives to a run, a source, ..."""

MAX_DETAIL = 500
"""Characters that are kept of a text for people."""

MAX_RUNS = 1000
"""Runs that are kept, the newest: a sender that dies every few seconds must not make the sidecar grow for ever."""


MAX_CHANGES = 200
"""Changes of state that are kept, the newest."""


END_STATES = {"TIMEOUT": "dead", "REFUSED": "refused by site", "STOPPED": "stopped"}
"""The state of a stream whose run ended with a return code; "failed" for all others but OK."""


def text(value: str, what: str) -> str:
    """*value*, which comes from a peer, if JSON can carry it.

    Raises:
        StoreError: it is not valid Unicode, or longer than MAX_TEXT.
    """
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise StoreError(f"{what} {value[:80]!r} is not valid Unicode") from error
    if len(value) > MAX_TEXT:
        raise StoreError(f"{what} {value[:80]!r}... is longer than {MAX_TEXT} characters")
    return value


def words(value: str, what: str) -> str:
    """As `text`, for people: shortened to MAX_DETAIL."""
    value = text(value[:MAX_TEXT], what)
    return value if len(value) <= MAX_DETAIL else f"{value[: MAX_DETAIL - 1]}…"


def in_state(known: Sidecar, state: str, detail: str, offset: int, at: str = "") -> Sidecar:
    """*known* in another state, or in the same one since the same time.

    Args:
        offset: how far the copy has come.
        at: when it entered that state, RFC 3339; "": now.
    """
    state, detail = text(state, "state"), words(detail, "detail")
    changes, since = known.history, known.since
    if known.state != state or not changes:
        since = at or now()
        changes = (*changes, Change(since, state, detail, offset))[-MAX_CHANGES:]
    return replace(known, state=state, state_detail=detail, since=since, history=changes)


def run_ended(known: Sidecar, end: int, rc: str, reason: str) -> Sidecar:
    """The last run, if it still goes on, ends at offset *end*."""
    if not known.runs or known.runs[-1].end is not None:
        return known
    *before, last = known.runs
    ended = replace(last, end=end, ended=now(), rc=text(rc, "rc"), reason=words(reason, "reason"))
    return replace(known, runs=(*before, ended))


def run_begun(known: Sidecar, run: str, start: int) -> Sidecar:
    """A run begins at offset *start*; one that still goes on is ended: its sender was restarted."""
    known = run_ended(known, start, "", f"run {text(run, 'run')} took over")
    runs = (*known.runs, Run(run, start, now()))
    dropped = max(0, len(runs) - MAX_RUNS)
    return replace(known, runs=runs[dropped:], runs_dropped=known.runs_dropped + dropped)


def segment_closed(known: Sidecar, end: int, digest: str) -> Sidecar:
    """The last segment ends at offset *end*."""
    *before, last = known.segments
    return replace(known, segments=(*before, replace(last, end=end, digest=digest)))


def segment_started(known: Sidecar, segment: Segment) -> Sidecar:
    """*segment* is the last one now; the one before it is closed already."""
    return replace(known, segments=(*known.segments, segment))


def finished(known: Sidecar, end: int, digest: str) -> Sidecar:
    """The stream ended at offset *end*; *digest* is of all of it."""
    known = in_state(run_ended(known, end, "OK", ""), "finished", "", end)
    return replace(known, finished=now(), digest=digest, checked=None)


def troubled(known: Sidecar, kind: TroubleKind, size: int, detail: str) -> Sidecar:
    """One more trouble, found at a stored file of *size* bytes."""
    return replace(known, troubles=(*known.troubles, Trouble(kind, size, detail, now())))


def recovered(key: str, size: int, why: str) -> Sidecar:
    """A sidecar for *size* bytes of which nothing is known but that they are there.

    They become one segment without a source that begins at 0 of it: true for every file that never rotated, and the
    sender compares head and anchor before it continues there.
    """
    at = now()
    found = Segment(offset=0, source="", source_offset=0, reason="recovered", detail=why, at=at)
    known = Sidecar(key=key, state="unknown", since=at, size=size, created=at, segments=(found,) if size else ())
    return troubled(known, "recovered", size, why)


def reconcile(known: Sidecar, size: int) -> Sidecar:
    """*known* made true for a stored file of *size* bytes; the same object if it is already.

    Longer is normal: bytes came after the last write of the sidecar. Shorter is trouble: somebody cut the file, or the
    machine lost power before it was on the disk. Segments that begin above the end are dropped, with a trouble that
    says so, and the one that holds the end is open again: a sender whose source still exists sends the rest once more.
    """
    if known.finished is not None:
        if size == known.size:
            return known
        detail = f"the finished stream had {known.size} bytes, its file has {size}"
        return troubled(known, "shorter" if size < known.size else "longer", size, detail)
    if size >= known.size and all(segment.offset <= size for segment in known.segments):
        return known
    return _cut(known, size)


def _cut(known: Sidecar, size: int) -> Sidecar:
    """What is left of an unfinished stream whose file was cut to *size* bytes."""
    kept = [segment for segment in known.segments if segment.offset <= size]
    dropped = len(known.segments) - len(kept)
    if kept:
        kept[-1] = replace(kept[-1], end=None, digest=None)
    at = now()
    # A run that reaches above the end is over: its digest would be of bytes that are gone.
    checked = known.checked if known.checked is not None and known.checked.size <= size else None
    runs = tuple(
        replace(run, start=min(run.start, size), end=size, ended=run.ended or at, reason=run.reason or "file was cut")
        if run.end is None or run.end > size
        else run
        for run in known.runs
    )
    changes = tuple(replace(change, offset=min(change.offset, size)) for change in known.history)
    was = max([known.size, *(segment.offset for segment in known.segments)])
    detail = f"{was - size} of {was} bytes are missing at the end, and {dropped} segments that began there"
    return troubled(
        replace(known, size=size, checked=checked, segments=tuple(kept), runs=runs, history=changes),
        "shorter",
        size,
        detail,
    )
