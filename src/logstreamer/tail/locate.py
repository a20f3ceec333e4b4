"""Finding rotated files again: those that came between two looks, a copy made before a truncation, a resume point."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from logstreamer.tail.content import UNPACKERS, Content, open_content
from logstreamer.tail.identity import FileId, Trail, same_text
from logstreamer.tail.siblings import Sibling, list_siblings, name_matcher
from logstreamer.tail.source import Source

_EVIDENCE = 4096
"""Bytes: a shorter text that agrees with another in head and mark may be a file of its own (constant header)."""

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class Finished(NamedTuple):
    """A source that was read to its end and closed."""

    id: FileId
    trail: Trail
    end: int


class Find(NamedTuple):
    """A rotated file, opened; content None when it cannot be read, and *why*."""

    sibling: Sibling
    content: Content | None
    start: int = 0
    why: str = ""


class Past:
    """The rotated files beside one path, and which of them are news.

    Files that stood there when the newest source was opened are not: they are older than it. Nor are copies of what
    was read already. Sizes of both memories are bounded by the number of siblings, and 32.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._places: list[str] = []
        self._known: set[tuple[FileId, int, int]] | None = None
        self._finished: deque[Finished] = deque(maxlen=32)

    @property
    def ready(self) -> bool:
        """Whether `remember` succeeded: before that nothing can be told to be news."""
        return self._known is not None

    @property
    def directories(self) -> set[str]:
        """Where the path, and the file it links to, stood at the last `remember`."""
        return {os.path.dirname(place) or "." for place in (self.path, *self._places)}

    def list_all(self) -> list[Sibling]:
        """All rotated files, the oldest first; raises OSError when they cannot be listed."""
        found: dict[str, Sibling] = {}
        for place in self._places or _places_of(self.path):
            directory, base = os.path.split(place)
            matches = name_matcher(base)
            for sibling in list_siblings(directory or ".", matches, os.path.splitext(base)[0]):
                found[sibling.path] = sibling
        return sorted(found.values(), key=lambda sibling: sibling.age)

    def remember(self) -> None:
        """Take what stands there now as known; call it before the path is opened. Raises OSError."""
        self._places = _places_of(self.path)
        self._known = {sibling.key for sibling in self.list_all()}

    def accept(self, listing: Iterable[Sibling]) -> None:
        """Take *listing*, which was looked through for news, as known."""
        places = _places_of(self.path)
        if places != self._places:
            self._places, listing = places, self.list_at(places)
        self._known = {sibling.key for sibling in listing}

    def list_at(self, places: list[str]) -> list[Sibling]:
        """As `list_all`, for other places."""
        before, self._places = self._places, places
        try:
            return self.list_all()
        finally:
            self._places = before

    def news(self, listing: Iterable[Sibling], since_ns: int, held: set[FileId]) -> list[Sibling]:
        """Those of *listing* that appeared since, were written to after *since_ns*, and are not *held* open."""
        if self._known is None:
            return []
        return [s for s in listing if s.key not in self._known and s.mtime_ns >= since_ns and s.id not in held]

    def finish(self, source: Source) -> None:
        """Remember a source that is closed, so that neither it nor a copy of it is read twice."""
        if source.id is not None:
            self._finished.append(Finished(source.id, source.trail, source.written))

    def find_finished(self, content: Content, size: int) -> Finished | None:
        """The finished source of which *content* is the same file, grown or not; None for another file."""
        for done in reversed(self._finished):
            if done.id == content.id and size >= done.end and done.trail.agrees(content.read, size):
                return done
        return None

    def unread_from(self, content: Content, packed: bool, held: Iterable[Source]) -> int | None:
        """Where in a rotated file the first byte stands that was not read yet; None when it is but a copy."""
        size = content.look().size
        if any(_is_copy(content, size, packed, source) for source in held):
            return None
        for done in reversed(self._finished):
            if done.trail.agrees(content.read, size) and (size >= _EVIDENCE or size == done.end):
                return done.end if size > done.end else None
        return 0


def _places_of(path: str) -> list[str]:
    return list(dict.fromkeys((path, os.path.realpath(path))))


def _is_copy(content: Content, size: int, packed: bool, source: Source) -> bool:
    if source.content is None or source.content.id == content.id:
        return False
    if packed and size != source.look.size:
        return False
    if not packed and size < _EVIDENCE:
        return False
    return same_text(content.read, size, source.content.read, source.look.size)


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


def close_all(finds: Iterable[Find]) -> None:
    """Close what was opened in vain."""
    for find in finds:
        if find.content is not None:
            find.content.close()


def find_copy(finds: list[Find], trail: Trail) -> int | None:
    """Index of the file that holds a truncated source's text, the longest if there are several; None: there is none."""
    best, best_size = None, -1
    for index, find in enumerate(finds):
        if find.content is None:
            continue
        size = find.content.look().size
        if size >= best_size and trail.agrees(find.content.read, size):
            best, best_size = index, size
    return best
