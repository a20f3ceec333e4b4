"""Is a stored copy what it must be, given all that was written and what of it was destroyed?

A copy must be the truth with ranges left out, in order, no byte twice. Each range left out must stand at a gap of the
catalogue, be as long as that gap says, and consist of bytes that were destroyed while the sender was away or behind.
Only whole files that were gone before a restarted sender could see them may be missing without a word.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import xxhash
from tests.chaos.truth import Absences, Generation

_BLOCK = 1 << 20
_KEY = 4096
"""Bytes by which the beginning of a piece is looked for in the truth."""

_LATENCY = 1.0
"""Seconds after which a sender that runs has seen a write (its poll interval, and a loaded machine)."""

_TICK = 0.02
"""Seconds: two writes that are not further apart may have one mtime."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a segment of the catalogue begins; something may be missing before it.

    Args:
        offset: in the copy.
        lost: bytes; None: unknown.
        at: wall clock, seconds, when the receiver took it.
    """

    offset: int
    lost: int | None
    reason: str
    at: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """The bytes [start, end) of the truth are not in the copy, and that is as it should be, because of *why*."""

    start: int
    end: int
    why: str


@dataclass
class Verdict:
    """What the oracle found in one copy.

    Args:
        complaints: what must never be; empty for a good copy.
        missing: ranges that are rightly missing.
        gaps: marks with something lost, or possibly lost.
        duplicates, losses: bytes that are there twice, or missing without right.
    """

    label: str
    written: int = 0
    stored: int = 0
    exact: bool = False
    gaps: int = 0
    missing: list[Missing] = field(default_factory=list)
    duplicates: int = 0
    losses: int = 0
    complaints: list[str] = field(default_factory=list)


def judge(
    label: str,
    truth: Path,
    copy: Path,
    marks: list[Mark],
    generations: list[Generation],
    absences: Absences,
) -> Verdict:
    """Compare the file *copy* with the file *truth*."""
    with ExitStack() as files:
        written, stored = (files.enter_context(_Bytes(path)) for path in (truth, copy))
        verdict = Verdict(label, len(written), len(stored))
        verdict.gaps = sum(mark.lost != 0 for mark in marks)
        verdict.exact = len(written) == len(stored) and written.digest() == stored.digest()
        _Trial(written, stored, marks, generations, absences, verdict).run()
    return verdict


class _Bytes:
    """A file as bytes, mapped; empty ones too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._map: mmap.mmap | bytes = b""

    def __enter__(self) -> _Bytes:
        if self._path.stat().st_size:
            with open(self._path, "rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self

    def __exit__(self, *exc: object) -> None:
        if isinstance(self._map, mmap.mmap):
            self._map.close()

    def __len__(self) -> int:
        return len(self._map)

    def __getitem__(self, part: slice) -> bytes:
        return bytes(self._map[part])

    def find(self, what: bytes, start: int, end: int | None = None) -> int:
        return self._map.find(what, start, len(self._map) if end is None else end)

    def digest(self) -> str:
        hasher = xxhash.xxh3_128()
        for start in range(0, len(self._map), _BLOCK):
            hasher.update(self._map[start : start + _BLOCK])
        return hasher.hexdigest()


@dataclass(frozen=True, slots=True)
class _Cut:
    """A place of the copy with the marks that stand there."""

    offset: int
    marks: tuple[Mark, ...]

    @property
    def silent(self) -> bool:
        """Nothing is said to be lost here: only a truncation is told."""
        return all(mark.lost == 0 for mark in self.marks)

    @property
    def rotated(self) -> bool:
        """Nothing but rotations is told here."""
        return all(mark.reason == "rotated" and mark.lost == 0 for mark in self.marks)

    @property
    def known(self) -> int | None:
        """Bytes lost, if all marks know."""
        total = 0
        for mark in self.marks:
            if mark.lost is None:
                return None
            total += mark.lost
        return total


class _Trial:
    def __init__(
        self,
        written: _Bytes,
        stored: _Bytes,
        marks: list[Mark],
        generations: list[Generation],
        absences: Absences,
        verdict: Verdict,
    ) -> None:
        self._written = written
        self._stored = stored
        self._generations = generations
        self._absences = absences
        self._verdict = verdict
        offsets = sorted({mark.offset for mark in marks})
        self._cuts = [_Cut(offset, tuple(m for m in marks if m.offset == offset)) for offset in offsets]
        self._furthest = (-1, 0, 0)  # offset in the copy, place in the truth, index of the piece

    def run(self) -> None:
        places = self._align(0, 0)
        if places is None:
            self._explain()
            return
        for cut, start, end in places:
            self._check(cut, start, end)

    # --- where the pieces of the copy stand in the truth

    def _piece(self, index: int) -> tuple[int, int]:
        """The copy between cut index-1 and cut index."""
        start = self._cuts[index - 1].offset if index else 0
        end = self._cuts[index].offset if index < len(self._cuts) else len(self._stored)
        return start, end

    def _align(self, index: int, place: int) -> list[tuple[_Cut, int, int]] | None:
        """For the cuts from *index* on: (cut, first byte missing, first byte after it); None: it does not fit."""
        start, end = self._piece(index)
        same = self._common(start, place, end - start)
        if (start + same, place + same) > self._furthest[:2]:
            self._furthest = (start + same, place + same, index)
        if same < end - start:
            return None
        after = place + end - start
        if index == len(self._cuts):
            return [] if after == len(self._written) else None
        cut = self._cuts[index]
        for candidate in self._candidates(cut, index + 1, after):
            rest = self._align(index + 1, candidate)
            if rest is not None:
                return [(cut, after, candidate), *rest]
        return None

    def _candidates(self, cut: _Cut, index: int, after: int) -> Iterator[int]:
        """Places in the truth where the piece behind *cut* may begin."""
        known = cut.known
        if known is not None:
            yield after + known
        start, end = self._piece(index)
        key = self._stored[start : min(end, start + _KEY)]
        if not key:
            yield from (place for place in (after, len(self._written)) if known is None)
            return
        place = self._written.find(key, after)
        while place >= 0:
            if known is None or place > after + known:  # more was lost than could be known
                yield place
            place = self._written.find(key, place + 1)

    def _common(self, start: int, place: int, size: int) -> int:
        """How many of *size* bytes are the same in the copy from *start* and in the truth from *place*."""
        done = 0
        while done < size:
            block = min(_BLOCK, size - done)
            one = self._stored[start + done : start + done + block]
            other = self._written[place + done : place + done + block]
            if one != other:
                return done + _first_difference(one, other)
            done += block
        return size

    # --- may what is missing be missing?

    def _check(self, cut: _Cut, start: int, end: int) -> None:
        if cut.silent and start == end:
            return
        at = max(mark.at for mark in cut.marks)
        what = f"{end - start} bytes [{start}, {end}) at byte {cut.offset} of the copy"
        words = ", ".join(f"{mark.reason} lost={mark.lost} {mark.detail}" for mark in cut.marks)
        if start == end:
            if not self._doubtful(start, at):
                self._verdict.complaints.append(f"a gap at byte {cut.offset} where nothing was destroyed ({words})")
            return
        why = self._excuse(start, end, at, cut)
        if why:
            self._verdict.missing.append(Missing(start, end, why))
            return
        self._verdict.losses += end - start
        self._verdict.complaints.append(f"missing without right: {what} ({words}); {self._lives(start, end)}")

    def _doubtful(self, place: int, at: float) -> bool:
        """Whether a sender that was away could not know that nothing is missing at *place*."""
        return any(
            g.destroyed is not None and g.destroyed <= at + _LATENCY and self._absences.within(g.born, at)
            for g in self._generations
            if g.start <= place <= g.end
        )

    def _excuse(self, start: int, end: int, at: float, cut: _Cut) -> str:
        """Why [start, end) may be missing; "" if it may not."""
        # An empty file in between has no byte that could be missing, wherever it is now.
        parts = [g for g in self._generations if g.start < end and start < g.end and g.start < g.end]
        if cut.rotated:
            whole = start == parts[0].start and end == parts[-1].end
            return "never known" if whole and all(self._never_known(g, at) for g in parts) else ""
        if cut.known is not None and cut.known != end - start:
            unseen = all(g.destroyed is not None and self._away(g.written - _LATENCY, g.destroyed) for g in parts)
            if cut.known > end - start or not unseen:
                return ""
        gone = [g for g in parts if g.destroyed is not None and g.destroyed <= at + _LATENCY]
        if len(gone) == len(parts) and self._lost_its_chance(parts[0], at):
            return parts[0].how
        if cut.known is None and end <= self._held_from(at):
            return self._unfindable(start, [part for part in parts if part not in gone], at)
        return ""

    def _never_known(self, generation: Generation, at: float) -> bool:
        """Whether it was gone when a sender came back that cannot know of it: not one byte of it was stored."""
        gone, born = generation.destroyed, generation.born
        return gone is not None and any(
            a.kind == "kill" and born <= a.ended and gone <= a.ended + _LATENCY and a.ended <= at + _LATENCY
            for a in self._absences.known
        )

    def _unfindable(self, start: int, standing: list[Generation], at: float) -> str:
        """Why no sender that came back could tell that the files *standing* follow byte *start*; "" if it could.

        It goes on where the copy's last byte is found in a file. Where that file is destroyed, only the file system's
        clock proves that the siblings which are left are younger than the copy.
        """
        last = next((g for g in self._generations if g.start < start <= g.end), None)
        if last is None or last.destroyed is None or last.destroyed > at + _LATENCY or not self._away(last.born, at):
            return ""
        same = all(part.written <= last.written + _TICK for part in standing)
        return "passed over: written in the same tick as the file before, which was destroyed" if same else ""

    def _held_from(self, at: float) -> int:
        """Where the first file begins that the path named since the sender came back last before *at*."""
        back = max((a.ended for a in self._absences.known if a.kind == "kill" and a.began <= at), default=0.0)
        named = (g.start for g in self._generations if g.left is None or g.left > back)
        return min(named, default=len(self._written))

    def _lost_its_chance(self, generation: Generation, at: float) -> bool:
        """A truncation takes what was not read; what is deleted is read by whoever has it open."""
        return generation.how == "truncated" or self._away(generation.born, at)

    def _away(self, began: float, ended: float) -> bool:
        return self._absences.within(began, ended)

    def _lives(self, start: int, end: int) -> str:
        def life(g: Generation) -> str:
            fate = "still there" if g.destroyed is None else f"{g.how} at {g.destroyed:.2f}"
            return f"[{g.start}, {g.end}) born {g.born:.2f}, last written {g.written:.2f}, {fate}"

        parts = [life(g) for g in self._generations if g.start < end and start < g.end]
        return f"{len(parts)} generations: " + "; ".join(parts[:4])

    # --- what is wrong

    def _explain(self) -> None:
        offset, place, index = self._furthest
        verdict = self._verdict
        verdict.complaints.append(self._diagnosis(offset, place) + self._context(offset, place, index))

    def _diagnosis(self, offset: int, place: int) -> str:
        written, stored, verdict = self._written, self._stored, self._verdict
        where = f"first difference at byte {offset} of the copy, {place} of what was written: "
        if offset >= len(stored):
            verdict.losses += len(written) - place
            return where + f"the copy ends, {len(written) - place} bytes too early"
        key = stored[offset : offset + 64]
        later = written.find(key, place)
        earlier = written.find(key, 0, place + len(key) - 1)
        if later > place:
            verdict.losses += later - place
            return where + f"{later - place} bytes are missing, and no gap says so"
        if earlier >= 0:
            size = self._common(offset, earlier, min(len(stored) - offset, place - earlier))
            verdict.duplicates += size
            return where + f"{size} bytes from {earlier} come a second time"
        verdict.losses += 1
        return where + "what follows was never written"

    def _context(self, offset: int, place: int, index: int) -> str:
        low = max(0, offset - 60), max(0, place - 60)
        near = list(self._cuts[max(0, index - 1) : index + 1])
        return (
            f"\n  copy:    ...{self._stored[low[0] : offset]!r} | {self._stored[offset : offset + 80]!r}"
            f"\n  written: ...{self._written[low[1] : place]!r} | {self._written[place : place + 80]!r}"
            f"\n  marks near: {near}\n  {self._lives(place, place + 1)}"
        )


def _first_difference(one: bytes, other: bytes) -> int:
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low
