"""Verifying finds each changed byte, and says where."""

from __future__ import annotations

import os

import pytest

from logstreamer.store import Damage, Store, View, match, verify
from store.helpers import PLACE, crash, opened, stored, xxh3


@pytest.fixture
def root(tmp_path):
    """A finished stream b"abcdefghi" of three segments, the last behind a gap; an unfinished one with one closed."""
    store = Store(tmp_path)
    stream = opened(store)
    stream.append(0, b"abc")
    stream.start_segment(3, "8:2", 0, "rotated")
    stream.append(3, b"def")
    stream.start_segment(6, "8:3", 10, "gap", 10, "truncated")
    stream.append(6, b"ghi")
    stream.finish()
    going = store.open("site-2", "job-7", "train.log", key="k")
    going.begin_run("run-1")
    going.start_segment(0, "8:1", 0, "start")
    going.append(0, b"1234")
    going.start_segment(4, "8:2", 0, "rotated")
    going.append(4, b"56")
    crash(store)
    return tmp_path


def overwrite(root, data: bytes) -> None:
    stored(root).chmod(0o644)
    stored(root).write_bytes(data)


def test_what_is_whole_is_ok_or_unfinished(root):
    with View(root) as view:
        done, going = verify(view)
    assert (done.path, done.status, done.size, done.verified) == ("/".join(PLACE), "ok", 9, 9)
    assert [(gap.offset, gap.lost) for gap in done.gaps] == [(6, 10)]
    assert (going.status, going.size, going.verified, going.damage) == ("unfinished", 6, 4, ())


@pytest.mark.parametrize("position", range(9))
def test_each_flipped_bit_is_found_in_its_segment(root, position):
    data = bytearray(b"abcdefghi")
    data[position] ^= 1
    overwrite(root, bytes(data))
    with View(root) as view:
        (report,) = verify(view, match(view.streams(), "site-1"))
    index, offset = position // 3, position // 3 * 3
    good, bad = b"abcdefghi"[offset : offset + 3], bytes(data[offset : offset + 3])
    assert report.status == "damaged"
    assert report.damage == (
        Damage(index, offset, offset + 3, xxh3(good).hex(), xxh3(bad).hex()),
        Damage(None, 0, 9, xxh3(b"abcdefghi").hex(), xxh3(bytes(data)).hex()),
    )


@pytest.mark.parametrize("data", [b"abcdefgh", b"abcdefghij", b""])
def test_a_finished_file_of_another_size_is_damaged(root, data):
    overwrite(root, data)
    with View(root) as view:
        (report,) = verify(view, match(view.streams(), "site-1"))
    assert report.status == "damaged"
    assert [trouble.kind for trouble in report.troubles] == ["longer" if len(data) > 9 else "shorter"]


def test_a_file_that_cannot_be_read_is_damaged_and_the_next_is_verified(root):
    stored(root).unlink()
    with View(root) as view:
        first, second = verify(view)
    assert first.status == "damaged"
    assert first.damage[-1].got == "cannot open site-1/job-7/train.log: No such file or directory"
    assert second.status == "unfinished"


def test_a_damaged_closed_segment_of_an_unfinished_stream_is_found(root):
    path = root / "site-2" / "job-7" / "train.log"
    path.write_bytes(b"1x3456")
    with View(root) as view:
        (report,) = verify(view, match(view.streams(), "site-2"))
    assert (report.status, [d.segment for d in report.damage]) == ("damaged", [0])


def test_progress_counts_the_bytes_read(tmp_path):
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, os.urandom(2_500_000))
        stream.finish()
        seen: list[int] = []
        list(verify(store, progress=seen.append))
    assert seen == [1 << 20, 2 << 20, 2_500_000]


def test_a_stream_is_verified_while_it_grows(tmp_path):
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        stream.start_segment(3, "8:2", 0, "rotated")
        records = store.streams()
        stream.append(3, b"def")
        stream.start_segment(6, "8:3", 0, "rotated")
        (report,) = verify(store, records)
    assert (report.status, report.verified) == ("unfinished", 3)


@pytest.mark.parametrize("place", [0, 3, 5])
@pytest.mark.parametrize("continued", [False, True])
def test_damage_in_the_last_segment_is_found(tmp_path, place, continued):
    """Done while no receiver ran; also when the stream has gone on, and has come to its end, behind it."""
    with Store(tmp_path) as store:
        opened(store).append(0, b"abcdef")
    content = bytearray(stored(tmp_path).read_bytes())
    content[place] ^= 1
    stored(tmp_path).write_bytes(content)

    if continued:
        with Store(tmp_path) as store:
            stream = opened(store, run="run-2")
            stream.append(6, b"ghi")
            stream.finish()
    with View(tmp_path) as view:
        [report] = verify(view)

    assert report.status == "damaged"
    if continued:
        assert [trouble.kind for trouble in report.troubles] == ["differs"]
    else:
        assert [(damage.offset, damage.end) for damage in report.damage] == [(0, 6)]


def test_what_came_after_the_last_note_is_no_damage(tmp_path):
    """Chunks do not write the sidecar."""
    store = Store(tmp_path)
    stream = opened(store)
    stream.append(0, b"abc")
    stream.set_state("quiet")
    stream.append(3, b"def")
    crash(store)

    for _ in range(2):
        with View(tmp_path) as view:
            [report] = verify(view)
        assert (report.status, report.verified, report.damage) == ("unfinished", 3, ())
        store = Store(tmp_path)
        opened(store, run="run-2").catch_up()
        crash(store)
    with Store(tmp_path) as store:
        opened(store, run="run-3").catch_up()
    with View(tmp_path) as view:
        [report] = verify(view)
    assert (report.status, report.verified, report.troubles) == ("unfinished", 6, ())
