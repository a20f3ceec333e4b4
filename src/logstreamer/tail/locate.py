"""Finding rotated files again: those that came between two looks, a copy made before a truncation, a resume point."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from logstreamer.tail.content import UNPACKERS, Content, Look, open_content
from logstreamer.tail.identity import FileId, Trail, same_text, surely_same
from logstreamer.tail.siblings import Sibling, find_by_id, list_siblings
from logstreamer.tail.source import Source
from logstreamer.tail.types import ANCHOR_SIZE

EVIDENCE = 4096
"""Bytes: a shorter text that agrees with another in head and mark may be a file of its own (constant header)."""

_MOST_LISTINGS = 3
_MOST_GONE = 64
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class Finished(NamedTuple):
    """A source that was read to its end and closed."""

    id: FileId
    trail: Trail
    end: int
    mtime_ns: int


class Find(NamedTuple):
    """A rotated file, opened; content None when it cannot be read, and *why*."""

    sibling: Sibling
    content: Content | None
    start: int = 0
    why: str = ""


class Past:
    """The rotated files beside one path, and which of them are news.

    Files that stood there when the newest source was opened are not: they are older than it. Nor are copies of what
    was read already. Sizes of its memories are bounded by the number of siblings, 64 and 32.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._places: list[str] = []
        self._known: dict[FileId, tuple[int, int]] | None = None
        self._gone: dict[FileId, tuple[int, int]] = {}  # known before, and not in the last listing
        self._stamps: list[int] = []
        self._finished: deque[Finished] = deque(maxlen=32)
        self._older: Finished | None = None
        self._watched_of: list[str] | None = None
        self._both: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())

    @property
    def ready(self) -> bool:
        """Whether `remember` succeeded: before that nothing can be told to be news."""
        return self._known is not None

    @property
    def directories(self) -> frozenset[str]:
        """Where the path, and the file it links to, stood at the last `remember`."""
        return self._watched()[0]

    @property
    def bases(self) -> frozenset[str]:
        """Base names of the path and of the file it links to."""
        return self._watched()[1]

    def _watched(self) -> tuple[frozenset[str], frozenset[str]]:
        if self._watched_of is not self._places:
            self._watched_of = self._places
            split = [os.path.split(place) for place in (self.path, *self._places)]
            self._both = frozenset(directory for directory, _ in split), frozenset(base for _, base in split)
        return self._both

    def list_all(self) -> list[Sibling]:
        """All rotated files, the oldest first; raises OSError when they cannot be listed."""
        found: dict[FileId, Sibling] = {}
        for place in self._places or _places_of(self.path):
            for sibling in list_siblings(*os.path.split(place)):
                found.setdefault(sibling.id, sibling)  # two places may be one directory
        return sorted(found.values(), key=lambda sibling: sibling.age)

    def find_by_id(self, name: str) -> Sibling | None:
        """The file that a mark names, where it is still in one of the directories under a name of no rotation.

        As when a symlink was set to another file, or rotation gives names that are not known. Raises OSError.
        """
        directories = {os.path.dirname(place) for place in self._places or _places_of(self.path)}
        return next((found for directory in sorted(directories) if (found := find_by_id(directory, name))), None)

    def changed(self) -> bool:
        """Whether a name appeared or went in one of the directories since this was asked last."""
        stamps = [_mtime_of(directory) for directory in sorted(self.directories)]
        changed, self._stamps = stamps != self._stamps, stamps
        return changed

    def ask_again(self) -> None:
        """What `changed` told of could not be looked at."""
        self._stamps = []

    def remember(self) -> None:
        """Take what stands there now as known; call it before the path is opened. Raises OSError."""
        self._places = _places_of(self.path)
        listing = self.list_all()
        newest = listing[-1] if listing else None
        trail = trail_of(newest) if newest is not None else None
        if newest is not None and trail is not None:
            self._older = Finished(newest.id, trail, newest.size, newest.mtime_ns)
        self._known = _versions(listing)

    def accept(self, listing: Iterable[Sibling]) -> None:
        """Take *listing*, which was looked through for news, as known."""
        places = _places_of(self.path)
        if places != self._places:
            self._places, listing = places, self.list_at(places)
        versions = _versions(listing)
        gone = {**self._gone, **(self._known or {})}
        # One that is back as it was is no news, whatever kept it out of a listing.
        self._gone = dict([(id, version) for id, version in gone.items() if id not in versions][-_MOST_GONE:])
        self._known = versions

    def list_at(self, places: list[str]) -> list[Sibling]:
        """As `list_all`, for other places."""
        before, self._places = self._places, places
        try:
            return self.list_all()
        finally:
            self._places = before

    def open_news(
        self, newest: Source | None, held: list[Source], at_path: FileId | None
    ) -> tuple[list[Sibling], list[Find]]:
        """List the siblings and open those that are news, the oldest first; *at_path* among them if listed.

        Raises OSError when that cannot be known for now.
        """
        return self._open(lambda listing: self._select(listing, newest, held, at_path))

    def open_news_before(self, source: Source, look: Look, held: list[Source]) -> tuple[list[Sibling], list[Find]]:
        """As `open_news`, of those older than what the file of *source* holds by *look*; newer news are not listed.

        Nor are copies just being made of it: they will be news when it is truncated.
        """
        content = source.content
        assert content is not None
        listing, finds = self._open_older(content, look, source, held)
        # Within one tick of the clock a copy is no newer than what it was made of.
        older = _keep(finds, lambda find: find.sibling.mtime_ns != look.mtime_ns or not _is_begun_copy(find, content))
        begun = {find.sibling.id for find in finds if find not in older}
        return [sibling for sibling in listing if sibling.id not in begun], older

    def _open_older(
        self, content: Content, look: Look, source: Source, held: list[Source]
    ) -> tuple[list[Sibling], list[Find]]:
        def select(listing: list[Sibling]) -> list[Sibling]:
            news = self._select(listing, source, held, None)
            own = next((index for index, sibling in enumerate(listing) if sibling.id == content.id), None)
            # While a file is truncated it is seen empty with the time of its last write.
            newer = [s for s in listing if s.mtime_ns > look.mtime_ns] if look.size else []
            for sibling in listing[own + 1 :] if own is not None else newer:
                if sibling in news:
                    news.remove(sibling)
                    listing.remove(sibling)
            return news

        return self._open(select)

    def _open(self, select: Callable[[list[Sibling]], list[Sibling]]) -> tuple[list[Sibling], list[Find]]:
        for attempt in range(_MOST_LISTINGS):
            listing, finds = self.list_all(), list[Find]()
            try:
                for sibling in select(listing):
                    finds.append(open_sibling(sibling))
            except FileNotFoundError:
                close_all(finds)
                if attempt == _MOST_LISTINGS - 1:
                    raise
                continue  # renamed while we looked: list again
            except BaseException:
                close_all(finds)
                raise
            break
        return listing, finds

    def _select(
        self, listing: list[Sibling], newest: Source | None, held: list[Source], at_path: FileId | None
    ) -> list[Sibling]:
        ids = {source.content.id for source in held if source.content is not None} - {at_path}
        there = {sibling.id for sibling in listing}
        before = {**self._gone, **(self._known or {})}
        vanished = {mtime_ns for id, (_, mtime_ns) in before.items() if id not in there}
        return [s for s in listing if s.id == at_path or (s.id not in ids and self._is_news(s, newest, vanished))]

    def _is_news(self, sibling: Sibling, newest: Source | None, vanished: set[int]) -> bool:
        """Args: vanished: when files that were known, and are there no more, were written last."""
        known = self._known or {}
        if sibling.version in (known.get(sibling.id), self._gone.get(sibling.id)):
            return False
        if newest is None:
            return sibling.mtime_ns not in vanished  # else it is a compressed form of a file that stood there before
        if sibling.packed and sibling.packed not in UNPACKERS:
            # Compressors keep mtime: an older one is a form of what we have, as far as anyone can tell.
            return sibling.mtime_ns > newest.look.mtime_ns
        # A compressed form of an old file, an old one still written to by a slow process, or one that somebody unpacked
        # (it keeps its time) is not ours to read.
        is_other = not sibling.packed and sibling.id not in known and sibling.mtime_ns not in vanished
        return is_other or sibling.mtime_ns >= newest.born_ns

    def finish(self, source: Source) -> None:
        """Remember a source that is closed, so that neither it nor a copy of it is read twice."""
        if source.id is not None:
            self._finished.append(Finished(source.id, source.trail, source.written, source.look.mtime_ns))

    def find_finished(self, content: Content) -> Finished | None:
        """The finished source of which *content* is the same file, grown or not; None for another file."""
        return next((done for done in reversed(self._finished) if _is_grown(content, done)), None)

    def unread_from(
        self, content: Content, packed: bool, held: Iterable[Source], *, by_rename: bool = False
    ) -> int | None:
        """Where in a rotated file the first byte stands that was not read yet; None when it is but a copy.

        Args:
            by_rename: the path was given another file. Then a plain file that agrees with what was read is a copy only
                if it was written before: logs without times may well be the same, one after the other.
        """
        look = content.look()
        size, mtime_ns = look.size, look.mtime_ns
        anyhow = packed or not by_rename
        if any(
            _is_copy(content, size, packed, source) and (anyhow or mtime_ns < source.look.mtime_ns) for source in held
        ):
            return None
        if (grown := self.find_finished(content)) is not None:
            return grown.end if size > grown.end else None
        if self._older is not None and _goes_on_from(self._older, content, size, packed):
            return None  # rotated before we came: late writes to it do not make it news
        for done in reversed(self._finished):
            same = anyhow or mtime_ns < done.mtime_ns
            if same and _agrees(content, size, done.trail, done.end):
                return done.end if size > done.end else None
        return 0

    def is_copy(self, content: Content, packed: bool, held: Iterable[Source]) -> bool:
        """Whether *content* is a copy of a file that is held open."""
        size = content.look().size
        return any(_is_copy(content, size, packed, source) for source in held)

    def without_copies(self, finds: list[Find], source: Source) -> list[Find]:
        """Those of *finds* that are neither empty nor copies of what *source* holds now; the others are closed."""
        return _keep(finds, lambda find: not holds_same(find, source))

    def without_more_of(self, copy: Content, finds: list[Find], index: int) -> list[Find]:
        """What follows *copy*, of a source, at *index*; older ones and further copies are closed."""
        later = finds[index + 1 :]
        close_all(finds[:index])
        return _keep(later, lambda find: find.content is None or not _more_of(find.content, copy))


def _keep(finds: list[Find], wanted: Callable[[Find], bool]) -> list[Find]:
    kept = [find for find in finds if wanted(find)]
    close_all(find for find in finds if find not in kept)
    return kept


def holds_same(find: Find, source: Source) -> bool:
    """Whether a rotated file is empty, or holds what *source* does as far as both go."""
    if find.content is None or source.content is None:
        return False
    size = find.content.look().size
    return size == 0 or surely_same(find.content.read, size, source.content.read, source.look.size)


def _is_begun_copy(find: Find, content: Content) -> bool:
    if find.content is None:
        return False
    size, whole = find.content.look().size, content.look().size
    return size == 0 or (size <= whole and same_text(find.content.read, size, content.read, whole))


def _is_grown(content: Content, done: Finished) -> bool:
    size = content.look().size
    return done.id == content.id and size >= done.end and done.trail.agrees(content.read, size)


def _goes_on_from(done: Finished, content: Content, size: int, packed: bool) -> bool:
    """Whether *content* is that very file, grown or not, or was compressed from it."""
    return _is_grown(content, done) or (packed and size >= done.end and _agrees(content, size, done.trail, done.end))


def _agrees(content: Content, size: int, trail: Trail, end: int) -> bool:
    return (size >= EVIDENCE or size == end) and trail.agrees(content.read, size)


def _mtime_of(directory: str) -> int:
    try:
        return os.stat(directory).st_mtime_ns
    except OSError:
        return 0


def _versions(listing: Iterable[Sibling]) -> dict[FileId, tuple[int, int]]:
    return {sibling.id: sibling.version for sibling in listing}


def _places_of(path: str) -> list[str]:
    return list(dict.fromkeys((path, os.path.realpath(path))))


def _is_copy(content: Content, size: int, packed: bool, source: Source) -> bool:
    if source.content is None or source.content.id == content.id:
        return False
    whole = source.content.look().size  # since our last look it may have been written to, and compressed
    if packed:
        return size == whole and same_text(content.read, size, source.content.read, whole)
    return size >= EVIDENCE and surely_same(content.read, size, source.content.read, whole)


def open_sibling(sibling: Sibling) -> Find:
    """Open a rotated file. One that cannot be read is a Find without content.

    Raises OSError when that may pass: no descriptors left, or FileNotFoundError: it was renamed since, list again.
    """
    if sibling.packed and sibling.packed not in UNPACKERS:
        return Find(sibling, None, why=f"cannot read {sibling.packed} files")
    try:
        content = open_content(sibling.path, sibling.packed)
    except OSError as error:
        if error.errno in _EXHAUSTED or isinstance(error, FileNotFoundError):
            raise
        return Find(sibling, None, why=error.strerror or str(error))
    if content.id != sibling.id:
        content.close()
        raise FileNotFoundError(errno.ENOENT, "renamed since it was listed", sibling.path)
    return Find(sibling, content)


def trail_of(sibling: Sibling) -> Trail | None:
    """How a plain rotated file begins and ends; None for one that cannot be read. Raises OSError as `open_sibling`."""
    content = None if sibling.packed else open_sibling(sibling).content
    if content is None:
        return None
    try:
        trail = Trail()
        trail.extend_head(content.read)
        size = min(sibling.size, ANCHOR_SIZE)
        trail.add(sibling.size, content.read(sibling.size - size, size))
        return trail
    finally:
        content.close()


def close_all(finds: Iterable[Find]) -> None:
    """Close what was opened in vain."""
    for find in finds:
        if find.content is not None:
            find.content.close()


def find_copy(finds: list[Find], trail: Trail) -> int | None:
    """Index of the file that holds a truncated source's text; None: there is none.

    Logs may begin alike, so copies of later texts may agree with what was seen: it is the oldest of those that do, a
    longer copy of the same text, or the first that goes as far as was seen.
    """
    best: int | None = None
    for index, find in enumerate(finds):
        content = find.content
        if content is None or not trail.agrees(content.read, size := content.look().size):
            continue
        chosen = finds[best].content if best is not None else None
        if chosen is None or _is_better(content, size, chosen, trail.position):
            best = index
    return best


def _is_better(content: Content, size: int, chosen: Content, seen: int) -> bool:
    known = chosen.look().size
    return known < seen <= size or (size >= known and _more_of(content, chosen))


def _more_of(content: Content, copy: Content) -> bool:
    """Whether *content* is another copy of the text that *copy* holds, as far as both go."""
    size, known = content.look().size, copy.look().size
    return (min(size, known) >= EVIDENCE or size == known) and surely_same(content.read, size, copy.read, known)
