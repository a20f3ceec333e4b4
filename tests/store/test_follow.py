"""D6: viewers read stored bytes by offset, whatever the receiver does meanwhile."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logstreamer.errors import NameRefused, StoreError
from logstreamer.store import Reader, Store, StreamRecord, View, match, offset_of_last_lines
from store.helpers import opened, stored


def test_d6_a_viewer_reads_while_the_stream_grows(tmp_path):
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        with store.reader(stream.path) as reader:
            assert reader.read(0, 100) == b"abc"
            assert reader.read(3, 100) == b""
            stream.append(3, b"defg")
            assert reader.read(3, 100) == b"defg"
            assert reader.read(2, 3) == b"cde"
            assert reader.size() == 7


@pytest.mark.parametrize("offset", [3, 4, 1 << 40, 1 << 62, 1 << 63, 1 << 200])
def test_d6_beyond_the_end_there_is_nothing_yet(tmp_path, offset):
    (tmp_path / "log").write_bytes(b"abc")
    with Reader(tmp_path / "log") as reader:
        assert reader.read(offset, 10) == b""


@pytest.mark.parametrize(("offset", "limit"), [(-1, 1), (0, -1)])
def test_negative_numbers_are_the_caller_s_mistake(tmp_path, offset, limit):
    (tmp_path / "log").write_bytes(b"abc")
    with Reader(tmp_path / "log") as reader, pytest.raises(ValueError, match="negative"):
        reader.read(offset, limit)


def test_d6_a_hundred_viewers_that_do_not_read_cost_the_writer_nothing(tmp_path):
    with Store(tmp_path) as store:
        stream = opened(store)
        readers = [store.reader(stream.path) for _ in range(100)]
        for _ in range(100):
            stream.append(stream.durable, b"x" * 1000)
        assert {len(reader.read(99_000, 5000)) for reader in readers} == {1000}
        for reader in readers:
            reader.close()
            reader.close()


def test_a_reader_of_a_path_follows_no_link(tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(NameRefused, match="symbolic link"):
        Reader(tmp_path / "link")
    with pytest.raises(StoreError, match=r"cannot open .*nothing: No such file"):
        Reader(tmp_path / "nothing")


def test_a_reader_keeps_the_file_of_a_closed_store(tmp_path):
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        reader = store.reader(stream.path)
    with reader:
        assert reader.read(0, 3) == b"abc"


# -- the last lines


def naive(data: bytes, count: int) -> int:
    lines = data.split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    return len(data) - sum(map(len, lines[max(0, len(lines) - count) :] if count > 0 else []))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    data=st.lists(st.sampled_from([b"\n", b"x", b"yy\n", b"\r", b"z" * 40]), max_size=60).map(b"".join),
    count=st.integers(-1, 12),
    block=st.integers(1, 20),
)
def test_the_last_lines_are_those_of_tail(tmp_path_factory, data, count, block):
    path = tmp_path_factory.getbasetemp() / "lines"
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("logstreamer.store.follow._BLOCK", block)
        assert offset_of_last_lines(path, count) == naive(data, count)


def test_the_last_lines_may_be_counted_from_any_end(tmp_path):
    (tmp_path / "log").write_bytes(b"a\nb\nc\nd\n")
    with Reader(tmp_path / "log") as reader:
        assert reader.offset_of_last_lines(1, end=6) == 4
        assert reader.offset_of_last_lines(2, end=5) == 2
        assert reader.offset_of_last_lines(1, end=999) == 6
        assert reader.offset_of_last_lines(5, end=0) == 0


def test_a_huge_line_is_not_held_in_memory(tmp_path):
    with (tmp_path / "log").open("wb") as file:
        file.write(b"first\n")
        for _ in range(40):
            file.write(b"x" * (1 << 20))
        file.write(b"\nlast\n")
    tracemalloc.start()
    try:
        assert offset_of_last_lines(tmp_path / "log", 2) == 6
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


# -- patterns


@pytest.fixture
def records(tmp_path: Path) -> list[StreamRecord]:
    """Six streams."""
    with Store(tmp_path) as store:
        for site, job, name in [
            ("site-1", "job-7", "train.log"),
            ("site-1", "job-7", "rank-0/train.log"),
            ("site-1", "job-8", "train.log"),
            ("site-2", "job-7", "eval.txt"),
            ("site-10", "job-7", "train.log"),
            ("site-2", "job-7", "run[1].log"),
        ]:
            store.open(site, job, name, key="k")
        return store.streams()


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("site-1", ["site-1/job-7/rank-0/train.log", "site-1/job-7/train.log", "site-1/job-8/train.log"]),
        ("site-1/", ["site-1/job-7/rank-0/train.log", "site-1/job-7/train.log", "site-1/job-8/train.log"]),
        ("site-1/job-8", ["site-1/job-8/train.log"]),
        ("site-1/job-7/train.log", ["site-1/job-7/train.log"]),
        ("site-1/job-7/rank-0", ["site-1/job-7/rank-0/train.log"]),
        ("*/job-8", ["site-1/job-8/train.log"]),
        ("*/*/*.txt", ["site-2/job-7/eval.txt"]),
        ("*.txt", ["site-2/job-7/eval.txt"]),
        ("site-1?", ["site-10/job-7/train.log"]),
        ("site-2/job-7/run[1].log", ["site-2/job-7/run[1].log"]),
        ("site", []),
        ("train.log", []),
        ("SITE-1", []),
        ("a/b/c/d/e/f", []),
    ],
)
def test_patterns_name_streams(records, pattern, paths):
    assert [record.path for record in match(records, pattern)] == paths


@pytest.mark.parametrize("pattern", ["", "*", "/"])
def test_everything_has_a_pattern(records, pattern):
    assert match(records, pattern) == records


# -- views


def test_a_view_needs_a_directory(tmp_path):
    with pytest.raises(StoreError, match=r"cannot use .*/nowhere as the store: No such file or directory"):
        View(tmp_path / "nowhere")


def test_a_view_shows_the_states_of_a_running_receiver(tmp_path):
    with Store(tmp_path) as store, View(tmp_path) as view:
        stream = opened(store)
        assert [record.state for record in view.streams()] == ["live"]
        stream.set_state("quiet", "last line 3 m ago")
        assert [(record.state, record.state_detail) for record in view.streams()] == [("quiet", "last line 3 m ago")]
        stream.append(0, b"abc")
        assert [record.size for record in view.streams()] == [3]
        assert [record.key for record in view.streams()] == [stream.key]


def test_old_states_are_never_shown_as_live(tmp_path):
    """Neither without a receiver, nor with a new one to which the sender has not come back."""
    store = Store(tmp_path)
    opened(store)
    store._shelf.descriptors.drop("site-1/job-7/train.log")
    store._shelf.open.clear()
    store.close()
    with View(tmp_path) as view:
        assert [record.state for record in view.streams()] == ["unknown"]
        with Store(tmp_path) as store:
            assert [record.state for record in view.streams()] == ["unknown"]
            assert [record.state for record in store.streams()] == ["unknown"]
            opened(store).end_run("TIMEOUT", "")
            assert [record.state for record in view.streams()] == ["dead"]
        assert [record.state for record in view.streams()] == ["dead"]


def test_a_receiver_beside_another_leaves_that_one_s_streams_alone(tmp_path):
    """A job's receiver inside NVFlare has a part of the directory; only of one that is gone the states are old."""
    with Store(tmp_path) as store:
        with Store(tmp_path, part="nvflare-job-7") as other:
            stream = opened(other)

            store.set_state(stream.path, "dead", "it has not come back")

            assert [record.state for record in store.streams()] == ["live"]
            other._shelf.descriptors.drop(stream.path)
            other._shelf.open.clear()
        assert [record.state for record in store.streams()] == ["unknown"]
        store.set_state(stream.path, "dead", "it has not come back")
        assert [record.state for record in store.streams()] == ["dead"]


def test_the_state_of_a_stream_that_was_closed_is_not_kept_up(tmp_path):
    with Store(tmp_path) as store, View(tmp_path) as view:
        opened(store).close()
        assert [record.state for record in view.streams()] == ["unknown"]
        assert [record.state for record in store.streams()] == ["unknown"]


def test_a_view_does_not_keep_a_receiver_from_starting(tmp_path):
    Store(tmp_path).close()
    with View(tmp_path) as view:
        for _ in range(20):
            view.streams()
            Store(tmp_path).close()


def test_a_view_leaves_everything_as_it_is(tmp_path):
    with Store(tmp_path) as store:
        opened(store).append(0, b"abc")
    stored(tmp_path, ".train.log.logstreamer.json").write_bytes(b"")
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    with View(tmp_path) as view:
        assert len(view.streams()) == 1
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


def test_what_cannot_be_looked_into_is_said(tmp_path, monkeypatch):
    with Store(tmp_path) as store:
        opened(store)
        store.open("site-2", "job-7", "train.log", key="k")
    original = Store.view(tmp_path)
    directory = original._root.directory

    def refuse(parts, *, create=False):
        if parts == ("site-2", "job-7"):
            raise PermissionError(13, "Permission denied")
        return directory(parts, create=create)

    with original as view:
        monkeypatch.setattr(view._root, "directory", refuse)
        assert [record.site for record in view.streams()] == ["site-1"]
        assert view.unreadable == ("site-2/job-7",)


def test_foreign_files_are_no_streams(tmp_path):
    """Only what lies below a job, under a name that a stream could have."""
    with Store(tmp_path) as store:
        opened(store)
        (tmp_path / "README").touch()
        (tmp_path / "site-1" / "notes").touch()
        (tmp_path / "site-1" / "job-7" / ".x.logstreamer.json.tmp").touch()
        (tmp_path / "site-1" / "job-7" / "back\\slash").touch()
        (tmp_path / "lost+found ").mkdir()
        assert [record.path for record in store.streams()] == ["site-1/job-7/train.log"]
