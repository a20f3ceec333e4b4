"""Where a cursor begins whose receiver already holds a part of the stream."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from logstreamer.tail.identity import ReadAt, Token, continues
from logstreamer.tail.locate import Find, Past, close_all, open_sibling
from logstreamer.tail.siblings import Sibling
from logstreamer.tail.source import Source, lost_source, opening_of
from logstreamer.tail.types import ResumePoint


@dataclass(frozen=True, slots=True)
class Resumed:
    """Where a resume point goes on.

    Args:
        source: in this source.
        prior: *source* and what was rotated after it, when they were not held open yet; else empty.
        link: the held source that follows the last of *prior*; None: the first one held.
        certain: shown by text; else only its name says that it is the file, and it may have been emptied meanwhile.
    """

    source: Source
    prior: list[Source]
    link: Source | None = None
    certain: bool = True


def find_resumed(resume: ResumePoint, held: list[Source], past: Past, now: float) -> Resumed | None:
    """Find the file that goes on where *resume* ends: of the right name if possible, held rather than rotated.

    Content is the proof, the name a hint: inodes are reused and copies have others. Older rotated files than the one
    found are not read, and none at all when none is found: nothing proves that they are newer than what the receiver
    holds. Raises OSError when a file cannot be looked at for now.
    """
    listing = past.list_all()
    ids = {source.content.id for source in held if source.content is not None}
    strange = [sibling for sibling in reversed(listing) if sibling.id not in ids]
    token = Token.read(resume.source)
    certain = resume.head.length > 0 or token.shows_text
    for named in (True, False):
        for source in held:
            if (source.opening.source == token.name) is named and _goes_on_in(resume, token, source):
                return Resumed(source, [], certain=certain or source.made(token))
        found = _find(resume, token, [s for s in strange if (str(s.id) == token.name) is named])
        if found is not None:
            return replace(_build(found, listing, held, past, now), certain=certain)
    return None


def _goes_on_in(resume: ResumePoint, token: Token, source: Source) -> bool:
    assert source.content is not None
    return _goes_on(resume, token, source.opening.source, source.content.read, source.readable)


def _goes_on(resume: ResumePoint, token: Token, name: str, read: ReadAt, size: int) -> bool:
    if resume.head.length > 0:
        return continues(resume, read, size)
    # The receiver holds none of this segment's bytes: the mark has to show which file it was.
    return size >= resume.position and (token.fits(read, size) if token.shows_text else name == token.name)


def _find(resume: ResumePoint, token: Token, siblings: list[Sibling]) -> Find | None:
    for sibling in siblings:
        if not sibling.packed and sibling.size < resume.position:
            continue
        find = open_sibling(sibling)
        if find.content is None:
            continue
        try:
            if _goes_on(resume, token, str(sibling.id), find.content.read, find.content.look().size):
                return find
        except BaseException:
            find.content.close()
            raise
        find.content.close()
    return None


def _build(found: Find, listing: list[Sibling], held: list[Source], past: Past, now: float) -> Resumed:
    """The found file and those rotated after it, up to the first that is held already."""
    known = {source.content.id for source in held if source.content is not None}
    finds = [found]
    try:
        for sibling in listing[listing.index(found.sibling) + 1 :]:
            if sibling.id in known:
                break
            finds.append(open_sibling(sibling))
    except BaseException:
        close_all(finds)
        raise
    nodes = [_prior(find, held, past, now) for find in finds[1:]]
    first = _node(found, now)
    # What is held follows without a hole from its first on, which may be there no more, or only compressed.
    return Resumed(first, [first, *(node for node in nodes if node is not None)], held[0] if held else None)


def _prior(find: Find, held: list[Source], past: Past, now: float) -> Source | None:
    if find.content is None:
        return lost_source(find.sibling, find.why, now, prior=True)
    if past.is_copy(find.content, bool(find.sibling.packed), held):
        find.content.close()
        return None
    return _node(find, now)


def _node(find: Find, now: float) -> Source:
    assert find.content is not None
    detail = os.path.basename(find.sibling.path)
    source = Source(find.content, opening_of(find.content, 0, "rotated", detail), now, prior=True)
    source.leave(now)
    return source
