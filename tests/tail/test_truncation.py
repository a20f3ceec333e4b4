"""Rows T7-T9, T11 of the faults: the same file with other content."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from logstreamer.tail.content import Content, Look
from logstreamer.tail.cursor import HOLE_LIMIT
from logstreamer.tail.locate import Past
from logstreamer.tail.siblings import BeingRotated, Sibling
from logstreamer.tail.source import Change, Source
from tail.tailing import GRACE, Log, Reading

Follow = Callable[..., Reading]

BLOCK = 4096  # of a file system; its last bytes are zeros, and no hole


def test_t07_copytruncate_shorter_than_what_was_read(log: Log, follow: Follow):
    old = log.append(50)
    reading = follow()
    reading.step()
    log.copytruncate()
    new = log.append(2)

    reading.settle()

    assert reading.data == old + new
    assert reading.reasons == ["start", "truncated"]
    assert reading.lost == []


def test_t07_copytruncate_regrown_past_the_old_offset(log: Log, follow: Follow):
    old = log.append(50)
    reading = follow()
    reading.step()
    log.copytruncate()
    new = log.append(500)

    reading.settle()

    assert reading.data == old + new
    assert reading.reasons == ["start", "truncated"]


def test_t07_copytruncate_with_unread_bytes_reads_on_in_the_copy(log: Log, follow: Follow):
    old = log.append(50)
    reading = follow(limit=100)
    reading.read(3)
    old += log.append(10)  # after the last look
    log.copytruncate()
    new = log.append(2)

    reading.settle()

    assert reading.data == old + new
    assert reading.reasons == ["start", "truncated"]
    assert reading.lost == []


def test_t07_copytruncate_before_the_first_byte_was_read(log: Log, follow: Follow):
    old = log.append(50)
    reading = follow()
    log.copytruncate()
    new = log.append(100)

    reading.settle()

    assert reading.data == old + new


def test_t07_copy_taken_before_our_position_continues_with_the_truncated_file(log: Log, follow: Follow):
    """The writer wrote between the copy and the truncation, and we read that."""
    old = log.append(50)
    reading = follow()
    reading.step()
    copy = log.path.read_bytes()
    old += log.append(2)
    reading.step()
    log.write(copy, to=log.numbered(1))
    log.truncate()
    new = log.append(3)

    reading.settle()

    assert reading.data == old + new
    assert reading.lost == []


def test_t07_bytes_between_copy_and_truncation_are_a_gap_of_known_size(log: Log, follow: Follow):
    old = log.append(50)
    reading = follow(limit=13)
    reading.read(3)
    log.write(log.path.read_bytes(), to=log.numbered(1))
    between = log.append(4)
    reading.poll()
    log.truncate()
    new = log.append(3)

    reading.settle()

    assert reading.data == old + new
    assert reading.lost == [len(between)]


@pytest.mark.parametrize("times", [2, 5])
def test_t07_copytruncated_many_times_between_two_looks(log: Log, follow: Follow, times: int):
    written = log.append(5)
    reading = follow(limit=20)
    reading.read(2)
    for _ in range(times):
        log.copytruncate()
        written += log.append(5)

    reading.settle()

    assert reading.data == written
    assert reading.lost == []


def test_t07_copies_that_were_compressed_at_once(log: Log, follow: Follow):
    written = log.append(500)
    reading = follow(limit=20)
    reading.read(2)
    for _ in range(2):
        log.copytruncate()
        log.compress(1)
        written += log.append(500)

    reading.settle()

    assert reading.data == written


def test_t07_truncated_without_a_copy_is_a_gap_of_known_size(log: Log, follow: Follow):
    old = log.append(50)
    reading = follow(limit=13)
    reading.read(4)
    log.truncate()
    reading.poll()
    assert reading.read() == b""
    assert (reading.segments[1].reason, reading.segments[1].lost) == ("truncated", len(old) - 39)

    new = log.append(2)
    reading.settle()

    assert reading.data == old[:39] + new


def test_t07_truncation_between_poll_and_read_is_noticed_by_the_read(log: Log, follow: Follow):
    old = log.append(50)
    reading = follow(limit=130)
    reading.read(2)
    log.copytruncate()
    new = log.append(70)

    reading.read()
    reading.settle()

    assert reading.data == old + new


def test_t07_two_cursors_each_lose_what_they_had_not_read(log: Log, follow: Follow):
    old = log.append(10)
    reading = follow(limit=13)
    slow = reading.follower.cursor(None, 0.0)
    reading.read(6)
    slow.read(13, 0.0)
    slow.read(13, 0.0)
    log.truncate()
    reading.settle()

    segment = slow.read(13, reading.now)

    assert reading.lost == [len(old) - 65]
    assert segment.lost == len(old) - 13


@pytest.mark.parametrize("size", [1000, 5000])
def test_t08_identical_first_bytes_and_regrown_past_the_old_offset(log: Log, follow: Follow, size: int):
    header = b"#" * size
    log.write(header)
    old = header + log.append(50)
    reading = follow()
    reading.step()
    log.copytruncate()
    log.write(header)
    new = header + log.append(70)

    reading.settle()

    assert reading.data == old + new


def test_t08_identical_first_bytes_with_a_backlog(log: Log, follow: Follow):
    header = b"#" * 1000
    log.write(header)
    old = header + log.append(500)
    reading = follow(limit=300)
    reading.read(3)
    log.truncate()
    log.write(header)
    new = header + log.append(70)

    reading.settle()

    assert reading.data == old[:600] + new
    assert reading.lost == [len(old) - 600]


@pytest.mark.parametrize("size", [100, 1500, 5000])
def test_t08_identical_first_bytes_and_regrown_before_a_byte_was_read(log: Log, follow: Follow, size: int):
    header = b"#" * size
    log.write(header)
    text = header + log.append(2)
    reading = follow()
    log.copytruncate()
    log.write(header)
    text += header + log.append(70)

    reading.settle()

    assert reading.data == text
    assert reading.lost == []


@pytest.mark.parametrize("size", [100, 1500, 5000])
def test_t08_the_right_copy_is_found_among_those_with_identical_first_bytes(log: Log, follow: Follow, size: int):
    header = b"#" * size
    log.write(header)
    text = header + log.append(5)
    reading = follow()
    for count in (90, 2, 30):
        log.copytruncate()
        log.write(header)
        text += header + log.append(count)
    reading.poll()
    for count in (1, 50):
        log.copytruncate()
        log.write(header)
        text += header + log.append(count)

    reading.settle()

    assert reading.data == text
    assert reading.lost == []


@pytest.mark.parametrize("limit", [700, 1 << 16])
def test_t08_identical_first_bytes_and_regrown_between_poll_and_read(log: Log, follow: Follow, limit: int):
    header = b"#" * 1500
    log.write(header)
    text = header + log.append(20)
    reading = follow(limit=limit)
    log.copytruncate()
    log.write(header)
    text += header + log.append(70)

    reading.read(2)
    reading.settle()

    assert reading.data == text
    assert reading.lost == []


def test_t09_rewritten_with_the_same_length(log: Log, follow: Follow):
    old = log.append(5)
    reading = follow()
    reading.step()
    reading.step()
    new = log.lines(5)
    log.write(new, mode="wb")

    reading.settle()

    assert reading.data == old + new


def test_t09_rewritten_with_the_same_length_within_one_tick(log: Log, follow: Follow):
    """Size and mtime are those we saw; a second look shortly after the first write finds out."""
    old = log.append(5)
    reading = follow()
    reading.read()
    st = log.path.stat()
    new = log.lines(5)
    log.write(new, mode="wb")
    os.utime(log.path, ns=(st.st_mtime_ns, st.st_mtime_ns))

    reading.settle()

    assert reading.data == old + new


def test_t11_a_huge_hole_is_a_gap_and_not_zeros(log: Log, follow: Follow):
    """A writer without O_APPEND goes on at its old offset after copytruncate."""
    size = 8 * HOLE_LIMIT
    with open(log.path, "wb") as file:
        file.write(b"\n".join([b"a" * 99] * (size // 100)) + b"\n" * (size % 100 + 1))
        file.flush()
        size = file.tell()
        log.tick(log.path)
        old = log.path.read_bytes()
        reading = follow()
        reading.step()
        log.copytruncate()
        file.write(b"behind the hole\n")
    log.tick(log.path)
    assert log.path.stat().st_size > size

    reading.settle()

    assert reading.data.startswith(old)
    tail = reading.data[len(old) :]
    assert tail.endswith(b"behind the hole\n")
    assert len(tail) <= BLOCK + 16
    gap = reading.segments[-1]
    assert (gap.reason, gap.lost) == ("gap", 0)
    assert "hole of" in gap.detail
    assert gap.source_offset >= size - BLOCK


def test_t11_resumes_behind_a_hole(log: Log, follow: Follow):
    log.write(b"before\n")
    with open(log.path, "r+b") as file:
        file.seek(2 * HOLE_LIMIT)
        file.write(b"behind\n")
    reading = follow()
    reading.settle()
    point = reading.resume_point()
    reading.close()
    more = log.append(2)

    after = follow(resume=point)
    after.settle()

    assert after.items == [more]


def test_t11_a_short_hole_is_read_as_the_zeros_it_stands_for(log: Log, follow: Follow):
    log.write(b"before\n")
    with open(log.path, "r+b") as file:
        file.seek(100_000)
        file.write(b"behind\n")
    reading = follow(limit=7000)

    reading.settle()

    assert reading.data == log.path.read_bytes()
    assert reading.reasons == ["start"]


def test_t11_a_long_hole_at_the_end_is_waited_for(log: Log, follow: Follow):
    text = log.append(1)
    reading = follow()
    reading.step()
    os.truncate(log.path, 4 * HOLE_LIMIT)
    log.tick(log.path)
    reading.settle()
    assert reading.data.rstrip(b"\0") == text
    assert len(reading.data) <= BLOCK
    with open(log.path, "r+b") as file:
        file.seek(2 * HOLE_LIMIT)
        file.write(b"written later\n")
    log.tick(log.path)
    reading.settle()
    assert reading.data.rstrip(b"\0").endswith(b"written later\n")
    log.rotate()
    new = log.append(1)

    reading.settle()

    assert reading.data.endswith(new)
    assert len(reading.data) <= 2 * BLOCK + len(new)


def test_a_copy_of_a_file_that_was_not_truncated_is_not_read(log: Log, follow: Follow):
    old = log.append(500)
    reading = follow()
    reading.step()
    log.write(log.path.read_bytes(), to=log.path.with_name("app.log.bak"))
    old += log.append(500)
    reading.step()
    log.rotate()
    new = log.append(3)

    reading.settle()

    assert reading.data == old + new


def test_truncated_after_it_was_rotated_away(log: Log, follow: Follow):
    old = log.append(10)
    reading = follow(limit=13)
    reading.read(4)
    rotated = log.rotate()
    new = log.append(2)
    reading.poll(0.1)
    os.truncate(rotated, 0)
    reading.settle()

    assert reading.data == old[:39] + new
    assert reading.lost == [len(old) - 39]


def test_a_rotated_file_rewritten_after_it_was_finished_is_a_gap(log: Log, follow: Follow):
    old = log.append(10)
    reading = follow(limit=13)
    reading.read(4)
    rotated = log.rotate()
    new = log.append(2)
    for _ in range(5):
        reading.poll(GRACE)
    rotated.write_bytes(b"x" * 1000)

    reading.settle()

    assert reading.data == old[:39] + new
    assert reading.lost == [len(old) - 39]


def test_the_copy_may_be_written_over_an_older_one(log: Log, follow: Follow, tmp_path: Path):
    log.write(b"an old copy\n", to=log.numbered(1))
    old = log.append(10)
    reading = follow(limit=13)
    reading.read(4)
    log.write(log.path.read_bytes(), to=log.numbered(1), mode="wb")
    log.truncate()
    new = log.append(1)

    reading.settle()

    assert reading.data == old + new


def test_written_and_copytruncated_before_the_first_byte_was_ever_seen(log: Log, follow: Follow):
    """An empty file shows no truncation: size 0 before, size 0 after."""
    log.create()
    reading = follow()
    reading.settle()
    written = log.append(3)
    log.copytruncate()
    written += log.append(2)

    reading.settle()

    assert reading.data == written
    assert reading.lost == []


def test_truncated_then_rotated_then_rotated_between_two_looks(log: Log, follow: Follow):
    """A copy, the file itself and a third one are news at once: each has its place."""
    written = log.append(3)
    reading = follow()
    log.copytruncate()
    written += log.append(3)
    for _ in range(2):
        log.rotate()
        written += log.append(3)

    reading.settle()

    assert reading.data == written
    assert reading.lost == []


def test_rewritten_with_the_same_length_between_poll_and_the_first_read(log: Log, follow: Follow):
    old = log.append(1)
    reading = follow()
    new = log.lines(1)
    log.write(new, mode="wb")

    reading.read()
    reading.settle()

    assert reading.data == new
    assert reading.lost == [len(old)]


@pytest.mark.parametrize("copied", [0, 13, 5200])
def test_t07_a_copy_seen_before_the_truncation_is_found_again_after_it(log: Log, follow: Follow, copied: int):
    """The file was empty when we looked, and was written and copied within one tick of the file system's clock."""
    text = log.append(5)
    reading = follow()
    reading.step()
    log.copytruncate()
    reading.step(0.01)
    log.shift()
    text += log.append(400)
    copy, written_at = log.numbered(1), os.stat(log.path).st_mtime_ns
    copy.write_bytes(log.path.read_bytes()[:copied])
    os.utime(copy, ns=(written_at, written_at))
    reading.poll(0.01)
    reading.read(1)

    copy.write_bytes(log.path.read_bytes())
    os.utime(copy, ns=(written_at, written_at))
    log.truncate()
    reading.poll(0.01)
    text += log.append(3)
    reading.settle()

    assert reading.data == text
    assert reading.lost == []


def test_t07_a_file_seen_empty_with_its_old_mtime_is_truncated_all_the_same(log: Log, follow: Follow):
    """A kernel that truncates sets the size first and the time after it."""
    text = log.append(5)
    reading = follow()
    reading.poll(0.01)
    text += log.append(5)
    written_at = os.stat(log.path).st_mtime_ns
    log.copytruncate()
    os.utime(log.path, ns=(written_at, written_at))
    reading.poll(0.01)
    text += log.append(3)
    reading.settle()

    assert reading.data == text
    assert reading.lost == []


def test_t07_truncated_again_while_the_copies_are_listed(log: Log, follow: Follow, monkeypatch: pytest.MonkeyPatch):
    text = log.append(5)
    reading = follow()
    reading.step()
    log.copytruncate()
    text += log.append(7)
    list_all, again = Past.list_all, [True]

    def truncate_then_list(past: Past) -> list[Sibling]:
        nonlocal text
        if again:
            again.clear()
            log.copytruncate()
            text += log.append(3)
        return list_all(past)

    monkeypatch.setattr(Past, "list_all", truncate_then_list)
    reading.poll()
    reading.settle()

    assert reading.data == text
    assert reading.lost == []


@pytest.mark.parametrize("size", [100, 1500, 5000])
@pytest.mark.parametrize("lines", [(1, 1, 1), (3, 1, 2), (1, 2, 3)])
def test_t08_only_the_identical_first_bytes_were_seen_of_a_file_truncated_many_times(
    log: Log, follow: Follow, size: int, lines: tuple[int, ...]
):
    """Every copy agrees with what was seen: the oldest is of that file, the others of its successors."""
    header = b"#" * size
    log.write(header)
    text = header
    reading = follow()
    for number, count in enumerate(lines):
        if number:
            log.write(header)
            text += header
        text += log.append(count)
        log.copytruncate()
    reading.poll()
    log.write(header)
    text += header + log.append(1)

    reading.settle()

    assert reading.data == text
    assert reading.lost == []


@pytest.mark.parametrize("name", ["open_news", "open_news_before"])
@pytest.mark.parametrize("times", [1, 2, 3, 7])
def test_t07_truncated_again_after_the_siblings_were_listed(
    log: Log, follow: Follow, monkeypatch: pytest.MonkeyPatch, name: str, times: int
):
    """What the file held before they were listed is remembered, so that the copy made afterwards is missed."""
    text = log.append(5)
    reading = follow()
    reading.step()
    log.rotate() if name == "open_news" else log.copytruncate()
    text += log.append(5)
    original, left = getattr(Past, name), list(range(times))

    def then_truncate(past: Past, *arguments: Any) -> Any:
        nonlocal text
        result = original(past, *arguments)
        if left:
            left.pop()
            log.copytruncate()
            text += log.append(5)
        return result

    monkeypatch.setattr(Past, name, then_truncate)
    reading.settle()

    assert reading.data == text
    assert reading.lost == []


@pytest.mark.parametrize("is_known", [False, True], ids=["a new text", "one that is known"])
def test_t07_truncated_and_written_to_the_same_size_while_it_is_looked_at(
    log: Log, follow: Follow, monkeypatch: pytest.MonkeyPatch, is_known: bool
):
    """Size and time of one text, the bytes of the next: the copy of the first would count as older than both."""
    written = log.append(1 if is_known else 1000)
    reading = follow()
    if not is_known:
        log.copytruncate()
    written += log.append(1)
    read_ends = Source._read_ends

    def truncate_first(source: Source, content: Content, size: int) -> tuple[bytes, bytes]:
        nonlocal written
        if bool(source.trail.head) is is_known:
            monkeypatch.setattr(Source, "_read_ends", read_ends)
            log.copytruncate()
            written += log.append(2 if is_known else 1)
        return read_ends(source, content, size)

    monkeypatch.setattr(Source, "_read_ends", truncate_first)
    reading.poll()
    log.copytruncate()
    written += log.append(1)
    reading.settle()

    assert reading.data == written


@pytest.mark.parametrize("times", [1, 2, 3, 7])
def test_t07_truncated_each_time_the_copies_are_listed(
    log: Log, follow: Follow, monkeypatch: pytest.MonkeyPatch, times: int
):
    """Each copy has the time of its text, so it counts as older than it once that text is gone."""
    written = log.append(5)
    reading = follow()
    reading.step()
    log.copytruncate()
    written += log.append(1)
    list_all, left = Past.list_all, list(range(times))

    def truncate_then_list(past: Past) -> list[Sibling]:
        nonlocal written
        if left:
            left.pop()
            written_at = os.stat(log.path).st_mtime_ns
            os.utime(log.copytruncate(), ns=(written_at, written_at))
            written += log.append(1)
        return list_all(past)

    monkeypatch.setattr(Past, "list_all", truncate_then_list)
    reading.settle()

    assert reading.data == written
    assert reading.lost == []


def test_t07_an_empty_file_is_written_and_truncated_while_it_is_looked_at(
    log: Log, follow: Follow, monkeypatch: pytest.MonkeyPatch
):
    """Its size is of one text, the bytes are of the next one, which would be read twice."""
    log.create()
    reading = follow()
    reading.settle()
    log.append(5)
    new = log.lines(1)
    read_ends = Source._read_ends

    def rewrite_first(source: Source, content: Content, size: int) -> tuple[bytes, bytes]:
        monkeypatch.setattr(Source, "_read_ends", read_ends)
        log.write(new, mode="wb")
        return read_ends(source, content, size)

    monkeypatch.setattr(Source, "_read_ends", rewrite_first)
    reading.step()
    reading.settle()

    assert reading.data == new
    assert reading.lost == []


def test_t07_texts_before_the_first_one_that_was_seen_of_an_empty_file(
    log: Log, follow: Follow, monkeypatch: pytest.MonkeyPatch
):
    """The second text is seen, and truncated as well before the copies are listed."""
    log.create()
    reading = follow()
    reading.settle()
    written = log.append(3)
    log.copytruncate()
    written += log.append(3)
    list_all = Past.list_all

    def truncate_then_list(past: Past) -> list[Sibling]:
        nonlocal written
        monkeypatch.setattr(Past, "list_all", list_all)
        log.copytruncate()
        written += log.append(3)
        return list_all(past)

    monkeypatch.setattr(Past, "list_all", truncate_then_list)
    reading.settle()

    assert reading.data == written
    assert reading.lost == []


def test_t07_an_empty_file_is_asked_again_for_copies_that_could_not_be_listed(
    log: Log, follow: Follow, monkeypatch: pytest.MonkeyPatch
):
    log.create()
    reading = follow()
    reading.settle()
    written = log.append(3)
    log.copytruncate()
    written += log.append(3)
    list_all = Past.list_all

    def fail(past: Past) -> list[Sibling]:
        monkeypatch.setattr(Past, "list_all", list_all)
        raise BeingRotated(errno.EAGAIN, "is being rotated")

    monkeypatch.setattr(Past, "list_all", fail)
    reading.settle()

    assert reading.data == written
    assert reading.lost == []


def test_t07_a_new_file_is_truncated_between_the_look_at_it_and_at_its_siblings(
    log: Log, follow: Follow, monkeypatch: pytest.MonkeyPatch
):
    written = log.append(3)
    reading = follow()
    reading.settle()
    log.rotate()
    written += log.append(3)
    list_all = Past.list_all

    def truncate_then_list(past: Past) -> list[Sibling]:
        nonlocal written
        monkeypatch.setattr(Past, "list_all", list_all)
        log.copytruncate()
        written += log.append(3)
        return list_all(past)

    monkeypatch.setattr(Past, "list_all", truncate_then_list)
    reading.settle()

    assert reading.data == written
    assert reading.lost == []


def test_t08_only_a_part_of_identical_first_bytes_was_seen_of_an_empty_file(
    log: Log, follow: Follow, monkeypatch: pytest.MonkeyPatch
):
    """A writer's pages become visible one by one."""
    header = b"#" * 5000
    log.create()
    reading = follow()
    reading.settle()
    written = header + log.lines(1)
    log.write(written)
    log.copytruncate()
    log.write(header[:4096])
    rest = header[4096:] + log.lines(1)
    examine = Source.examine

    def examine_then_write(source: Source, look: Look, now: float) -> Change:
        monkeypatch.setattr(Source, "examine", examine)
        change = examine(source, look, now)
        log.write(rest)
        return change

    monkeypatch.setattr(Source, "examine", examine_then_write)
    reading.settle()

    assert reading.data == written + header[:4096] + rest
    assert reading.lost == []


def test_t07_copies_of_one_line_again_and_again_are_no_copies_of_each_other(tmp_path: Path, follow: Follow):
    line = b"." * 49 + b"\n"
    log = Log(tmp_path / "app.log", lambda _: line)
    log.append(100)
    reading = follow(limit=500)
    reading.read(3)
    for count in (120, 90):
        log.copytruncate()
        log.append(count)

    reading.settle()

    assert reading.data == line * 310
    assert reading.lost == []


def test_t08_a_copy_with_which_the_next_text_begins_is_not_its_copy(log: Log, follow: Follow):
    """Of one tick of the clock, it could be one that is just made of the next text: a known limitation."""
    header = b"epoch,loss\n"
    log.write(header)
    written = header + log.append(3)
    reading = follow()
    reading.settle()
    for _ in range(2):
        log.copytruncate()
        log.write(header)
    text = header + log.append(2)
    tick = log.path.stat().st_mtime_ns
    os.utime(log.numbered(1), ns=(tick, tick))
    reading.settle()
    log.copytruncate()
    text += log.append(1)
    reading.settle()

    assert reading.data == written + text
    assert reading.lost == []
