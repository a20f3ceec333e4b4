"""Random file actions against a model: what is read is right, in order, and all that could be read."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from logstreamer.tail import SegmentStart
from tail.tailing import GRACE, Log, Reading

LINE = len(b"line 0000000\n")


@dataclass
class Generation:
    """What one file held between two truncations; the model of a source.

    Attributes:
        text: all that was written to it.
        seen: how much of it the follower has had the chance to see.
        held: the follower has it open, or its text is still on the disk.
    """

    text: bytearray = field(default_factory=bytearray)
    seen: int = 0
    opened: bool = False
    destroyed: bool = False


class FileActions(RuleBasedStateMachine):
    """The writer's side acts on a real file; a reader with a random appetite follows it."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.log = Log(Path(self.directory.name) / "app.log")
        self.reading = Reading(self.log.path, limit=7 * LINE)
        self.slow = Reading(self.log.path, limit=3 * LINE, follower=self.reading.follower)
        self.generations: list[Generation] = []
        self.exists = False

    def teardown(self) -> None:
        try:
            self.check_all_is_read()
        finally:
            self.reading.close()
            self.directory.cleanup()

    # --- the writer

    def current(self) -> Generation:
        if not self.exists:
            self.log.create()
            self.generations.append(Generation())
            self.exists = True
        return self.generations[-1]

    @rule(count=st.integers(1, 30))
    def append(self, count: int) -> None:
        self.current().text += self.log.append(count)

    @precondition(lambda self: self.exists)
    @rule(late=st.integers(0, 3), create=st.booleans())
    def rotate(self, late: int, create: bool) -> None:
        rotated = self.log.rotate(create=False)
        if late:
            self.generations[-1].text += self.log.append(late, to=rotated)
        self.exists = False
        if create:
            self.current()

    @precondition(lambda self: self.exists)
    @rule()
    def copytruncate(self) -> None:
        self.log.copytruncate()
        self.generations.append(Generation(opened=self.generations[-1].opened))

    @precondition(lambda self: self.exists and self.generations[-1].text)
    @rule()
    def truncate(self) -> None:
        self.log.truncate()
        self.generations[-1].destroyed = True
        self.generations.append(Generation(opened=self.generations[-1].opened))

    @precondition(lambda self: self.exists)
    @rule()
    def delete(self) -> None:
        self.log.path.unlink()
        self.generations[-1].destroyed = not self.generations[-1].opened
        self.exists = False

    @precondition(lambda self: self.log.numbered(1).exists())
    @rule()
    def compress(self) -> None:
        self.log.compress(1)

    # --- the reader

    @rule(seconds=st.sampled_from([0.0, 0.1, 0.5, 3.0]))
    def poll(self, seconds: float) -> None:
        self.reading.poll(seconds)
        for generation in self.generations:
            if not generation.destroyed:
                generation.opened, generation.seen = True, len(generation.text)

    @rule(most=st.integers(1, 8))
    def read(self, most: int) -> None:
        self.reading.read(most)

    @rule(most=st.integers(1, 2))
    def read_slowly(self, most: int) -> None:
        self.slow.now = self.reading.now
        self.slow.read(most)

    @rule()
    def look_and_read_all(self) -> None:
        self.poll(0.5)
        self.reading.read()

    # --- what must hold

    @invariant()
    def each_reads_in_order_and_once(self) -> None:
        written = b"".join(bytes(generation.text) for generation in self.generations)
        for reading in (self.reading, self.slow):
            position = 0
            for piece in pieces(reading):
                found = written.find(piece, position)
                assert found >= 0, f"{piece[:60]!r} was not written after byte {position}, or is read twice"
                position = found + len(piece)

    def check_all_is_read(self) -> None:
        self.poll(0.5)
        self.reading.settle()
        self.slow.now = self.reading.now
        self.slow.settle()
        self.each_reads_in_order_and_once()
        for reading in (self.reading, self.slow):
            self.check_losses(reading)
            assert reading.cursor.behind == 0
        assert self.reading.follower.trouble is None

    def check_losses(self, reading: Reading) -> None:
        got = reading.data
        lines = set(got.splitlines())
        known_lost = all_lost = 0
        for generation in self.generations:
            if not generation.destroyed:
                assert bytes(generation.text) in got, f"not read, and it could be: {bytes(generation.text[:60])!r}"
                continue
            read = sum(line in lines for line in bytes(generation.text).splitlines())
            known_lost += max(0, generation.seen - read * LINE)
            all_lost += len(generation.text) - read * LINE
        # A read may see more than the last poll did.
        assert known_lost <= sum(lost or 0 for lost in reading.lost) <= all_lost
        assert None not in reading.lost


def pieces(reading: Reading) -> list[bytes]:
    """What was read, cut where something may be missing."""
    found = [b""]
    for item in reading.items:
        if isinstance(item, SegmentStart):
            found.append(b"")
        else:
            found[-1] += item
    return [piece for piece in found if piece]


TestFileActions: Any = FileActions.TestCase
TestFileActions.settings = settings(max_examples=40, stateful_step_count=25, suppress_health_check=list(HealthCheck))


ACTIONS: dict[str, Callable[[Log], object]] = {
    "rotate": lambda log: log.rotate(),
    "copytruncate": lambda log: log.copytruncate(),
    "compress": lambda log: log.numbered(1).exists() and log.compress(1),
    "late": lambda log: log.rotate(create=False),
}


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 30)),
            st.tuples(st.sampled_from(sorted(ACTIONS)), st.just(0)),
            st.tuples(st.just("read"), st.integers(1, 6)),
            st.tuples(st.just("poll"), st.integers(0, 3)),
            st.tuples(st.just("restart"), st.just(0)),
        ),
        max_size=40,
    )
)
def test_nothing_is_lost_or_doubled_across_restarts_while_all_is_still_on_the_disk(actions: list[tuple[str, int]]):
    with tempfile.TemporaryDirectory() as directory:
        log = Log(Path(directory) / "app.log")
        written = log.append(5)
        reading = Reading(log.path, limit=7 * LINE)
        items = reading.items
        for action, number in actions:
            if action == "append" or not log.path.exists():
                written += log.append(max(1, number))
            elif action == "read":
                reading.read(number)
            elif action == "poll":
                reading.poll(float(number))
            elif action != "restart":
                ACTIONS[action](log)
            elif items:
                point = reading.resume_point()
                reading.close()
                reading = Reading(log.path, limit=7 * LINE, resume=point)
                reading.items = items
        reading.settle()
        reading.close()

        assert reading.data == written
        assert reading.lost == []


def swap_symlink(path: Path, target: Path) -> None:
    fresh = path.with_name("fresh-link")
    fresh.symlink_to(target.name)
    fresh.replace(path)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 30)),
            st.tuples(st.just("swap"), st.integers(0, 3)),
            st.tuples(st.just("read"), st.integers(1, 6)),
            st.tuples(st.just("poll"), st.integers(0, 3)),
            st.tuples(st.just("stop"), st.just(0)),
        ),
        max_size=40,
    )
)
def test_every_target_of_a_swapped_symlink_is_read_in_order_until_the_stop(actions: list[tuple[str, int]]):
    """A look lies between two swaps: a target that nobody saw is not the path's past, by name or otherwise."""
    with tempfile.TemporaryDirectory() as directory:
        log = Log(Path(directory) / "run-0.log")
        texts = [log.append(5)]
        path = Path(directory) / "app.log"
        swap_symlink(path, log.path)
        reading = Reading(path, limit=7 * LINE)
        for action, number in actions:
            if action == "append":
                texts[-1] += log.append(number)
            elif action == "read":
                reading.read(number)
            elif action == "poll":
                reading.poll(float(number))
            elif action == "stop":
                break
            else:
                reading.poll()
                old, log.path = log.path, log.path.with_name(f"run-{len(texts)}.log")
                texts.append(log.append(3))
                swap_symlink(path, log.path)
                if number:  # the writer of the old one is a little late
                    texts[-2] += log.append(number, to=old)
                reading.poll()
        reading.settle()
        reading.close()

        assert reading.data == b"".join(texts)
        assert reading.lost == []


_COPIED_WHILE_IT_WAS_SEEN_EMPTY = [
    ("lose", 1),
    ("kill", 1),
    ("append", 8),
    ("copytruncate", 0),
    ("lose", 1),
    ("lose", 1),
    ("kill", 3),
    ("kill", 3),
]

DESTRUCTIVE: dict[str, Callable[[Log], object]] = {
    **ACTIONS,
    "truncate": lambda log: log.truncate(),
    "delete": lambda log: log.path.unlink(),
    "drop": lambda log: [path.unlink() for path in log.rotated()[:1]],
}


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 30)),
            st.tuples(st.sampled_from(sorted(DESTRUCTIVE)), st.just(0)),
            st.tuples(st.just("create"), st.just(0)),
            st.tuples(st.just("look"), st.integers(1, 6)),
            st.tuples(st.just("lose"), st.integers(1, 30)),
            st.tuples(st.just("kill"), st.integers(0, 3)),
            st.tuples(st.just("kill"), st.just(0)),
        ),
        min_size=20,
        max_size=40,
    )
)
@example(_COPIED_WHILE_IT_WAS_SEEN_EMPTY)
def test_across_kills_what_stands_in_a_file_is_read_once_though_others_were_destroyed(actions: list[tuple[str, int]]):
    """What was destroyed may be missing, with a gap at its place if a part of its file was stored."""
    with tempfile.TemporaryDirectory() as directory:
        log = Log(Path(directory) / "app.log")
        written = log.append(5)
        seen, unseen = 0, set[int]()  # destroyed before anybody looked
        files = {0}  # the first line of each
        items: list[SegmentStart | bytes] = []
        reading = Reading(log.path, limit=7 * LINE)
        reading.items = items
        reading.read(1)
        for action, number in actions:
            if action == "append":
                written += log.append(number)
            elif action == "create" and not log.path.exists():
                log.create()
            elif action == "look":
                reading.poll(2 * GRACE)
                reading.read(number)
                seen = len(written) // LINE
            elif action == "lose":  # the mark of the gap is of a file that is still empty
                written += log.append(number)
                reading.poll()
                log.truncate()
                files.add(len(written) // LINE)
                reading.poll(2 * GRACE)
                reading.read()
                seen = len(written) // LINE
            elif action in DESTRUCTIVE and log.path.exists():
                DESTRUCTIVE[action](log)
                files.add(len(written) // LINE)
                unseen |= set(range(seen, len(written) // LINE)) if action in ("truncate", "delete") else set()
            elif action == "kill" and items:
                reading.close()
                del items[max(1, len(items) - number) :]  # it was on its way
                reading = Reading(log.path, limit=7 * LINE, resume=reading.resume_point())
                reading.items = items
                seen = len(written) // LINE
        written += log.append(1)
        reading.settle()
        reading.close()

        got = numbers_of(reading.data)
        assert got == sorted(set(got))
        assert set(numbers_of(b"".join(log.texts()))) <= set(got)
        missing = set(range(len(written) // LINE)) - set(got)
        torn = {number for number in missing - files - unseen if number - 1 in got}
        assert torn <= gaps_before(items)


def numbers_of(text: bytes) -> list[int]:
    return [int(line.split()[1]) for line in text.splitlines()]


def gaps_before(items: list[SegmentStart | bytes]) -> set[int]:
    """The first line that is missing at each gap."""
    found, following = set(), 0
    for item in items:
        if isinstance(item, bytes):
            following = numbers_of(item)[-1] + 1
        elif item.lost != 0 or item.reason == "truncated":
            found.add(following)
    return found
