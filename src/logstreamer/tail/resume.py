"""Where a cursor begins whose receiver already holds a part of the stream."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from logstreamer.tail.cursor import Cursor
from logstreamer.tail.identity import FileId, ReadAt, continues
from logstreamer.tail.locate import Find, Past, close_all, open_sibling
from logstreamer.tail.siblings import Sibling
from logstreamer.tail.source import Source, lost_source, opening_of
from logstreamer.tail.types import ResumePoint, SegmentStart

Adopt = Callable[[list[Source], Source | None], None]


def resume_cursor(
    cursor: Cursor,
    resume: ResumePoint,
    sources: list[Source],
    first: Source | None,
    past: Past,
    adopt: Adopt,
    now: float,
) -> bool:
    """Enter *cursor* where *resume* goes on; False while that cannot be known, because no file is in sight.

    Held sources are looked at first, then rotated files, in each the one of the right name first; content is the
    proof. When nothing goes on there the cursor begins with *first*, after a gap of unknown size: older rotated files
    are not read, for nothing proves that they are newer than what the receiver holds. Raises OSError when a file
    cannot be looked at for now.
    """
    for source in sorted(sources, key=lambda source: source.opening.source != resume.source):
        content = source.content
        if content is not None and _goes_on(resume, source.opening.source, content.read, source.readable):
            cursor.enter(source, resume.position, None)
            return True
    listing = past.list_all()
    held = {source.content.id: source for source in sources if source.content is not None}
    found = _find(resume, [sibling for sibling in listing if sibling.id not in held])
    if found is not None:
        newer = listing[listing.index(found.sibling) + 1 :]
        try:
            chain, link = _build(found, newer, held, past, now)
        except OSError:
            close_all([found])
            raise
        adopt(chain, link or first)
        cursor.enter(chain[0], resume.position, None)
        return True
    if first is None:
        return False
    detail = f"no file goes on where the copy ends (byte {resume.position} of {resume.source})"
    cursor.enter(first, first.start, replace(first.opening, reason="gap", lost=None, detail=detail))
    return True


def _goes_on(resume: ResumePoint, name: str, read: ReadAt, size: int) -> bool:
    # The receiver holds none of this segment's bytes: only the name is left to go by.
    if resume.head.length == 0 and name != resume.source:
        return False
    return continues(resume, read, size)


def _find(resume: ResumePoint, siblings: list[Sibling]) -> Find | None:
    newest_first = siblings[::-1]
    for sibling in sorted(newest_first, key=lambda sibling: str(sibling.id) != resume.source):
        if not sibling.packed and sibling.size < resume.position:
            continue
        find = open_sibling(sibling)
        if find.content is None:
            continue
        try:
            if _goes_on(resume, str(sibling.id), find.content.read, find.content.look().size):
                return find
        except OSError:
            find.content.close()
            raise
        find.content.close()
    return None


def _build(
    found: Find, newer: list[Sibling], held: dict[FileId, Source], past: Past, now: float
) -> tuple[list[Source], Source | None]:
    """The found file and those rotated after it as nodes, up to the first that is held already."""
    assert found.content is not None
    chain = [_prior(found, now)]
    finds: list[Find] = []
    try:
        for sibling in newer:
            if sibling.id in held:
                return chain, held[sibling.id]
            find = open_sibling(sibling)
            finds.append(find)
            if find.content is None:
                size = None if sibling.packed else sibling.size
                chain.append(lost_source(SegmentStart(str(sibling.id), 0, "rotated"), size, find.why, now))
            elif past.unread_from(find.content, bool(sibling.packed), held.values()) is None:
                find.content.close()
            else:
                chain.append(_prior(find, now))
    except OSError:
        close_all(finds)
        raise
    return chain, None


def _prior(find: Find, now: float) -> Source:
    assert find.content is not None
    detail = os.path.basename(find.sibling.path)
    source = Source(find.content, opening_of(find.content, 0, "rotated", detail), now, prior=True)
    source.leave(now)
    return source
