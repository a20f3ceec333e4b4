"""Where a cursor begins whose receiver already holds a part of the stream."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import takewhile

from logstreamer.tail.content import Content
from logstreamer.tail.identity import Before, FileId, Proof, Token, continues
from logstreamer.tail.locate import EVIDENCE, Find, Past, close_all, holds_same, open_sibling, trail_of
from logstreamer.tail.siblings import Sibling, is_elder
from logstreamer.tail.source import Source, lost_source, opening_of
from logstreamer.tail.types import ResumePoint


@dataclass(frozen=True, slots=True)
class Resumed:
    """Where a resume point goes on.

    Args:
        source: in this source.
        position: from this byte of it on.
        prior: *source* and what was rotated after it, when they were not held open yet; else empty.
        link: the held source that follows the last of *prior*; None: the first one held.
        doubt: why something may be missing before it; "": nothing is.
        before: the file before *source*.
    """

    source: Source
    position: int
    prior: list[Source]
    link: Source | None = None
    doubt: str = ""
    before: Before | None = None


_WAS_EMPTY = "the file was empty when this began, and may have been written and emptied since"


def find_resumed(
    resume: ResumePoint, held: list[Source], first: Source | None, past: Past, now: float
) -> Resumed | None:
    """Find what goes on where *resume* ends: its file, of the right name if possible, else the oldest since its mark.

    Content is the proof, the name a hint: inodes are reused and copies have others. Where the file is not found, the
    stream goes on with what was written after its mark, else with *first*, the first one followed; what is older is
    not read. None: there is nothing yet. Raises OSError when a file cannot be looked at for now.
    """
    listing = past.list_all()
    token = Token.read(resume.source)
    resumed = _find_place(resume, token, held, listing, past, now)
    if resumed is None:
        resumed = _find_renamed(resume, token, held, listing, past, now)
    if resumed is None:
        resumed = _pass_over(resume, token, held, first, listing, past, now)
    if resumed is None:
        return None
    try:
        return replace(resumed, before=_last_passed(listing, [*resumed.prior, *held]))
    except BaseException:
        for source in resumed.prior:
            source.close()
        raise


def _shows_text(resume: ResumePoint, token: Token) -> bool:
    return resume.head.length > 0 or token.shows_text


# --- its file


def _find_place(
    resume: ResumePoint, token: Token, held: list[Source], listing: list[Sibling], past: Past, now: float
) -> Resumed | None:
    ids = _ids(held)
    # Without a time, in the mark of an older sender, only the name says that this is the file that was empty.
    doubt = "" if _shows_text(resume, token) or token.since is not None else _WAS_EMPTY
    strange = [sibling for sibling in listing if sibling.id not in ids]
    named = [sibling for sibling in strange if str(sibling.id) == token.name]
    # Files may begin alike, and the receiver may hold no more than that: the oldest written since the mark is the one.
    others = [s for s in strange if s not in named and (token.since is None or s.written_ns >= token.since)]
    going_on = [source for source in held if _goes_on_in(resume, token, source)]
    own = next((source for source in going_on if source.opening.source == token.name), None)
    found = None if own is not None else _find(resume, token, named)
    found = found or _find(resume, token, others, unlike=own)
    if found is not None:
        return _build(found, resume.position, doubt, listing, held, past, now)
    source = own or next(iter(going_on), None)
    if source is None:
        return None
    return Resumed(source, resume.position, [], doubt="" if source.made(token) else doubt)


def _find_renamed(
    resume: ResumePoint, token: Token, held: list[Source], listing: list[Sibling], past: Past, now: float
) -> Resumed | None:
    known = {*_ids(held), *(sibling.id for sibling in listing)}
    renamed = past.find_by_id(token.name)
    if renamed is None or renamed.id in known:
        return None
    found = _find(resume, token, [renamed])
    if found is None:
        return None
    listing = sorted([*listing, renamed], key=lambda sibling: sibling.age)
    return _build(found, resume.position, "", listing, held, past, now)


def _goes_on_in(resume: ResumePoint, token: Token, source: Source) -> bool:
    assert source.content is not None
    if source.made(token) and resume.head.length == 0:
        return True
    return _goes_on(resume, token, source.opening.source, source.content, source.readable)


def _goes_on(resume: ResumePoint, token: Token, name: str, content: Content, size: int) -> bool:
    if resume.head.length > 0:
        return continues(resume, content.read, size)
    # The receiver holds none of this segment's bytes: the mark has to show which file it was.
    if token.shows_text:
        return size >= resume.position and token.proof.fits(content.read, size)
    untouched = token.since is None or (size == 0 and content.look().mtime_ns == token.since)
    return name == token.name and size >= resume.position and untouched


def _find(resume: ResumePoint, token: Token, siblings: list[Sibling], *, unlike: Source | None = None) -> Find | None:
    """The first of *siblings* that goes on, and is no copy of what *unlike* holds."""
    for sibling in siblings:
        if not sibling.packed and sibling.size < resume.position:
            continue
        find = open_sibling(sibling)
        if find.content is None:
            continue
        try:
            goes_on = _goes_on(resume, token, str(sibling.id), find.content, find.content.look().size)
            if goes_on and not (unlike and _is_copy(find, unlike)):
                return find
        except BaseException:
            find.content.close()
            raise
        find.content.close()
    return None


def _is_copy(find: Find, source: Source) -> bool:
    assert find.content is not None
    assert source.content is not None
    # A log is never shorter than a copy of it: it was truncated since, and no more is left of it than it begins with.
    return find.content.look().size <= source.content.look().size and holds_same(find, source)


def _build(
    found: Find, position: int, doubt: str, listing: list[Sibling], held: list[Source], past: Past, now: float
) -> Resumed:
    """The found file and those rotated after it, up to the first that is held already."""
    try:
        finds = [found, *_open_all(_until_held(listing[listing.index(found.sibling) + 1 :], held))]
    except BaseException:
        close_all([found])
        raise
    nodes = [_prior(find, held, past, now) for find in finds[1:]]
    first = _node(found, now)
    # What is held follows without a hole from its first on, which may be there no more, or only compressed.
    link = held[0] if held else None
    return Resumed(first, position, [first, *(node for node in nodes if node is not None)], link, doubt)


# --- what came after it


def _pass_over(
    resume: ResumePoint,
    token: Token,
    held: list[Source],
    first: Source | None,
    listing: list[Sibling],
    past: Past,
    now: float,
) -> Resumed | None:
    link, prior = _find_newer(token, held, listing, past, now)
    source = prior[0] if prior else link or first
    if source is None:
        return None
    was_empty = token.since is not None and not _shows_text(resume, token)
    doubt = _WAS_EMPTY if was_empty else f"the file that was being read, up to its byte {resume.position}, was gone"
    return Resumed(source, source.start, prior, link, doubt)


def _find_newer(
    token: Token, held: list[Source], listing: list[Sibling], past: Past, now: float
) -> tuple[Source | None, list[Source]]:
    """The first held file that was written after the mark, and what was rotated before that and after the mark."""
    since = token.since
    if since is None:
        return None, []
    passed = [_is_passed(token, source.content, source.readable) for source in held]
    unread = held[_behind_last(passed) :]
    link = next((source for source in unread if source.look.mtime_ns > since), None)
    if held and link is not held[0]:
        return link, []  # what is held follows without a hole from its first on
    return link, _find_rotated(token, since, held, listing, past, now)


def _find_rotated(
    token: Token, since: int, held: list[Source], listing: list[Sibling], past: Past, now: float
) -> list[Source]:
    strange = _until_held(listing, held)
    newer = [sibling for sibling in strange if sibling.written_ns > since]
    older = [sibling for sibling in strange if sibling not in newer]
    # By its name it is older: a late writer, or a compressor that does not keep the time.
    newer = [sibling for sibling in newer if not any(is_elder(sibling, other) for other in older)]
    finds = _open_all(newer)
    try:
        passed = [_is_passed_find(token, find) for find in finds]
    except BaseException:
        close_all(finds)
        raise
    start = _behind_last(passed)
    close_all(finds[:start])
    nodes: list[Source] = []
    for find in reversed(finds[start:]):
        copied = [node for node in nodes if node.content is not None]
        node = _prior(find, [*copied, *held], past, now)
        nodes[:0] = [node] if node is not None else []
    return nodes


def _is_passed_find(token: Token, find: Find) -> bool:
    if find.content is None:
        return token.shows_text and str(find.sibling.id) == token.name
    return _is_passed(token, find.content, find.content.look().size)


def _is_passed(token: Token, content: Content | None, size: int) -> bool:
    """Whether it is the file of the mark, which does not go on as the receiver says, or the one before it."""
    assert content is not None
    # Of the mark's file often no more was seen than how it begins, and that others may do as well.
    proofs = (token.proof if token.proof.position >= EVIDENCE else None, token.before)
    return any(proof is not None and proof.fits(content.read, size) for proof in proofs)


def _behind_last(passed: list[bool]) -> int:
    """Where those begin that are behind the last one passed."""
    return max((index + 1 for index, is_passed in enumerate(passed) if is_passed), default=0)


def _last_passed(listing: list[Sibling], nodes: list[Source]) -> Before | None:
    """The newest rotated file that is not among *nodes*: the stream goes on behind it."""
    ids = _ids(nodes)
    elder = list(takewhile(lambda sibling: sibling.id not in ids, listing))
    sibling = elder[-1] if elder else None
    if sibling is None:
        return None
    trail = trail_of(sibling)
    return Before(sibling.written_ns, Proof.of(trail) if trail is not None and trail.head else None)


# --- nodes


def _ids(sources: Iterable[Source]) -> set[FileId]:
    return {source.content.id for source in sources if source.content is not None}


def _until_held(listing: list[Sibling], held: list[Source]) -> list[Sibling]:
    ids = _ids(held)
    return list(takewhile(lambda sibling: sibling.id not in ids, listing))


def _open_all(siblings: Iterable[Sibling]) -> list[Find]:
    finds: list[Find] = []
    try:
        for sibling in siblings:
            finds.append(open_sibling(sibling))
    except BaseException:
        close_all(finds)
        raise
    return finds


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
