"""The oracle complains of each thing that must never be, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.chaos.oracle import Mark, Verdict, judge
from tests.chaos.truth import Absence, Absences, Generation

LINE = 22


def lines(first: int, last: int) -> bytes:
    """Lines first to last - 1, of LINE bytes each."""
    return b"".join(b"line %08d %07x\n" % (number, number * 7919 % 0xFFFFFF) for number in range(first, last))


def at(number: int) -> int:
    """Where line *number* begins."""
    return number * LINE


WRITTEN = lines(0, 300)


def generations(**fates: float) -> list[Generation]:
    """Three files of 100 lines each, written in [0, 10), [10, 20), [20, 30); *fates*: f0, f1 or f2=when destroyed."""
    made = [Generation(at(100 * n), at(100 * n + 100), 10.0 * n, 10.0 * n + 9.0) for n in range(3)]
    for name, moment in fates.items():
        generation = made[int(name[1:])]
        generation.destroyed, generation.how = moment, "overwritten"
    return made


@dataclass
class Case:
    """A copy and what is known about it."""

    directory: Path
    files: list[Generation] = field(default_factory=generations)
    marks: list[Mark] = field(default_factory=list)
    away: list[Absence] = field(default_factory=list)

    def judge(self, copy: bytes) -> Verdict:
        (self.directory / "written").write_bytes(WRITTEN)
        (self.directory / "copy").write_bytes(copy)
        paths = self.directory / "written", self.directory / "copy"
        return judge("site/log", *paths, self.marks, self.files, Absences(self.away))


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


@pytest.fixture
def lost_second(case: Case) -> Case:
    """The second file was overwritten while the sender was away; the gap is where it was."""
    case.files = generations(f1=25.0)
    case.marks = [Mark(at(100), at(100), "gap", 40.0)]
    case.away = [Absence(26.0, 39.0, "kill")]
    return case


WITHOUT_SECOND = WRITTEN[: at(100)] + WRITTEN[at(200) :]


def test_an_empty_file_that_still_stands_among_destroyed_ones_takes_no_right_away(lost_second: Case):
    empty = Generation(at(150), at(150), 15.0, 15.0)
    first, second, third = lost_second.files
    halves = replace(second, end=at(150)), replace(second, start=at(150))
    lost_second.files = [first, halves[0], empty, halves[1], third]

    verdict = lost_second.judge(WITHOUT_SECOND)

    assert verdict.complaints == []
    assert [missing.why for missing in verdict.missing] == ["overwritten"]


def test_every_line_is_as_long_as_the_tests_think():
    assert len(WRITTEN) == at(300)


def test_an_exact_copy_is_good(case: Case):
    verdict = case.judge(WRITTEN)
    assert verdict.exact
    assert verdict.complaints == []


def test_marks_with_nothing_missing_are_good_where_a_file_was_truncated(case: Case):
    case.marks = [Mark(at(100), 0, "truncated", 12.0), Mark(at(200), 0, "truncated", 22.0)]
    assert case.judge(WRITTEN).complaints == []


@pytest.mark.parametrize("size", [1, LINE, 5000])
def test_a_doubled_range_is_told(case: Case, size: int):
    verdict = case.judge(WRITTEN[:4000] + WRITTEN[max(0, 4000 - size) :])
    assert "a second time" in verdict.complaints[0] or size == 1
    assert len(verdict.complaints) == 1
    assert not verdict.exact


@pytest.mark.parametrize(("start", "size"), [(0, 1), (0, 500), (4000, 1), (4000, 2000)])
def test_a_missing_range_that_no_gap_reports_is_told(case: Case, start: int, size: int):
    verdict = case.judge(WRITTEN[:start] + WRITTEN[start + size :])
    assert len(verdict.complaints) == 1
    assert "no gap says so" in verdict.complaints[0] or size == 1
    assert verdict.losses > 0


@pytest.mark.parametrize("size", [1, 700])
def test_a_missing_end_is_told(case: Case, size: int):
    verdict = case.judge(WRITTEN[:-size])
    assert "too early" in verdict.complaints[0]
    assert verdict.losses == size


def test_two_swapped_ranges_are_told(case: Case):
    assert case.judge(WRITTEN[:1000] + WRITTEN[2000:3000] + WRITTEN[1000:2000] + WRITTEN[3000:]).complaints


def test_a_changed_byte_is_told_with_context_from_both_sides(case: Case):
    copy = bytearray(WRITTEN)
    copy[1234] ^= 1
    [complaint] = case.judge(bytes(copy)).complaints
    assert "byte 1234 of the copy" in complaint
    assert repr(WRITTEN[1234 - 60 : 1234]) in complaint
    assert "never written" in complaint


def test_bytes_behind_the_end_are_told(case: Case):
    assert case.judge(WRITTEN + b"more\n").complaints


def test_a_reported_gap_for_destroyed_bytes_is_good(lost_second: Case):
    verdict = lost_second.judge(WITHOUT_SECOND)
    assert verdict.complaints == []
    assert [(missing.start, missing.end) for missing in verdict.missing] == [(at(100), at(200))]


def test_a_gap_of_unknown_size_is_good_too(lost_second: Case):
    lost_second.marks = [Mark(at(100), None, "gap", 40.0)]
    assert lost_second.judge(WITHOUT_SECOND).complaints == []


def test_the_same_without_the_gap_is_told(lost_second: Case):
    lost_second.marks = []
    assert "no gap says so" in lost_second.judge(WITHOUT_SECOND).complaints[0]


def test_a_gap_elsewhere_is_told(lost_second: Case):
    lost_second.marks = [Mark(at(101), at(100), "gap", 40.0)]
    assert lost_second.judge(WITHOUT_SECOND).complaints


@pytest.mark.parametrize("lost", [at(100) - 1, at(100) + 1, 0])
def test_a_gap_with_the_wrong_size_is_told(lost_second: Case, lost: int):
    lost_second.marks = [Mark(at(100), lost, "gap", 40.0)]
    assert lost_second.judge(WITHOUT_SECOND).complaints


def test_a_gap_for_bytes_that_still_exist_is_told(lost_second: Case):
    lost_second.files = generations()
    assert "without right" in lost_second.judge(WITHOUT_SECOND).complaints[0]


def test_a_gap_reported_before_the_bytes_were_destroyed_is_told(lost_second: Case):
    lost_second.files = generations(f1=60.0)
    assert "without right" in lost_second.judge(WITHOUT_SECOND).complaints[0]


def test_a_gap_for_bytes_that_the_sender_had_open_is_told(lost_second: Case):
    lost_second.away = [Absence(41.0, 45.0, "kill")]
    assert "without right" in lost_second.judge(WITHOUT_SECOND).complaints[0]


def test_a_gap_that_reaches_beyond_the_destroyed_bytes_is_told(lost_second: Case):
    lost_second.marks = [Mark(at(100), at(120), "gap", 40.0)]
    assert lost_second.judge(WRITTEN[: at(100)] + WRITTEN[at(220) :]).complaints


def test_a_gap_with_nothing_missing_is_told(case: Case):
    case.marks = [Mark(at(100), None, "gap", 40.0)]
    assert "nothing was destroyed" in case.judge(WRITTEN).complaints[0]


@pytest.fixture
def unknown(case: Case) -> Case:
    """The second file was deleted before the sender, which had been dead, could see it."""
    case.files = generations(f1=18.0)
    case.marks = [Mark(at(100), 0, "rotated", 21.0)]
    case.away = [Absence(9.5, 20.0, "kill")]
    return case


def test_a_file_that_the_sender_cannot_know_of_may_be_missing(unknown: Case):
    verdict = unknown.judge(WITHOUT_SECOND)
    assert verdict.complaints == []
    assert [missing.why for missing in verdict.missing] == ["never known"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda case: case.away.clear(),  # it ran all the time
        lambda case: case.away.__setitem__(0, Absence(9.5, 20.0, "freeze")),  # and had the file open
        lambda case: case.away.__setitem__(0, Absence(9.5, 16.0, "kill")),  # it came back before the file went
        lambda case: case.away.__setitem__(0, Absence(5.0, 9.5, "kill")),  # and even before there was one
        lambda case: case.files.__setitem__(slice(None), generations()),  # the file is still there
        lambda case: case.files.__setitem__(slice(None), generations(f1=40.0)),  # it was, when the mark was made
    ],
)
def test_without_a_word_nothing_else_may_be_missing(unknown: Case, spoil: Callable[[Case], None]):
    spoil(unknown)
    assert "without right" in unknown.judge(WITHOUT_SECOND).complaints[0]


def test_without_a_word_only_whole_files_may_be_missing(unknown: Case):
    unknown.marks = [Mark(at(120), 0, "rotated", 21.0)]
    assert unknown.judge(WRITTEN[: at(120)] + WRITTEN[at(200) :]).complaints
    unknown.marks = [Mark(at(100), 0, "rotated", 21.0)]
    assert unknown.judge(WRITTEN[: at(100)] + WRITTEN[at(180) :]).complaints


@pytest.fixture
def passed_over(case: Case) -> Case:
    """The first file is destroyed, the second was rotated away while the sender was dead; the third is at the path.

    The two were written within one tick of the clock.
    """
    case.files = generations(f0=15.0)
    case.files[1].written = case.files[0].written
    for generation, left in zip(case.files, (10.0, 20.0), strict=False):
        generation.left = left
    case.marks = [Mark(at(100), None, "gap", 31.0)]
    case.away = [Absence(9.5, 30.0, "kill")]
    return case


def test_files_of_the_same_tick_as_a_destroyed_one_may_be_passed_over(passed_over: Case):
    """Nothing proves that they are newer than the copy."""
    verdict = passed_over.judge(WITHOUT_SECOND)
    assert verdict.complaints == []
    assert [missing.why.partition(":")[0] for missing in verdict.missing] == ["passed over"]


def test_younger_files_than_a_destroyed_one_may_not_be_passed_over(passed_over: Case):
    passed_over.files[1].written += 1
    assert "without right" in passed_over.judge(WITHOUT_SECOND).complaints[0]


def test_while_the_path_names_nothing_all_rotated_files_may_be_passed_over(passed_over: Case):
    """The sender came back between a rename and the new file."""
    passed_over.files[2].born = 30.5
    assert passed_over.judge(WITHOUT_SECOND).complaints == []


def test_a_file_that_the_sender_found_at_the_path_may_not_be_passed_over(passed_over: Case):
    passed_over.files[1].left = 30.5
    assert "without right" in passed_over.judge(WITHOUT_SECOND).complaints[0]


def test_behind_a_file_that_is_still_there_none_may_be_passed_over(passed_over: Case):
    passed_over.files[0].destroyed = None
    assert "without right" in passed_over.judge(WITHOUT_SECOND).complaints[0]


def test_a_doubled_range_behind_a_gap_is_told(lost_second: Case):
    lost_second.marks = [Mark(at(100), None, "gap", 40.0)]
    assert lost_second.judge(WRITTEN[: at(100)] + WRITTEN[at(90) :]).complaints


def test_an_empty_log_has_an_empty_copy(tmp_path: Path):
    for name in ("written", "copy"):
        (tmp_path / name).touch()
    verdict = judge("site/log", tmp_path / "written", tmp_path / "copy", [], [], Absences())
    assert verdict.exact
    assert verdict.complaints == []
