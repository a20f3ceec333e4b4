"""One path: which files it names over time, in order, and which of them are still needed."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace

from logstreamer.tail.content import UNPACKERS, Content, NotAFile, check_regular, look_of, open_content
from logstreamer.tail.cursor import Cursor
from logstreamer.tail.identity import FileId
from logstreamer.tail.locate import Find, Past, close_all, find_copy, open_sibling
from logstreamer.tail.resume import resume_cursor
from logstreamer.tail.siblings import Sibling
from logstreamer.tail.source import Change, Source, lost_source, opening_of
from logstreamer.tail.types import Reason, ResumePoint, SegmentStart

logger = logging.getLogger(__name__)

_LISTINGS = 3


@dataclass(frozen=True, slots=True)
class HoldBudget:
    """How much of rotated files is held open for cursors that have not read it; beyond it, they get a gap.

    Args:
        bytes: most unread bytes in files that were deleted; only those occupy a disk because of us.
        seconds: longest time that a deleted file is held.
        files: most rotated files held open, deleted or not.
    """

    bytes: int = 1 << 30
    seconds: float = 3600.0
    files: int = 64


class Follower:
    """Discovers, in order, the sources that a path names; holds them open while a cursor needs them.

    From its making on nothing is missed: until the first cursor is placed, everything is held for it.

    Args:
        path: the log; it need not exist. Symlinks are followed.
        now: monotonic seconds, as in every call.
        poll_interval: most seconds between two looks.
        rotate_grace: seconds without a write after which a file that was rotated away counts as finished.
        hold: bounds of what is held for slow cursors.
    """

    def __init__(
        self,
        path: str,
        *,
        now: float,
        poll_interval: float = 0.5,
        rotate_grace: float = 1.0,
        hold: HoldBudget = HoldBudget(),
    ) -> None:
        self.path = os.fsdecode(path)
        self.poll_interval = poll_interval
        self.rotate_grace = rotate_grace
        self.exists = False
        self.trouble: str | None = None
        self._hold = hold
        self._past = Past(self.path)
        self._sources: list[Source] = []  # open or reachable ones; those we followed are in order
        self._newest: Source | None = None
        self._origin: Source | None = None
        self._awaiting_cursor = True
        self._loose: Source | None = None
        self._released = 0
        self._cursors: list[Cursor] = []
        self._next_look = now
        self._closed = False
        try:
            self._past.remember()
        except OSError as error:
            self._report(error)
        self.poll(now)

    def cursor(self, resume: ResumePoint | None, now: float) -> Cursor:
        """A new place in the stream: at *resume*, else at the first byte that is still held since we follow."""
        cursor = Cursor(self, resume)
        self._cursors.append(cursor)
        cursor.try_place(now)
        return cursor

    def poll(self, now: float) -> None:
        """Look at the file system. Never raises OSError: what cannot be seen is in `trouble` and stays as it was."""
        if self._closed:
            return
        self._next_look = now + self.poll_interval
        trouble: OSError | None = None
        try:
            self._look(now)
        except OSError as error:
            trouble = error
        if len(self._sources) > 1 or (self._newest is not None and self._newest.left_at is not None):
            trouble = self._tend(now) or trouble
        self._report(trouble)
        for cursor in self._cursors:
            if cursor.source is None:
                cursor.try_place(now)

    def wake(self) -> None:
        """Something happened in the directory: `get_timer` is due at once."""
        self._next_look = float("-inf")

    def get_timer(self) -> float | None:
        """When `poll` should be called next, in monotonic seconds (in the past: now); None once closed."""
        return None if self._closed else self._next_look

    def directories(self) -> set[str]:
        """The directories to watch: that of the path, and that of the file it links to."""
        return self._past.directories

    def close(self) -> None:
        """Close every source and cursor. Idempotent."""
        self._closed = True
        for cursor in list(self._cursors):
            cursor.close()
        for source in self._sources:
            source.close()
        self._sources.clear()
        self._newest = self._origin = None

    # --- looking

    def _look(self, now: float) -> None:
        try:
            st: os.stat_result | None = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            st = None
        newest = self._newest
        if st is not None and newest is not None and newest.content is not None:
            device, inode = newest.content.id
            # While we hold it open its inode cannot be another file's.
            if st.st_ino == inode and st.st_dev == device:
                newest.come_back()
                self._set_exists(True)
                self._examine(newest, st, now)
                return
        if newest is not None:
            newest.leave(now)
        self._set_exists(False)
        if st is not None:
            check_regular(st)
            self._discover(now)
            self._set_exists(True)

    def _examine(self, source: Source, st: os.stat_result, now: float) -> None:
        if source.examine(look_of(st), now) is Change.TRUNCATED:
            self._truncate(source, now)

    def _discover(self, now: float) -> None:
        """The path names another file: add it, and those that it named in between."""
        if self._newest is None and not self._past.ready:
            self._past.remember()
        content = open_content(self.path)
        try:
            listing, finds = self._open_news(self._newest, content.id)
        except BaseException:
            content.close()
            raise
        before, after = _around(finds, content.id)
        for find in before:
            self._append(self._source_of(find, now))
        self._append(self._source_at_path(content, now))
        for find in after:
            self._append(self._source_of(find, now))
        self._past.accept(listing)

    def _open_news(self, newest: Source | None, at_path: FileId | None) -> tuple[list[Sibling], list[Find]]:
        """List the siblings and open those that are news, the oldest first; raises OSError when that is unknown."""
        for _ in range(_LISTINGS - 1):
            try:
                return self._try_news(newest, at_path)
            except FileNotFoundError:
                continue  # renamed while we looked: list again
        return self._try_news(newest, at_path)

    def _try_news(self, newest: Source | None, at_path: FileId | None) -> tuple[list[Sibling], list[Find]]:
        listing = self._past.list_all()
        held = {source.content.id for source in self._sources if source.content is not None}
        since = newest.born_ns if newest is not None else 0
        finds: list[Find] = []
        try:
            for sibling in self._past.news(listing, since, held):
                if sibling.id == at_path:
                    finds.append(Find(sibling, None))
                    continue
                if (
                    sibling.packed
                    and sibling.packed not in UNPACKERS
                    and newest is not None
                    and sibling.mtime_ns <= newest.look.mtime_ns
                ):
                    continue  # a compressed form of what we have, as far as anyone can tell
                finds.append(open_sibling(sibling))
        except BaseException:
            close_all(finds)
            raise
        return listing, finds

    def _truncate(self, source: Source, now: float) -> None:
        """*source* was truncated, or rewritten: its rest may be in a copy; then the file goes on as a new source."""
        listing, finds = self._open_news(source, None)
        index = find_copy(finds, source.trail)
        content = source.hand_over()
        assert content is not None
        later = finds if index is None else finds[index + 1 :]
        if index is not None:
            copy = finds[index].content
            assert copy is not None
            source.adopt(copy)
            close_all(finds[:index])
        successor = Source(content, opening_of(content, 0, "truncated"), now)
        successor.left_at = source.left_at
        chain = [self._source_of(find, now) for find in later]
        self._insert(source, [node for node in chain if node is not None] + [successor])
        self._past.accept(listing)
        self._collect()

    # --- the chain

    def _source_of(self, find: Find, now: float) -> Source | None:
        """A node for a rotated file; None when there is nothing new in it."""
        content, sibling = find.content, find.sibling
        if content is None:
            opening = SegmentStart(str(sibling.id), 0, "rotated")
            return lost_source(opening, None if sibling.packed else sibling.size, find.why, now)
        start = self._past.unread_from(content, bool(sibling.packed), self._sources)
        if start is None:
            content.close()
            return None
        source = Source(content, opening_of(content, start, "rotated", os.path.basename(sibling.path)), now)
        source.leave(now)
        return source

    def _source_at_path(self, content: Content, now: float) -> Source:
        """A node for the file at the path; one that it named before goes on where it was left."""
        reason: Reason = "start" if self._newest is None else "rotated"
        start, trail = 0, None
        for earlier in reversed(self._sources):
            if earlier.content is not None and earlier.content.id == content.id:
                earlier.seal()
                start, trail = earlier.readable, earlier.trail
                break
        else:
            done = self._past.find_finished(content, content.look().size)
            if done is not None:
                start, trail = done.end, done.trail
        source = Source(content, opening_of(content, start, reason), now)
        source.trail = trail or source.trail
        return source

    def _append(self, source: Source | None) -> None:
        if source is None:
            return
        if self._newest is not None:
            self._newest.next = source
        self._newest = source
        self._sources.append(source)
        if self._awaiting_cursor and self._origin is None:
            self._origin = source
        if self._loose is not None:
            self._loose.next, self._loose = source, None
        logger.info("%s: %s source %s", self.path, source.opening.reason, source.opening.source)

    def _insert(self, source: Source, chain: list[Source]) -> None:
        following, last = source.next, source
        index = self._sources.index(source) + 1
        self._sources[index:index] = chain
        for node in chain:
            last.next = node
            last = node
        last.next = following
        if self._newest is source:
            self._newest = last

    # --- sources that the path no longer names

    def _tend(self, now: float) -> OSError | None:
        trouble: OSError | None = None
        for source in list(self._sources):
            if source.content is None or (source.left_at is None and source.end is None):
                continue
            try:
                self._tend_one(source, now)
            except OSError as error:
                trouble = error
        self._enforce(now)
        return trouble

    def _tend_one(self, source: Source, now: float) -> None:
        assert source.content is not None
        look = source.content.look()
        if look.links == 0 and source.unlinked_at is None:
            source.unlinked_at = now
        if source.end is not None:
            return
        if source.examine(look, now) is Change.TRUNCATED:
            self._truncate(source, now)
        elif source.next is not None and now - source.quiet_since >= self.rotate_grace:
            source.seal()

    def _enforce(self, now: float) -> None:
        """Give up what the budget does not allow to hold, the oldest first."""
        held = [s for s in self._sources if s.content is not None and (s is not self._newest or s.left_at is not None)]
        for source in held[: max(0, len(held) - self._hold.files)]:
            self._abandon(source, f"more than {self._hold.files} rotated files unread")
        unlinked = [s for s in held if s.unlinked_at is not None and s.content is not None]
        unread = {id(s): self._unread(s) for s in unlinked}
        total = sum(unread.values())
        for source in unlinked:
            since = max(source.unlinked_at or now, source.quiet_since)
            if now - since > self._hold.seconds:
                self._abandon(source, f"deleted {self._hold.seconds:g} s ago and not read since")
            elif total > self._hold.bytes:
                self._abandon(source, f"deleted with more than {self._hold.bytes} bytes unread")
            else:
                continue
            total -= unread[id(source)]

    def _abandon(self, source: Source, fate: str) -> None:
        unread = self._unread(source)
        if unread:
            logger.warning("%s: %d bytes of %s are lost: %s", self.path, unread, source.opening.source, fate)
        source.abandon(fate)

    def _unread(self, source: Source) -> int:
        """Most bytes that any cursor has still to read of *source*; all of it when no cursor was placed yet."""
        whole = source.readable - source.start
        most = whole if self._origin is not None and _reaches(self._origin, source) else 0
        for cursor in self._cursors:
            if cursor.source is source:
                most = max(most, source.readable - cursor.position)
            elif _reaches(cursor.source, source):
                most = max(most, whole)
        return most

    def _collect(self) -> None:
        """Close the sources that no cursor will come to."""
        needed: set[int] = {id(self._newest)}
        for root in (self._origin, *(cursor.source for cursor in self._cursors)):
            node: Source | None = root
            while node is not None and id(node) not in needed:
                needed.add(id(node))
                node = node.next
        for source in [s for s in self._sources if id(s) not in needed]:
            self._sources.remove(source)
            self._past.finish(source)
            self._released += 0 if source.prior else source.written - source.start
            source.close()

    # --- what cursors ask for

    def place(self, cursor: Cursor, now: float) -> None:
        """Enter *cursor* where it belongs, if that is known by now. Raises OSError."""
        first = self._origin or next((s for s in self._sources if not s.prior), None)
        if cursor.resume is not None:
            if not resume_cursor(cursor, cursor.resume, self._sources, first, self._past, self._adopt_prior, now):
                return
        elif first is None:
            return
        else:
            cursor.enter(first, first.start, self._first_opening(first))
        self._origin, self._awaiting_cursor = None, False
        self._collect()

    def _first_opening(self, first: Source) -> SegmentStart:
        if not self._released:
            return replace(first.opening, reason="start", detail="")
        return replace(first.opening, reason="gap", lost=self._released, detail="rotated away before this target came")

    def _adopt_prior(self, chain: list[Source], link: Source | None) -> None:
        """Put *chain*, found again for a cursor that resumes, before *link* (None: before whatever comes first)."""
        for node, following in zip(chain, [*chain[1:], link], strict=True):
            node.next = following
        if link is None:
            self._loose = chain[-1]
        self._sources[:0] = chain

    def doubt(self, source: Source, now: float) -> None:
        """A cursor found other bytes in *source* than it read there. Raises OSError."""
        if source.content is not None:
            self._truncate(source, now)

    def passed(self) -> None:
        """A cursor left a source."""
        self._collect()

    def failed(self, error: OSError) -> None:
        """A cursor could not read."""
        self._report(error)

    def forget(self, cursor: Cursor) -> None:
        """A cursor was closed."""
        if cursor in self._cursors:
            self._cursors.remove(cursor)
            self._collect()

    # --- state

    def _set_exists(self, exists: bool) -> None:
        if exists != self.exists:
            self.exists = exists
            logger.info("%s %s", self.path, "is there" if exists else "is not there")

    def _report(self, error: OSError | None) -> None:
        trouble = None if error is None else (error.strerror or str(error)).lower()
        if trouble == self.trouble:
            return
        self.trouble = trouble
        if trouble is not None:
            level = logging.INFO if isinstance(error, NotAFile) else logging.WARNING
            logger.log(level, "%s: %s; will look again", self.path, trouble)
        else:
            logger.info("%s: can be read again", self.path)


def _around(finds: list[Find], at_path: FileId) -> tuple[list[Find], list[Find]]:
    """Split *finds* at the file that the path named when it was opened; it may have been rotated since."""
    for index, find in enumerate(finds):
        if find.sibling.id == at_path:
            return finds[:index], finds[index + 1 :]
    return finds, []


def _reaches(source: Source | None, other: Source) -> bool:
    while source is not None:
        if source is other:
            return True
        source = source.next
    return False
