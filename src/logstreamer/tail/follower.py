"""One path: which files it names over time, in order."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import replace

from logstreamer.tail.chain import HoldBudget, SourceChain
from logstreamer.tail.content import Content, Look, NotAFile, check_regular, look_of
from logstreamer.tail.cursor import Cursor
from logstreamer.tail.locate import Find, Past, close_all, find_copy
from logstreamer.tail.looks import Looks
from logstreamer.tail.moment import look_before, look_in_between, open_source
from logstreamer.tail.resume import Resumed, find_resumed
from logstreamer.tail.siblings import BeingRotated
from logstreamer.tail.source import Change, Source, lost_source, opening_of
from logstreamer.tail.types import ResumePoint

logger = logging.getLogger(__name__)

_DEFAULT_HOLD = HoldBudget()


class Follower:
    """Discovers, in order, the sources that a path names; holds them open while a cursor needs them.

    From its making on nothing is missed: until the first cursor is placed, everything is held for it.

    Args:
        path: the log; it need not exist. Symlinks are followed.
        now: monotonic seconds, as in every call.
        poll_interval: most seconds between two looks.
        calm_interval: the same for a file at rest, while `watched` says that any change would wake us; not less than
            *poll_interval*, which is its default. It is given up when changes come and do not wake us.
        rotate_grace: seconds without a write after which a file that was rotated away counts as finished.
        hold: bounds of what is held for slow cursors.

    Attributes:
        exists: whether the path names a readable file, as far as the last look could tell.
        watched: asked whether events tell of every change now; never, until somebody who knows takes its place.
        trouble: what keeps us from looking or reading, in a person's words; None when nothing does. A missing file
            is no trouble.
    """

    def __init__(
        self,
        path: str | bytes | os.PathLike[str],
        *,
        now: float,
        poll_interval: float = 0.5,
        calm_interval: float = 0.0,
        rotate_grace: float = 1.0,
        hold: HoldBudget = _DEFAULT_HOLD,
    ) -> None:
        self.path = os.path.abspath(os.fsdecode(path))
        self.rotate_grace = rotate_grace
        self.watched: Callable[[], bool] = lambda: False
        self.exists = False
        self.trouble: str | None = None
        self._hold = hold
        self._past = Past(self.path)
        self._chain = SourceChain()
        self._failure: OSError | None = None
        self._looks = Looks(poll_interval, calm_interval, now)
        self._closed = False
        self._still: Source | None = None  # the one source, while a stat of the path shows all that can happen
        self.poll(now)

    def cursor(self, resume: ResumePoint | None, now: float) -> Cursor:
        """A new place in the stream: at *resume*, else at the first byte still held since we follow."""
        self._still = None
        cursor = Cursor(self, resume)
        self._chain.cursors.append(cursor)
        self._try_place(cursor, now)
        return cursor

    def poll(self, now: float) -> bool:
        """Look at the file system; False: nothing has changed, no cursor finds what it did not find before.

        Never raises OSError: what cannot be seen is in `trouble` and stays as it was.
        """
        self._looks.taken(now)
        if self._still is not None:
            if self._is_still(self._still):
                if self.watched():
                    self._looks.rest(now)
                return False
            self._looks.news()
        if self._closed:
            return False
        self._still = None
        try:
            self._look(now)
        except OSError as error:
            self._failure = error
        newest = self._chain.newest
        if len(self._chain.sources) > 1 or (newest is not None and newest.left_at is not None):
            self._tend(now)
        for cursor in self._chain.cursors:
            if cursor.source is None:
                self._try_place(cursor, now)
        self._report(self._failure)
        self._failure = None
        if self.exists and self.trouble is None and self._chain.all_placed:
            self._still = self._chain.only_settled
        return True

    def _is_still(self, source: Source) -> bool:
        """Whether one stat shows that all is as it was: most looks at most files, so it has to be cheap."""
        try:
            return source.is_still(os.stat(self.path))
        except OSError:
            return False

    def wake(self) -> None:
        """Something happened in the directory: `get_timer` is due at once."""
        self._looks.event()

    def get_timer(self) -> float | None:
        """When `poll` should be called next, in monotonic seconds (in the past: now); None once closed."""
        return None if self._closed else self._looks.next_at

    def directories(self) -> frozenset[str]:
        """The directories to watch: that of the path, and that of the file it links to."""
        return self._past.directories

    def bases(self) -> frozenset[str]:
        """What our files are called in `directories`, before rotation; for Wakeup.watch."""
        return self._past.bases

    def close(self) -> None:
        """Close every source and cursor. Idempotent."""
        self._closed, self._still = True, None
        for cursor in list(self._chain.cursors):
            cursor.close()
        for source in self._chain.sources:
            source.close()
        self._chain = SourceChain()

    # --- looking

    def _look(self, now: float) -> None:
        known = not self._past.ready
        if known:
            self._past.remember()  # before the first open: what stands there now is older
        try:
            st: os.stat_result | None = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            st = None
        newest = self._chain.newest
        if st is not None and newest is not None and newest.content is not None:
            device, inode = newest.content.id
            # While we hold it open its inode cannot be another file's.
            if st.st_ino == inode and st.st_dev == device:
                newest.come_back()
                self._set_exists(True)
                self._examine(newest, look_of(st), now)
                return
        if newest is not None:
            newest.leave(now)
        self._set_exists(False)
        if st is None:
            self._discover_rotated(now)
        else:
            check_regular(st)
            self._discover(now, known)
            self._set_exists(True)

    def _examine(self, source: Source, look: Look, now: float) -> None:
        before = source.look
        change = source.examine(look, now)
        if change is Change.TRUNCATED:
            self._truncate(source, now)
        # An empty text shows no truncation: only a copy tells that something was written and truncated meanwhile.
        elif change is Change.GREW and before.size == 0:
            try:
                self._truncate(source, now, empty=before)
            except OSError:
                source.forget(before)  # the next look asks again
                raise

    def _discover(self, now: float, known: bool) -> None:
        """The path names another file: add it, and, unless the siblings are *known*, those that it named in between."""
        self._check_left(now)
        if known:
            self._extend([self._placed(open_source(self.path, now))], now)
            return
        at_path, listing, finds = look_in_between(self.path, self._past, self._chain.newest, self._held(), now)
        before, after = self._around(finds, at_path)
        self._extend([*self._nodes(before, now), self._placed(at_path), *self._nodes(after, now)], now)
        self._past.accept(listing)
        self._collect()

    def _around(self, finds: list[Find], at_path: Source) -> tuple[list[Find], list[Find]]:
        """Split *finds* at the file that the path named when it was opened; it may have been rotated since."""
        for index, (sibling, content, *_) in enumerate(finds):
            same = sibling.packed and content is not None and self._past.is_copy(content, True, [at_path])
            if same or sibling.id == at_path.id:
                close_all([finds[index]])
                return finds[:index], finds[index + 1 :]
        return finds, []

    def _discover_rotated(self, now: float) -> None:
        """The path names nothing: what it named since the last look may have been rotated away again."""
        if not self._past.changed():
            return
        self._check_left(now)
        try:
            listing, finds = self._past.open_news(self._chain.newest, self._held(), None)
        except OSError:
            self._past.ask_again()
            raise
        self._extend(self._nodes(finds, now), now)
        self._past.accept(listing)

    def _check_left(self, now: float) -> None:
        """Look at the newest source first: a copy made before it was truncated is its rest, not a file in between."""
        newest = self._chain.newest
        if newest is not None and newest.content is not None and newest.end is None:
            self._examine(newest, newest.content.look(), now)

    def _extend(self, nodes: list[Source], now: float) -> None:
        for node in nodes:
            self._chain.append(node, now)
            logger.info("%s: source %s %s", self.path, node.opening.source, node.opening.detail)

    def _truncate(self, source: Source, now: float, *, empty: Look | None = None) -> None:
        """*source* was truncated or rewritten: its rest may be in a copy; then the file goes on as a new source.

        Args:
            empty: how it was last seen, and as which only a copy, of what was written and truncated since, proves it.
        """
        if source.end is not None:
            source.abandon("changed after it was rotated away")
            return
        successor, listing, finds = look_before(source, self._past, self._held(), now)
        if empty is not None:
            finds = self._past.without_copies(finds, successor)
        if empty is None or finds:
            if empty is not None:
                source.forget(empty)
            self._succeed(source, successor, finds, now)
            self._collect()
        self._past.accept(listing)

    def _succeed(self, source: Source, successor: Source, finds: list[Find], now: float) -> None:
        index = find_copy(finds, source.trail)
        source.hand_over()
        successor.left_at = source.left_at
        rest = finds
        if index is not None and (copy := finds[index].content) is not None:
            source.adopt(copy)
            rest = self._past.without_more_of(copy, finds, index)
        nodes = self._nodes(rest, now, [successor, *self._held()], by_rename=False)
        self._chain.insert(source, [*nodes, successor])
        logger.info("%s: truncated, %s", self.path, source.fate or "the rest is in a copy")

    def _held(self) -> list[Source]:
        return [source for source in self._chain.sources if source.content is not None]

    def _nodes(
        self, finds: Iterable[Find], now: float, held: list[Source] | None = None, *, by_rename: bool = True
    ) -> list[Source]:
        held = self._held() if held is None else held
        nodes = (self._node(find, held, now, by_rename) for find in finds)
        return [node for node in nodes if node is not None]

    def _node(self, find: Find, held: list[Source], now: float, by_rename: bool) -> Source | None:
        """A node for a rotated file; None when there is nothing new in it."""
        content, sibling = find.content, find.sibling
        if content is None:
            return lost_source(sibling, find.why, now)
        start = self._past.unread_from(content, bool(sibling.packed), held, by_rename=by_rename)
        if start is None:
            content.close()
            return None
        source = Source(content, opening_of(content, start, "rotated", os.path.basename(sibling.path)), now)
        source.leave(now)
        return source

    def _placed(self, source: Source) -> Source:
        """The file at the path as a node; one that it named before goes on where it was left."""
        assert source.content is not None
        earlier = next((s for s in reversed(self._held()) if s.id == source.id), None)
        if earlier is not None:
            earlier.seal()
            source.go_on(earlier.readable, earlier.trail)
        elif (done := self._past.find_finished(source.content)) is not None:
            source.go_on(done.end, done.trail)
        return source

    # --- sources that the path no longer names

    def _tend(self, now: float) -> None:
        for source in list(self._chain.sources):
            if source.content is None or (source.left_at is None and source.end is None):
                continue
            try:
                self._tend_one(source, source.content, now)
            except OSError as error:
                self._failure = error
        self._chain.enforce(self._hold, now)

    def _tend_one(self, source: Source, content: Content, now: float) -> None:
        look = content.look()
        if look.links == 0 and source.unlinked_at is None:
            source.unlinked_at = now
        if source.end is not None:
            return
        self._examine(source, look, now)
        if source.end is None and source.next is not None:
            finished_at = source.quiet_since + self.rotate_grace
            if now >= finished_at:
                source.seal()
            else:
                self._looks.not_after(finished_at)

    # --- what cursors ask for

    def doubt(self, source: Source, now: float) -> None:
        """A cursor found other bytes in *source* than it read there. Raises OSError."""
        self._still = None
        if source.content is not None:
            self._truncate(source, now)

    def passed(self) -> None:
        """A cursor left a source."""
        self._still = None
        self._collect()

    def failed(self, error: OSError) -> None:
        """A cursor could not read."""
        self._still = None
        self._failure = error
        self._report(error)

    def forget(self, cursor: Cursor) -> None:
        """A cursor was closed."""
        if cursor in self._chain.cursors:
            self._chain.cursors.remove(cursor)
            self._collect()

    def _try_place(self, cursor: Cursor, now: float) -> None:
        """Enter *cursor* where it belongs, if that is known by now; each poll tries again."""
        try:
            placed = self._place_new(cursor) if cursor.resume is None else self._place_resumed(cursor, now)
        except OSError as error:
            self._failure = error
            return
        if placed:
            self._chain.cursor_placed()
            self._collect()

    def _place_new(self, cursor: Cursor) -> bool:
        first, released = self._chain.first, self._chain.released
        if first is None:
            return False
        opening = first.opening
        if released:
            detail = "rotated away before this target came"
            opening = replace(opening, reason="gap", lost=released, detail=detail)
        cursor.enter(first, first.start, opening)
        return True

    def _place_resumed(self, cursor: Cursor, now: float) -> bool:
        assert cursor.resume is not None
        first = self._chain.first
        resumed = find_resumed(cursor.resume, self._held(), first, self._past, now)
        settled = False
        try:
            # If not, what was found may be a copy of it, which the next look sorts in.
            settled = self._newest_holds_on()
        finally:
            if not settled and resumed is not None:
                for source in resumed.prior:
                    source.close()
        if not settled:
            self.wake()
        if not settled or resumed is None:
            return False
        if resumed.prior:
            self._chain.prepend(resumed.prior, resumed.link or first)
        _enter_resumed(cursor, resumed)
        return True

    def _newest_holds_on(self) -> bool:
        """Whether the file at the path was not truncated since the last look; if it was, the next one finds it."""
        newest = self._chain.newest
        if newest is None or newest.content is None or newest.end is not None or newest.holds_on():
            return True
        newest.suspect()
        return False

    def _collect(self) -> None:
        for source in self._chain.take_unneeded():
            self._past.finish(source)
            source.close()

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
        if trouble is None:
            logger.info("%s: can be read again", self.path)
        else:
            level = logging.INFO if isinstance(error, NotAFile | BeingRotated) else logging.WARNING
            logger.log(level, "%s: %s; will look again", self.path, trouble)


def _enter_resumed(cursor: Cursor, resumed: Resumed) -> None:
    source, opening = resumed.source, None
    if resumed.doubt:
        opening = replace(source.opening, source_offset=resumed.position, reason="gap", lost=None, detail=resumed.doubt)
    cursor.enter(source, resumed.position, opening, resumed.before)
