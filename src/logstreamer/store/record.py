"""What a person or a page is told about one stored stream."""

from __future__ import annotations

import msgspec

from logstreamer.store.layout import Place
from logstreamer.store.sidecar import Change, Checked, Run, Segment, Sidecar, Trouble, at

_SETTLED = frozenset({"finished", "failed", "dead", "refused by site", "stopped"})


class Gap(msgspec.Struct, frozen=True):
    """Bytes that were lost before they could be read.

    Args:
        offset: of the stream, where they are missing.
        lost: how many; None if that is unknown.
        segment: index of the one that begins behind it.
    """

    offset: int
    lost: int | None
    reason: str
    detail: str
    at: str
    segment: int = 0


class StreamRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot of one stored stream; JSON by `msgspec.json`.

    Args:
        file: path below the job, with its number if it has one.
        path: relative to the store's root.
        key: identity of the stream; "" if it is not known.
        state: as last set while its receiver runs; "unknown" where nobody can know (no receiver runs, or the sender
            has not come back to it), except for what is settled: finished, failed, dead, stopped.
        since: when the state was entered.
        size: of the stored file, in bytes: the durable offset.
        runs: the newest; *runs_dropped* older ones are not kept any more.
        troubles: what went wrong on this disk.
        created, modified, finished, since: wall clock, RFC 3339 in UTC, for people only.
        digest: xxh3-128 in hex of the whole file, once finished.
        history: the latest changes of state, oldest first.
        checked: the digest of how it begins, for a stream that is not finished.
    """

    site: str
    job: str
    file: str
    path: str
    key: str
    state: str
    state_detail: str
    since: str
    size: int
    runs: tuple[Run, ...]
    runs_dropped: int
    segments: tuple[Segment, ...]
    gaps: tuple[Gap, ...]
    troubles: tuple[Trouble, ...]
    meta: dict[str, str]
    created: str
    modified: str
    finished: str | None
    digest: str | None
    history: tuple[Change, ...] = ()
    checked: Checked | None = None

    @classmethod
    def of(cls, known: Sidecar, place: Place, size: int, modified: float, *, believed: bool) -> StreamRecord:
        """The record of a stream whose stored file has *size* bytes and was written at *modified* (seconds, epoch).

        Args:
            believed: the state is kept up by a running receiver.
        """
        settled = believed or known.state in _SETTLED
        return cls(
            site=place.parents[0],
            job=place.parents[1],
            file="/".join((*place.parents[2:], place.file)),
            path=place.path,
            key=known.key,
            state=known.state if settled else "unknown",
            state_detail=known.state_detail if settled else "",
            since=known.since,
            size=size,
            runs=known.runs,
            runs_dropped=known.runs_dropped,
            segments=known.segments,
            gaps=tuple(
                Gap(segment.offset, segment.lost, segment.reason, segment.detail, segment.at, index)
                for index, segment in enumerate(known.segments)
                if segment.lost != 0
            ),
            troubles=known.troubles,
            meta=known.meta,
            created=known.created,
            modified=at(modified),
            finished=known.finished,
            digest=known.digest,
            history=known.history,
            checked=known.checked,
        )
