"""Rows T1-T6, T10, T12 and T16 of the faults: other files at the path."""

from __future__ import annotations

import errno
import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from logstreamer.tail import HoldBudget, content, locate
from logstreamer.tail.identity import Token
from logstreamer.tail.siblings import BeingRotated, Sibling, list_siblings
from tail.tailing import GRACE, Log, Reading

Follow = Callable[..., Reading]


def test_t01_rotated_before_it_was_read_to_its_end(log: Log, follow: Follow):
    old = log.append(100)
    reading = follow(limit=100)
    reading.read(2)
    log.rotate()
    new = log.append(5)

    reading.settle()

    assert reading.data == old + new
    assert reading.reasons == ["start", "rotated"]
    assert reading.lost == []


def test_t02_writer_keeps_writing_to_the_renamed_file(log: Log, follow: Follow):
    first = log.append(3)
    reading = follow()
    reading.step()
    rotated = log.rotate()
    new = log.append(2)
    late = b""
    for _ in range(6):  # each within the grace of the one before, longer than the grace in all
        late += log.append(1, to=rotated)
        reading.step(GRACE * 0.8)

    reading.settle()

    assert reading.data == first + late + new


def test_t02_a_quiet_file_is_finished_after_the_grace_and_not_before(log: Log, follow: Follow):
    log.append(1)
    reading = follow()
    reading.step()
    log.rotate()
    new = log.append(1)

    assert reading.step(0.1) == b""
    assert reading.step(GRACE * 0.9) == b""
    assert reading.step(GRACE * 0.2) == new


def test_t02_a_short_file_that_is_written_to_after_the_grace_is_not_read_again(log: Log, follow: Follow):
    """A truncation of its successor makes us look at the rotated files anew."""
    text = log.append(5)
    reading = follow()
    old = log.rotate()
    text += log.append(1)
    assert reading.settle() == text
    log.truncate()
    reading.step()
    late = log.append(2, to=old)
    new = log.append(1)
    reading.settle()

    assert reading.data == text + late + new


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("how", ["rotate", "truncate"])
def test_t02_a_file_rotated_before_we_came_is_not_read_for_its_late_writer(
    log: Log, follow: Follow, compressed: bool, how: str
):
    """What it held when we came is at the receiver."""
    log.append(500)
    before = follow()
    before.read()
    old = log.rotate()
    log.append(1)
    before.settle()
    point = before.resume_point()
    before.close()

    after = follow(resume=point)
    after.settle()
    log.append(2, to=old)
    if compressed:
        log.compress(1)
    log.rotate() if how == "rotate" else log.truncate()
    new = log.append(1)
    after.settle()

    assert after.data == new


def test_t02_a_file_that_was_still_written_to_when_we_came_is_read_whole(log: Log, follow: Follow):
    """It was rotated and the path names nothing yet; the receiver can be reached only later."""
    text = log.append(500)
    before = follow(limit=1000)
    before.read(2)
    held, point = before.data, before.resume_point()
    before.close()
    log.rotate()
    text += log.append(500)
    old = log.rotate(create=False)
    after = follow()
    text += log.append(500, to=old)
    text += log.append(1)
    after.poll()

    late = follow(resume=point, follower=after.follower)
    late.settle()

    assert held + late.data == text
    assert late.lost == []


def test_t02_written_to_and_compressed_between_two_looks(log: Log, follow: Follow):
    """While the new file was still empty: its first line makes us look for what came in between."""
    text = log.append(500)
    reading = follow()
    reading.read()
    old = log.rotate()
    reading.step()
    text += log.append(1, to=old)
    log.compress(1)
    text += log.append(1)
    reading.settle()

    assert reading.data == text


@pytest.mark.parametrize("times", [2, 3, 10])
def test_t03_rotated_many_times_between_two_looks(log: Log, follow: Follow, times: int):
    written = log.append(3)
    reading = follow()
    reading.read(1)
    for _ in range(times):
        log.rotate()
        written += log.append(3)

    reading.settle()

    assert reading.data == written
    assert reading.reasons == ["start"] + ["rotated"] * times


def test_t03_names_tell_the_order_of_files_written_in_one_tick(log: Log, follow: Follow):
    written = log.append(1)
    reading = follow()
    for _ in range(12):
        log.rotate()
        written += log.append(1)
    for path in log.path.parent.iterdir():
        os.utime(path, ns=(10**18, 10**18))

    reading.settle()

    assert reading.data == written


def test_t03_older_rotated_files_are_not_read(log: Log, follow: Follow):
    log.append(3)
    log.rotate()
    log.append(3)
    log.rotate()
    log.compress(2)
    current = log.append(3)
    reading = follow()
    log.rotate()
    log.compress(2)
    current += log.append(1)

    reading.settle()

    assert reading.data == current


def test_t03_dated_names_in_between_are_found(log: Log, follow: Follow):
    written = log.append(1)
    reading = follow()
    for day in range(1, 5):
        log.path.rename(log.path.with_name(f"app.log-2026010{day}"))
        written += log.append(1)

    reading.settle()

    assert reading.data == written


@pytest.mark.parametrize("kept", [3, 1])
def test_t10_files_of_the_same_content_in_between_are_no_copies(log: Log, follow: Follow, kept: int):
    """Logs without times may be the same, one after the other; only their order in time tells them from copies."""
    same = b"step 1 of 1000: all is well\n" * 400
    log.path.write_bytes(same)
    reading = follow()
    reading.settle()
    for _ in range(3):
        for number in reversed(range(1, kept)):
            older = log.path.with_name(f"app.log.{number}")
            if older.exists():
                older.rename(log.path.with_name(f"app.log.{number + 1}"))
        log.path.rename(log.path.with_name("app.log.1"))
        log.path.write_bytes(same)

    reading.settle()

    assert reading.data == same * (4 if kept == 3 else 3)  # with one kept, the second file was deleted unread


def test_t04_a_throttled_reader_outlasts_every_grace(log: Log, follow: Follow):
    reading = follow(limit=50)
    written = b""
    for _ in range(8):
        written += log.append(40)
        reading.poll(GRACE * 3)
        reading.read(2)
        log.rotate()
    assert reading.cursor.behind > 3000

    reading.settle()

    assert reading.data == written
    assert reading.lost == []


def test_t05_rotated_between_stat_and_open(log: Log, follow: Follow, monkeypatch: pytest.MonkeyPatch):
    written = log.append(1)
    reading = follow()
    log.rotate()
    written += log.append(1)
    check = content.check_regular

    def rotate_once(st: os.stat_result) -> None:
        nonlocal written
        monkeypatch.setattr(content, "check_regular", check)
        log.rotate()
        written += log.append(1)

    monkeypatch.setattr(content, "check_regular", rotate_once)
    reading.settle()

    assert reading.data == written


@pytest.mark.parametrize("compressed", [False, True])
def test_t05_rotated_between_open_and_the_listing_of_siblings(
    log: Log, follow: Follow, monkeypatch: pytest.MonkeyPatch, compressed: bool
):
    written = log.append(1)
    reading = follow()
    log.rotate()
    written += log.append(1)
    listdir = os.listdir

    def rotate_twice(directory: str) -> list[str]:
        nonlocal written
        monkeypatch.setattr(os, "listdir", listdir)
        for _ in range(2):
            log.rotate()
            written += log.append(1)
        if compressed:
            log.compress(2)
        return listdir(directory)

    monkeypatch.setattr(os, "listdir", rotate_twice)
    reading.settle()

    assert log.numbered(1).exists()
    assert reading.data == written


def test_t05_a_listing_that_missed_old_files_makes_no_news_of_them(
    log: Log, follow: Follow, monkeypatch: pytest.MonkeyPatch
):
    """A handler that rolls over again and again renames them all while we look."""
    for _ in range(3):
        log.append(5)
        log.rotate()
    old = {path.stat().st_ino for path in log.rotated()}
    written = log.append(1)
    reading = follow()
    reading.step()

    def torn(directory: str, base: str) -> list[Sibling]:
        return [sibling for sibling in list_siblings(directory, base) if sibling.id.inode not in old]

    for missed in (torn, list_siblings, torn, torn, list_siblings):
        monkeypatch.setattr(locate, "list_siblings", missed)
        log.rotate()
        written += log.append(1)
        reading.step()
    reading.settle()

    assert reading.data == written


def test_t05_what_could_not_be_listed_is_listed_at_the_next_look(
    log: Log, follow: Follow, monkeypatch: pytest.MonkeyPatch
):
    written = log.append(1)
    reading = follow()
    reading.step()
    log.rotate()
    written += log.append(1)
    log.rotate(create=False)

    def busy(directory: str, base: str) -> list[Sibling]:
        raise BeingRotated(errno.EAGAIN, "is being rotated")

    monkeypatch.setattr(locate, "list_siblings", busy)
    reading.step()
    assert reading.follower.trouble == "is being rotated"
    monkeypatch.setattr(locate, "list_siblings", list_siblings)
    reading.settle()

    assert reading.follower.trouble is None
    assert reading.data == written


def test_t06_inode_reuse_while_it_is_held_is_impossible(log: Log, follow: Follow):
    old = log.append(5)
    reading = follow()
    reading.step()
    inode = log.path.stat().st_ino
    log.path.unlink()
    new = log.append(50)
    assert log.path.stat().st_ino != inode

    reading.settle()

    assert reading.data == old + new


def test_t06_inode_reuse_after_it_was_closed_is_another_file(log: Log, follow: Follow):
    """The first file is finished and closed; a link of ours keeps its inode alive for the third, longer one."""
    first = log.append(5)
    reading = follow()
    reading.step()
    keep = log.path.with_name("kept")
    os.link(log.path, keep)
    log.path.unlink()
    second = log.append(1)
    reading.settle()
    log.path.unlink()
    third = log.lines(50)
    keep.write_bytes(third)
    log.tick(keep)
    keep.rename(log.path)

    reading.settle()

    assert reading.data == first + second + third
    first_name, _, third_name = (Token.read(segment.source).name for segment in reading.segments)
    assert first_name == third_name
    assert reading.segments[2].source_offset == 0


def test_t06_inode_reuse_while_the_sender_was_down_is_a_gap(log: Log, follow: Follow):
    log.append(5)
    before = follow()
    before.step()
    point = before.resume_point()
    before.close()
    new = log.lines(50)
    log.write(new, mode="wb")  # same inode, longer than the position, other text

    after = follow(resume=point)
    after.settle()

    assert after.data == new
    assert (after.segments[0].reason, after.segments[0].lost) == ("gap", None)


def test_t10_same_first_kilobyte_in_two_followed_files(tmp_path: Path, follow: Follow):
    header = b"#" * 2000
    readings, texts = [], []
    for name in ("a.log", "b.log"):
        log = Log(tmp_path / name, line=lambda n, name=name: b"%s %d\n" % (name.encode(), n))
        log.write(header)
        texts.append(header + log.append(3))
        readings.append(follow(path=log.path))

    for reading, text in zip(readings, texts, strict=True):
        reading.settle()
        assert reading.data == text


def test_t10_resumes_in_the_right_one_of_two_with_the_same_first_kilobyte(log: Log, follow: Follow):
    header = b"#" * 2000
    log.write(header)
    log.append(3)
    before = follow()
    before.step()
    point = before.resume_point()
    before.close()
    rest = log.append(1)
    log.rotate()
    log.write(header)
    new = log.append(9)

    after = follow(resume=point)
    after.settle()

    assert after.data == rest + header + new
    assert after.reasons == ["rotated"]


def test_t12_symlink_swapped_there_and_back(tmp_path: Path, follow: Follow):
    one, two = Log(tmp_path / "one.log"), Log(tmp_path / "two.log", line=lambda n: b"other %d\n" % n)
    link = tmp_path / "current"
    written = one.append(3)
    link.symlink_to(one.path)
    reading = follow(path=link)
    reading.step()
    for target in (two, one, two):
        link.unlink()
        link.symlink_to(target.path)
        written += target.append(2)
        reading.settle()

    assert reading.data == written
    assert [s.source_offset for s in reading.segments][:2] == [0, 0]
    assert reading.follower.directories() == {str(tmp_path)}


def test_t12_symlink_swapped_back_before_the_first_was_finished(tmp_path: Path, follow: Follow):
    one, two = Log(tmp_path / "one.log"), Log(tmp_path / "two.log", line=lambda n: b"other %d\n" % n)
    link = tmp_path / "current"
    written = one.append(3)
    link.symlink_to(one.path)
    reading = follow(path=link, limit=10)
    reading.read(2)
    for target in (two, one):
        link.unlink()
        link.symlink_to(target.path)
        written += target.append(2)
        reading.poll(0.1)

    reading.settle()

    assert reading.data == written


def test_t12_symlink_of_a_container_log(tmp_path: Path, follow: Follow):
    """As in Kubernetes: the link stays, its target is rotated by name in another directory."""
    pod = tmp_path / "pods" / "uid"
    pod.mkdir(parents=True)
    log = Log(pod / "0.log")
    written = log.append(2)
    link = tmp_path / "containers.log"
    link.symlink_to(log.path)
    reading = follow(path=link)
    reading.step()
    for second in range(3):
        log.path.rename(log.path.with_name(f"0.log.20260101-00000{second}"))
        written += log.append(2)

    reading.settle()

    assert reading.data == written
    assert reading.follower.directories() == {str(tmp_path), str(pod)}


def test_t12_directory_renamed_and_created_again(tmp_path: Path, follow: Follow):
    directory = tmp_path / "logs"
    directory.mkdir()
    log = Log(directory / "app.log")
    written = log.append(3)
    reading = follow(path=log.path, limit=10)
    reading.read(2)
    directory.rename(tmp_path / "logs.old")
    reading.step()
    assert not reading.follower.exists
    directory.mkdir()
    written += log.append(3)

    reading.settle()

    assert reading.data == written


def test_t16_deleted_unread_bytes_are_read_through_the_descriptor(log: Log, follow: Follow):
    old = log.append(50)
    reading = follow(limit=10)
    reading.read(3)
    log.path.unlink()
    reading.poll()
    new = log.append(2)

    reading.settle()

    assert reading.data == old + new
    assert reading.lost == []


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("budget", [HoldBudget(bytes=100), HoldBudget(seconds=5.0)])
def test_t16_deleted_and_past_the_budget_is_a_gap_of_known_size(
    log: Log, follow: Follow, budget: HoldBudget, create: bool
):
    old = log.append(50)
    reading = follow(limit=13, hold=budget)
    reading.read(3)
    log.path.unlink()
    new = log.append(2) if create else b""
    for _ in range(30):
        reading.poll()

    reading.settle()

    assert reading.data == old[:26] + new
    assert reading.lost == [len(old) - 26]
    assert reading.segments[1].reason == "gap"
    assert "deleted" in reading.segments[1].detail


def test_t16_a_rotated_file_that_still_has_a_name_is_held_past_the_budget(log: Log, follow: Follow):
    """It costs no disk because of us."""
    old = log.append(50)
    reading = follow(limit=13, hold=HoldBudget(bytes=100, seconds=1.0))
    log.rotate()
    for _ in range(30):
        reading.poll()

    reading.settle()

    assert reading.data == old


def test_t16_too_many_rotated_files_held_is_a_gap(log: Log, follow: Follow):
    written = []
    reading = follow(hold=HoldBudget(files=3))
    for _ in range(6):
        written.append(log.append(2))
        reading.poll()
        log.rotate()

    reading.settle()

    assert reading.data == b"".join(written[-3:])
    assert sum(lost or 0 for lost in reading.lost) == sum(map(len, written[:-3]))


def test_a_slow_cursor_holds_up_nobody(log: Log, follow: Follow):
    reading = follow(limit=13)
    slow = reading.follower.cursor(None, reading.now)
    written = b""
    for _ in range(5):
        written += log.append(10)
        reading.step(GRACE * 2)
        reading.step(GRACE * 2)
        log.rotate()
    reading.settle()
    assert reading.data == written
    assert slow.behind == len(written)

    late = []
    while (item := slow.read(1 << 16, reading.now)) is not None:
        late.append(item)
    assert b"".join(item for item in late if isinstance(item, bytes)) == written


def test_rotated_files_are_closed_when_every_cursor_has_passed(log: Log, follow: Follow):
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    log.append(1)
    reading = follow()
    before = descriptors()
    for _ in range(10):
        reading.settle()
        log.rotate()
        log.append(1)
    reading.settle()
    assert descriptors() == before

    reading.close()
    assert descriptors() == before - 1


def test_what_was_rotated_before_the_first_cursor_is_kept_for_it(log: Log, follow: Follow):
    written = log.append(3)
    reading = follow()
    reading.cursor.close()
    follower = type(reading.follower)(log.path, now=0.0, rotate_grace=GRACE)
    log.rotate()
    written += log.append(2)
    follower.poll(1.0)
    follower.poll(9.0)
    cursor = follower.cursor(None, 9.0)
    items = [cursor.read(1 << 16, 9.0) for _ in range(5)]
    follower.close()
    assert b"".join(item for item in items if isinstance(item, bytes)) == written


def test_a_later_target_is_told_what_it_missed(log: Log, follow: Follow):
    old = log.append(3)
    reading = follow()
    reading.settle()
    log.rotate()
    new = log.append(2)
    reading.settle()

    cursor = reading.follower.cursor(None, reading.now)
    segment = cursor.read(100, reading.now)

    assert (segment.reason, segment.lost) == ("gap", len(old))
    assert cursor.read(100, reading.now) == new


@pytest.mark.parametrize("number", [1, 2], ids=["that we sent", "older than we"])
def test_t20_an_operator_unpacks_a_rotated_file(log: Log, follow: Follow, number: int):
    """To look into it. It keeps its time, and was sent or passed over before."""
    log.append(2000)
    log.rotate()
    log.compress(1)
    written = log.append(2000)
    reading = follow()
    reading.settle()
    log.rotate()
    log.compress(1)
    written += log.append(1)
    reading.settle()

    packed, plain = log.packed(number), log.numbered(number)
    times = packed.stat()
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    os.utime(plain, ns=(times.st_mtime_ns, times.st_mtime_ns))
    packed.unlink()
    log.rotate()
    written += log.append(1)
    reading.settle()

    assert reading.data == written
