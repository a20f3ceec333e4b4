"""Row T20 of the faults, and every other way in which files moved while the sender was down."""

from __future__ import annotations

import bz2
import lzma
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from logstreamer.tail import Fingerprint, ResumePoint, SegmentStart, resume
from logstreamer.tail.identity import FileId
from logstreamer.tail.locate import Find, open_sibling
from logstreamer.tail.siblings import Sibling
from tail.tailing import GRACE, Log, Reading, resume_point

Follow = Callable[..., Reading]


def read_partly(log: Log, follow: Follow, limit: int = 13, most: int = 4) -> tuple[bytes, ResumePoint]:
    """Read a part; return it and the point at which its receiver resumes. The sender is down afterwards."""
    reading = follow(limit=limit)
    reading.read(most)
    point = reading.resume_point()
    reading.close()
    return reading.data, point


def test_resumes_in_the_same_file_without_a_new_segment(log: Log, follow: Follow):
    text = log.append(10)
    held, point = read_partly(log, follow)
    text += log.append(5)

    after = follow(resume=point)
    after.settle()

    assert held + after.data == text
    assert after.segments == []


def test_t12_resumes_in_the_old_target_of_a_link(tmp_path: Path, follow: Follow):
    """It was set to another file while the sender was down; the one that was being read lies beside that."""
    (tmp_path / "files").mkdir()
    one, two = Log(tmp_path / "files" / "0.log"), Log(tmp_path / "files" / "1.log", line=lambda n: b"other %d\n" % n)
    link = tmp_path / "current"
    link.symlink_to(one.path)
    text = one.append(10)
    reading = follow(path=link, limit=13)
    reading.read(4)
    point, held = reading.resume_point(), reading.data
    reading.close()
    text += one.append(5)
    link.unlink()
    link.symlink_to(two.path)
    text += two.append(5)

    after = follow(path=link, resume=point)
    after.settle()

    assert held + after.data == text
    assert after.lost == []
    assert after.reasons == ["rotated"]


@pytest.mark.parametrize("name", ["app-1.log", "kept by somebody"])
def test_resumes_in_a_file_that_got_a_name_of_no_rotation(log: Log, follow: Follow, name: str):
    """Its identity and its text say that it is the one."""
    text = log.append(10)
    held, point = read_partly(log, follow)
    text += log.append(5)
    log.path.rename(log.path.with_name(name))
    text += log.append(5)

    after = follow(resume=point)
    after.settle()

    assert held + after.data == text
    assert after.lost == []


def test_another_file_of_that_identity_is_not_the_one(log: Log, follow: Follow):
    """Inodes are reused: here somebody wrote something else into it."""
    log.append(10)
    _, point = read_partly(log, follow)
    log.path.rename(other := log.path.with_name("app-1.log"))
    other.write_bytes(b"something else\n" * 20)
    text = log.append(5)

    after = follow(resume=point)
    after.settle()

    assert after.data == text
    assert after.lost == [None]


def test_resumes_in_a_rotated_file_and_goes_on_through_the_newer_ones(log: Log, follow: Follow):
    log.append(3)
    log.rotate()
    text = log.append(10)
    held, point = read_partly(log, follow)
    for _ in range(3):
        log.rotate()
        text += log.append(10)

    after = follow(resume=point)
    after.settle()

    assert held + after.data == text
    assert after.reasons == ["rotated"] * 3
    assert after.lost == []


def test_t20_resumes_in_a_compressed_file(log: Log, follow: Follow):
    text = log.append(5000)
    held, point = read_partly(log, follow)
    for _ in range(3):
        log.rotate()
        log.compress(1)
        text += log.append(10)

    after = follow(resume=point)
    after.settle()

    assert held + after.data == text
    assert after.reasons == ["rotated"] * 3


@pytest.mark.parametrize(("suffix", "compress"), [(".bz2", bz2.compress), (".xz", lzma.compress)])
def test_t20_other_compressions_of_the_standard_library(log: Log, follow: Follow, suffix: str, compress):
    text = log.append(500)
    held, point = read_partly(log, follow)
    rotated = log.rotate()
    st = rotated.stat()
    packed = rotated.with_name(rotated.name + suffix)
    packed.write_bytes(compress(rotated.read_bytes()))
    os.utime(packed, ns=(st.st_mtime_ns, st.st_mtime_ns))
    rotated.unlink()
    text += log.append(1)

    after = follow(resume=point)
    after.settle()

    assert held + after.data == text


def test_t20_a_compressed_file_that_holds_something_else_is_a_gap(log: Log, follow: Follow):
    log.append(50)
    _, point = read_partly(log, follow)
    other = log.lines(60)
    log.write(other, mode="wb")
    log.rotate()
    log.compress(1)
    new = log.append(1)

    after = follow(resume=point)
    after.settle()

    assert after.data == other + new
    assert (after.reasons, after.lost) == (["gap", "rotated"], [None])


def test_t20_an_unfinished_compressed_file_is_not_taken_for_the_whole(log: Log, follow: Follow):
    text = log.append(500)
    held, point = read_partly(log, follow)
    log.rotate()
    plain = log.numbered(1).read_bytes()
    log.compress(1)
    whole = log.packed(1).read_bytes()
    log.packed(1).write_bytes(whole[: len(whole) // 2])
    log.write(plain, to=log.numbered(1))  # gzip removes it when it is done
    text += log.append(1)

    after = follow(resume=point)
    after.settle()

    assert held + after.data == text


def test_t20_a_rotated_file_of_unknown_compression_in_between_is_a_gap(log: Log, follow: Follow):
    text = log.append(10)
    held, point = read_partly(log, follow)
    log.rotate()
    log.append(5)
    rotated = log.rotate()
    rotated.rename(rotated.with_name("app.log.1.zst"))
    new = log.append(1)

    after = follow(resume=point)
    after.settle()

    assert held + after.data == text + new
    assert after.lost == [None]
    assert after.reasons == ["gap", "rotated"]
    assert ".zst" in after.segments[0].detail


def test_resumes_in_the_copy_of_a_truncated_file(log: Log, follow: Follow):
    text = log.append(10)
    held, point = read_partly(log, follow)
    for _ in range(2):
        log.copytruncate()
        text += log.append(20)

    after = follow(resume=point)
    after.settle()

    assert held + after.data == text


@pytest.mark.parametrize("compressed", [False, True])
def test_after_a_destroyed_file_comes_a_gap_and_what_was_rotated_since(log: Log, follow: Follow, compressed: bool):
    """Older files are not read, nor read again: what was written after the mark is."""
    log.append(10)
    log.rotate()
    log.append(10)
    _, point = read_partly(log, follow)
    log.path.unlink()
    log.tick(log.path.parent)
    kept = b""
    for _ in range(2):
        kept += log.append(7)
        log.rotate()
        if compressed:
            log.compress(1)
    kept += log.append(7)

    after = follow(resume=point)
    after.settle()

    assert after.data == kept
    assert (after.reasons, after.lost) == (["gap", "rotated", "rotated"], [None])
    assert after.segments[0].detail == f"the file that was being read, up to its byte {point.position}, was gone"


@pytest.mark.parametrize("whose", ["the file before", "the file before that", "the file itself"])
def test_a_time_that_is_yet_to_come_hides_nothing(log: Log, follow: Follow, whose: str):
    """A clock was set back, or somebody touched a file."""

    def date(path: Path, name: str) -> None:
        if whose == name:
            os.utime(path, ns=(1 << 62, 1 << 62))

    log.append(3)
    reading = follow()
    reading.read()
    date(log.rotate(), "the file before that")
    log.append(3)
    reading.step()
    date(log.rotate(), "the file before")
    log.append(10)
    date(log.path, "the file itself")
    reading.poll()
    reading.poll(2 * GRACE)
    reading.read()
    point = reading.resume_point()
    reading.close()
    log.path.unlink()
    log.tick(log.path.parent)
    kept = log.append(7)
    log.rotate()
    kept += log.append(7)

    after = follow(resume=point)
    after.settle()

    assert after.data == kept
    assert after.lost == [None]


def test_the_mark_of_an_older_sender_tells_no_time(log: Log, follow: Follow):
    """What was rotated since may be older than what the receiver holds."""
    log.append(10)
    _, point = read_partly(log, follow)
    log.path.unlink()
    log.append(7)
    log.rotate()
    new = log.append(7)

    after = follow(resume=replace(point, source=point.source.partition("@")[0]))
    after.settle()

    assert after.data == new
    assert (after.reasons, after.lost) == (["gap"], [None])


def read_to_an_empty_file(log: Log, follow: Follow) -> ResumePoint:
    """Killed behind the mark of a gap, when the file was still empty."""
    log.append(3)
    reading = follow(limit=13)
    reading.read(2)
    log.truncate()
    reading.step()
    reading.close()
    assert isinstance(reading.items[-1], SegmentStart)
    return reading.resume_point()


@pytest.mark.parametrize("how", ["nothing", "rotate", "rotate twice"])
def test_a_file_that_was_empty_and_still_is_has_lost_nothing(log: Log, follow: Follow, how: str):
    point = read_to_an_empty_file(log, follow)
    text = b""
    if how != "nothing":
        log.rotate()
        text += log.append(5)
    if how == "rotate twice":
        log.rotate()
        text += log.append(5)

    after = follow(resume=point)
    after.settle()
    text += log.append(2)
    after.settle()

    assert after.data == text
    assert after.lost == []


@pytest.mark.parametrize("how", ["rotate", "copytruncate", "rotate and compress", "copytruncate and compress"])
@pytest.mark.parametrize("times", [1, 3])
def test_what_was_written_after_a_mark_for_an_empty_file_is_read(log: Log, follow: Follow, how: str, times: int):
    """Nobody can tell whether something was emptied besides, but what stands in rotated files was not."""
    log.append(3)
    log.rotate()
    point = read_to_an_empty_file(log, follow)
    text = b""
    for _ in range(times):
        text += log.append(5)
        log.copytruncate() if how.startswith("copytruncate") else log.rotate()
        if how.endswith("compress"):
            log.compress(1)
    text += log.append(5)

    after = follow(resume=point)
    after.settle()

    assert after.data == text
    assert (after.reasons, after.lost) == (["gap", *["rotated"] * times], [None])


def test_an_inode_that_was_reused_does_not_pass_over_the_files_before_it(log: Log, follow: Follow):
    """By its name it is the file of the mark, and the sender saw it come."""
    point = read_to_an_empty_file(log, follow)
    text = log.append(5)
    log.rotate()
    text += log.append(5)
    after = follow()
    log.rotate()
    text += log.append(5)
    after.poll()
    st = log.path.stat()

    _, colon, rest = point.source.partition(":")
    point = replace(point, source=f"{FileId(st.st_dev, st.st_ino)}{colon}{rest}")
    resumed = follow(resume=point, follower=after.follower)
    resumed.settle()

    assert resumed.data == text


def test_an_inode_that_a_compressor_reused_does_not_make_an_old_file_new(log: Log, follow: Follow):
    log.append(3)
    log.copytruncate()
    log.append(3)
    reading = follow(limit=13)
    reading.read(2)
    log.truncate()
    reading.step()
    log.append(2)
    reading.step()
    point = reading.resume_point()
    reading.close()
    log.path.unlink()
    log.compress(1)
    new = log.append(2)
    st = log.packed(1).stat()

    _, colon, rest = point.source.partition(":")
    after = follow(resume=replace(point, source=f"{FileId(st.st_dev, st.st_ino)}{colon}{rest}"))
    after.settle()

    assert after.data == new
    assert after.lost == [None]


@pytest.mark.parametrize("restarts", [1, 2])
def test_a_late_writer_to_the_file_before_does_not_double_it(log: Log, follow: Follow, restarts: int):
    """It was written to after the mark, and is not what came after the mark."""
    before = log.append(3)
    reading = follow()
    assert reading.read() == before
    old = log.rotate()
    log.append(10)
    reading.poll()
    reading.poll(2 * GRACE)
    reading.read(1)
    point = reading.resume_point()
    reading.close()
    log.path.unlink()
    log.create()
    for _ in range(restarts - 1):
        after = follow(resume=point)
        after.settle()
        assert after.lost == [None]
        point = after.resume_point()
        after.close()
        log.path.unlink()
        log.create()
    log.append(1, to=old)  # the late one
    new = log.append(2)

    after = follow(resume=point)
    after.settle()

    assert after.data == new


@pytest.mark.parametrize("restarted", [False, True])
def test_a_late_writer_to_the_file_before_one_that_was_emptied(log: Log, follow: Follow, restarted: bool):
    """The text before is in no file any more; the rotated file is the one before that."""
    log.append(500)
    reading = follow()
    reading.read()
    old = log.rotate()
    log.append(1)
    reading.settle()
    if restarted:
        point = reading.resume_point()
        reading.close()
        reading = follow(resume=point)
    log.append(1)
    reading.poll()
    log.truncate()
    reading.settle()
    assert reading.lost == [13]
    point = reading.resume_point() if reading.segments else point
    reading.close()
    log.append(2, to=old)
    new = log.append(3)

    after = follow(resume=point)
    after.settle()

    assert after.data == new
    assert after.lost == [None]


def test_a_late_writer_two_files_back_is_known_by_its_name(log: Log, follow: Follow):
    log.append(3)
    log.rotate()
    log.append(3)
    reading = follow(limit=13)
    log.rotate()
    log.append(10)
    reading.settle()
    point = reading.resume_point()
    reading.close()
    log.path.unlink()
    log.append(1, to=log.numbered(2))
    new = log.append(2)

    after = follow(resume=point)
    after.settle()

    assert after.data == new
    assert after.lost == [None]


def test_a_late_writer_to_a_file_that_another_target_still_reads(log: Log, follow: Follow):
    before = log.append(3)
    reading = follow(limit=13)
    reading.read(2)
    slow, held = reading.resume_point(), reading.data
    old = log.rotate()
    log.append(10)
    reading.settle()
    quick = reading.resume_point()
    reading.close()
    log.path.unlink()
    late = log.append(1, to=old)
    new = log.append(2)

    after = follow(resume=slow)
    other = follow(resume=quick, follower=after.follower)
    after.settle()
    other.settle()

    assert held + after.data == before + late + new
    assert other.data == new


def test_written_and_emptied_is_not_the_same_as_empty(log: Log, follow: Follow):
    point = read_to_an_empty_file(log, follow)
    log.append(5)
    log.truncate()

    after = follow(resume=point)
    after.settle()

    assert (after.reasons, after.lost) == (["gap"], [None])


def test_what_is_stored_of_a_file_that_cannot_be_read_any_more_is_not_lost(log: Log, follow: Follow, monkeypatch):
    """How much of it is missing nobody knows; it is not all of it."""
    log.append(10)
    _, point = read_partly(log, follow)
    log.append(1)
    log.rotate()
    log.append(4)
    log.rotate()
    new = log.append(1)

    def open_others(sibling: Sibling) -> Find:
        is_it = sibling.path == str(log.numbered(2))
        return Find(sibling, None, why="permission denied") if is_it else open_sibling(sibling)

    monkeypatch.setattr(resume, "open_sibling", open_others)
    after = follow(resume=point)
    after.settle()

    assert after.data == log.numbered(1).read_bytes() + new
    assert (after.reasons, after.lost) == (["gap", "rotated"], [None])


def test_a_gap_comes_out_even_when_no_byte_follows(log: Log, follow: Follow):
    log.append(10)
    _, point = read_partly(log, follow)
    log.truncate()

    after = follow(resume=point)
    after.settle()

    assert (after.reasons, after.lost) == (["gap"], [None])


def test_resume_waits_for_a_path_that_is_missing(log: Log, follow: Follow):
    text = log.append(10)
    held, point = read_partly(log, follow)
    (elsewhere := log.path.with_name("elsewhere")).mkdir()
    away = log.path.rename(elsewhere / log.path.name)
    after = follow(resume=point)
    assert after.settle() == b""
    assert after.items == []
    away.rename(log.path)

    after.settle()

    assert held + after.data == text
    assert after.segments == []


def test_resume_at_the_end_of_a_rotated_file(log: Log, follow: Follow):
    log.append(10)
    _, point = read_partly(log, follow, most=100)
    log.rotate()
    new = log.append(1)

    after = follow(resume=point)
    after.settle()

    assert after.data == new
    assert after.reasons == ["rotated"]


@pytest.mark.parametrize("same_name", [True, False])
def test_a_mark_that_shows_no_text_leaves_a_doubt(log: Log, follow: Follow, same_name: bool):
    """A file of that name may be another one, or may have been written and emptied since."""
    text = log.append(3)
    st = log.path.stat()
    nothing = Fingerprint.of(b"")
    source = f"{st.st_dev:x}-{st.st_ino:x}" if same_name else "another"

    after = follow(resume=ResumePoint(source, 0, 0, nothing, nothing))
    after.settle()

    assert after.data == text
    assert (after.reasons, after.lost) == (["gap"], [None])


@pytest.mark.parametrize(
    "source",
    [
        "1-1:9999.0.0." + "0" * 24,
        "1-1:3.1.2." + "0" * 24,
        "1-1:3.3.65." + "0" * 24,
        "1-1:0.0.0." + "0" * 24 + "@9" * 2,
        "",
        ":",
    ],
)
def test_a_mark_that_makes_no_sense_is_one_that_is_not_found(log: Log, follow: Follow, source: str):
    """It comes back from the receiver, who may say anything."""
    text = log.append(3)
    nothing = Fingerprint.of(b"")

    after = follow(resume=ResumePoint(source, 0, 0, nothing, nothing))
    after.settle()

    assert after.data == text
    assert (after.reasons, after.lost) == (["gap"], [None])
    assert after.follower.trouble is None


@pytest.mark.parametrize("restarted", [False, True])
def test_a_mark_made_while_the_file_was_empty(log: Log, follow: Follow, restarted: bool):
    """A sender that lives has had the file in its hands since; one that was restarted cannot know."""
    log.append(3)
    reading = follow(limit=13)
    reading.read(2)
    log.truncate()
    reading.step()
    assert isinstance(reading.items[-1], SegmentStart)
    point = reading.resume_point()
    text = log.append(3)
    if not restarted:
        after = follow(resume=point, follower=reading.follower)
    else:
        reading.close()
        after = follow(resume=point)
    after.settle()

    assert after.data == text
    assert after.lost == ([None] if restarted else [])


def test_equal_files_are_told_apart_by_name(log: Log, follow: Follow):
    """Content proves nothing here: both hold the same."""
    same = b"tick\n" * 100
    log.write(same)
    _, point = read_partly(log, follow, limit=50, most=3)
    log.rotate()
    log.write(same)

    after = follow(resume=point)
    after.settle()

    assert after.data == same[100:] + same


def test_resume_in_a_source_that_is_still_held(log: Log, follow: Follow):
    text = log.append(10)
    reading = follow(limit=13)
    reading.read(4)
    point, held = reading.resume_point(), reading.data
    log.rotate()
    text += log.append(5)
    reading.poll()

    reading.cursor = reading.follower.cursor(point, reading.now)
    reading.settle()

    assert reading.data == text
    assert held == text[:39]


def test_two_targets_resume_at_different_places(log: Log, follow: Follow):
    text = log.append(10)
    held_one, one = read_partly(log, follow)
    log.rotate()
    text += log.append(10)
    log.rotate()
    text += log.append(10)
    two_start = text.index(b"line 0000010")
    two_source = log.numbered(1).stat()
    head = Fingerprint.of(text[two_start : two_start + 26])
    two = ResumePoint(f"{two_source.st_dev:x}-{two_source.st_ino:x}", 0, 26, head, head)

    after = follow(resume=two)
    other = after.follower.cursor(one, 0.0)
    after.settle()

    assert after.data == text[two_start + 26 :]
    rest = []
    while (item := other.read(1 << 16, after.now)) is not None:
        rest.append(item)
    assert held_one + b"".join(item for item in rest if isinstance(item, bytes)) == text


def test_a_copy_that_is_held_already_is_not_read_again_as_a_rotated_file(log: Log, follow: Follow):
    """The sender is back and follows, the file is copied and truncated, and only then the receiver can be reached."""
    text = log.append(10)
    held, point = read_partly(log, follow)
    log.rotate()
    text += log.append(500)
    after = follow()
    log.copytruncate()
    text += log.append(3)
    after.poll()

    resumed = follow(resume=point, follower=after.follower)
    resumed.settle()

    assert held + resumed.data == text
    assert resumed.lost == []


def test_a_file_that_was_compressed_while_the_path_was_missing_is_not_newer_than_the_others(log: Log, follow: Follow):
    """It stood there when the sender came back, under another name: what lies behind it is no older than that."""
    text = log.append(10)
    held, point = read_partly(log, follow)
    for _ in range(2):
        log.rotate()
        text += log.append(5)
    log.rotate(create=False)
    after = follow()
    log.compress(2)
    log.create()
    text += log.append(3)
    after.poll()

    resumed = follow(resume=point, follower=after.follower)
    resumed.settle()

    assert held + resumed.data == text
    assert resumed.lost == []


@pytest.mark.parametrize("gone", [False, True])
def test_what_is_held_is_read_though_its_file_was_compressed_or_deleted_since(log: Log, follow: Follow, gone: bool):
    """The sender is back and follows; before the receiver can be reached, the log is rotated again."""
    text = log.append(10)
    held, point = read_partly(log, follow)
    log.rotate()
    text += log.append(20)
    after = follow()
    for _ in range(2):
        log.rotate()
        text += log.append(3)
        after.poll()
    if gone:
        log.numbered(2).unlink()
    else:
        log.compress(2)
    after.poll()

    resumed = follow(resume=point, follower=after.follower)
    resumed.settle()

    assert held + resumed.data == text
    assert resumed.lost == []


@pytest.mark.parametrize("how", ["rotate", "copytruncate", "compress", "copytruncate and compress"])
def test_resumes_in_a_file_of_which_only_the_segment_mark_arrived(log: Log, follow: Follow, how: str):
    """The sender was killed between a mark and its first byte; the file it named is called otherwise by now."""
    log.append(50)
    reading = follow()
    reading.settle()
    log.rotate()
    wanted = log.append(20)
    reading.poll()
    reading.poll(2 * GRACE)
    reading.read(1)
    assert reading.reasons == ["start", "rotated"]
    assert isinstance(reading.items[-1], SegmentStart)
    point = reading.resume_point()
    reading.close()
    wanted += log.append(10)
    log.copytruncate() if how.startswith("copytruncate") else log.rotate()
    if how.endswith("compress"):
        log.compress(1)
    wanted += log.append(30)

    after = follow(resume=point)
    after.settle()

    assert after.data == wanted
    assert after.lost == []


def test_truncated_between_the_last_look_and_the_placing(log: Log, follow: Follow):
    """Its copy is a sibling newer than what the receiver holds, and is not read twice for that."""
    log.append(3)
    log.rotate()
    text = log.append(5)
    held, point = read_partly(log, follow)
    log.rotate()
    text += log.append(5)
    after = follow()
    log.copytruncate()
    text += log.append(5)

    late = follow(resume=point, follower=after.follower)
    late.settle()

    assert held + late.data == text
    assert late.lost == []


def test_a_file_rewritten_behind_our_back_is_looked_at_again_and_not_for_ever(log: Log, follow: Follow):
    """Same size, same mtime: a resume that does not fit is what shows it. The timer must not stay due at once."""
    old = log.append(200)
    reading = follow()
    reading.settle()
    times = log.path.stat()
    log.path.write_bytes(b"y" * len(old))
    os.utime(log.path, ns=(times.st_atime_ns, times.st_mtime_ns))

    source = reading.segments[-1]
    cursor = reading.follower.cursor(resume_point(source, old[:1000]), reading.now)
    for _ in range(3):
        reading.poll(0.1)

    assert cursor.source is not None
    assert reading.follower.get_timer() > reading.now


HEADERS = {"short": b"epoch,loss\n", "longer than any head": b"# " + b"=" * 1500 + b"\n"}


@pytest.mark.parametrize("reused", [False, True], ids=["a new inode", "the inode of the old one"])
@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_t10_only_what_all_files_begin_with_was_stored(log: Log, follow: Follow, header: bytes, reused: bool):
    """The header of a CSV file, a banner: every later file goes on behind it. It is the oldest since the mark."""
    log.write(header)
    held, point = read_partly(log, follow, limit=4096)
    assert held == header
    text = header + log.append(100)
    inode = log.path.stat().st_ino
    for _ in range(2):
        log.rotate(create=False)
        log.compress(1)
        log.write(header)
        text += header + log.append(100)
    if reused:  # as ext4 likes to do
        point = replace(point, source=point.source.replace(f"-{inode:x}:", f"-{log.path.stat().st_ino:x}:"))

    after = follow(resume=point)
    after.settle()

    assert held + after.data == text
    assert after.lost == []


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_t10_of_the_file_no_more_is_left_than_all_files_begin_with(log: Log, follow: Follow, header: bytes):
    """Both copies agree with it, and are longer: no copies of it."""
    log.write(header)
    held, point = read_partly(log, follow, limit=4096)
    text = header
    for _ in range(2):
        text += log.append(100)
        log.copytruncate()
        log.write(header)
        text += header

    after = follow(resume=point)
    after.settle()

    assert held + after.data == text
    assert after.lost == []


@pytest.mark.parametrize("how", ["rotate", "copytruncate"])
@pytest.mark.parametrize("counts", [(90, 90, 90), (90, 180, 270), (270, 90, 180)])
def test_t10_one_line_again_and_again(tmp_path: Path, follow: Follow, how: str, counts: tuple[int, ...]):
    """Each agrees with the others and is no copy of any."""
    line = b"." * 49 + b"\n"
    log = Log(tmp_path / "app.log", lambda _: line)
    log.append(counts[0])
    held, point = read_partly(log, follow)
    for count in counts[1:]:
        getattr(log, how)()
        log.append(count)

    after = follow(resume=point)
    after.settle()

    assert held + after.data == line * sum(counts)
    assert after.lost == []


def test_t10_files_that_begin_like_one_that_was_deleted_are_read(log: Log, follow: Follow):
    """Of the mark's file no more was seen than its header; that the others have it too makes them no older."""
    header = HEADERS["short"]
    log.write(header)
    _, point = read_partly(log, follow)
    held = header + log.append(50)
    start, anchor = 0, held[-64:]
    point = replace(point, position=start + len(held), head=Fingerprint.of(held), anchor=Fingerprint.of(anchor))
    log.path.unlink()
    text = b""
    for _ in range(3):
        log.write(header)
        text += header + log.append(50)
        log.rotate(create=False)
    log.create()

    after = follow(resume=point)
    after.settle()

    assert after.data == text
    assert after.lost == [None]


def test_a_later_file_that_was_compressed_is_not_the_one_before(log: Log, follow: Follow):
    """Its time in the mark would hide the file of the mark at the next restart."""
    text = log.append(10)
    held, point = read_partly(log, follow)
    following = follow()
    for _ in range(3):
        log.copytruncate()
        text += log.append(5)
        following.poll()
    log.compress(1)
    reading = follow(resume=point, follower=following.follower, limit=13)
    read = reading.read(10)
    point = reading.resume_point()
    reading.close()

    after = follow(resume=point)
    after.settle()

    assert held + read + after.data == text
    assert after.lost == []
