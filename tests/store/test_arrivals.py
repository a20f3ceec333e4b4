"""When bytes came: written on the way of the bytes, never in their way."""

from __future__ import annotations

import os
import struct

import pytest

from logstreamer.store import Store, View
from logstreamer.store import arrivals as module
from logstreamer.store.data_file import time as clock

PATH = "s/j/f"


class Bench:
    """A store with one stream, and a wall clock that is set by hand."""

    def __init__(self, root, monkeypatch) -> None:
        self.root = root
        self.now = 1000.0
        monkeypatch.setattr(clock, "time", lambda: self.now)
        self.open()

    def open(self) -> None:
        self.store = Store(self.root)
        self.stream = self.store.open("s", "j", "f", key="k")
        self.stream.begin_run("r")
        if not self.stream.segments:
            self.stream.start_segment(0, "a", 0, "start")

    def append(self, count: int, when: float) -> None:
        self.now = when
        self.stream.append(self.stream.durable, b"x" * count)

    def known(self, start=0, end=1 << 40):
        with self.store.arrivals(PATH) as arrivals:
            return arrivals.between(start, end)

    @property
    def file(self):
        return self.root / "s" / "j" / ".f.logstreamer.arrivals"


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """One that is closed in the end."""
    it = Bench(tmp_path / "store", monkeypatch)
    yield it
    it.store.close()


def test_one_record_a_second(bench):
    """Each says where the bytes of its second begin; the latest are known before they are written."""
    for tenth in range(35):
        bench.append(10, 1000 + tenth / 10)

    assert bench.known() == [(1000.0, 0), (1001.0, 100), (1002.0, 200), (1003.0, 300)]
    assert bench.known(150, 201) == [(1001.0, 100), (1002.0, 200)]
    assert bench.known(100, 100) == [(1001.0, 100)]
    assert bench.file.stat().st_size == 16
    bench.append(10, 1005.0)
    assert bench.file.stat().st_size == 5 * 16


def test_the_offset_of_a_time(bench):
    """The first byte that came then or later; None where there is none."""
    for second in (0, 1, 10):
        bench.append(10, 1000.0 + second)
    with bench.store.arrivals(PATH) as arrivals:
        found = [arrivals.offset_at(when) for when in (0, 1000.0, 1000.5, 1001.5, 1010.0, 1010.5)]

    assert found == [0, 0, 10, 20, 20, None]


def test_they_outlive_the_receiver(bench):
    """Closing writes what is pending; a view reads it, and a new receiver goes on."""
    bench.append(10, 1000.0)
    bench.append(10, 1002.0)
    bench.store.close()
    with View(bench.root) as view, view.arrivals(PATH) as arrivals:
        assert arrivals.between(0, 100) == [(1000.0, 0), (1002.0, 10)]
    bench.open()
    bench.append(10, 2000.0)

    assert bench.known() == [(1000.0, 0), (1002.0, 10), (2000.0, 20)]


def test_a_torn_record_is_dropped(bench):
    """As after a loss of power."""
    bench.append(10, 1000.0)
    with open(bench.file, "ab") as file:
        file.write(b"torn")

    assert bench.known() == [(1000.0, 0)]
    bench.append(10, 1010.0)
    assert bench.known() == [(1000.0, 0), (1010.0, 10)]
    assert bench.file.stat().st_size == 32


def test_a_file_that_was_cut_begins_anew_there(bench):
    """Records above the end of the stored file go with the first new byte."""
    for second in range(3):
        bench.append(10, 1000.0 + 10 * second)
    bench.store.close()
    os.truncate(bench.root / PATH, 15)
    bench.open()
    bench.append(10, 2000.0)

    assert bench.known() == [(1000.0, 0), (1010.0, 10), (2000.0, 15)]


def test_a_clock_that_is_set_back_still_gets_records(bench):
    """By offset they stay in order, which is what the lines need."""
    bench.append(10, 1000.0)
    bench.append(10, 500.0)
    bench.append(10, 501.0)

    assert bench.known() == [(1000.0, 0), (500.0, 10), (501.0, 20)]


def test_where_it_cannot_be_written_nothing_else_suffers(bench):
    """Something lies at its place: the bytes are stored, nothing is known about their time, nothing piles up."""
    bench.file.mkdir()
    for second in range(100):
        bench.append(10, 1000.0 + second)

    assert bench.stream.durable == 1000
    assert len(bench.stream.arrivals) < 10
    assert len(bench.known()) < 10


def test_a_link_at_its_place_is_not_followed(bench, tmp_path):
    """Neither for writing nor for reading."""
    target = tmp_path / "target"
    target.write_bytes(struct.pack(">QQ", 5000, 0))
    bench.file.symlink_to(target)
    bench.append(10, 1000.0)

    assert target.stat().st_size == 16
    assert bench.known() == []


def test_old_records_are_thinned(bench, monkeypatch):
    """The file stays small; what is left is still true."""
    monkeypatch.setattr(module, "MAX_RECORDS", 64)
    for second in range(1000):
        bench.append(1, 1000.0 + second)
    known = bench.known()

    assert bench.file.stat().st_size <= 64 * 16
    assert all(when == 1000 + offset for when, offset in known)
    assert known[0] == (1000.0, 0)
    assert known[-1] == (1999.0, 999)


def test_it_is_no_stream(bench):
    """The catalogue lists what was stored, not what is known about it."""
    bench.append(10, 1000.0)

    assert [record.path for record in bench.store.streams()] == [PATH]
    assert bench.store.open("s", "j", "f", key="other").path == "s/j/f.2"
