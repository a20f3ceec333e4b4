"""D5, N9: which file a stream gets, and that nobody's file is ever written over."""

from __future__ import annotations

import os

import pytest

from logstreamer.errors import StoreError
from logstreamer.store import Store, catalogue
from store.helpers import KEY, PLACE, crash, opened, stored


def finished(store: Store, data: bytes, key: str = KEY, run: str = "run-1") -> str:
    """A stream from beginning to end; returns its path."""
    stream = opened(store, key, run)
    stream.append(stream.durable, data)
    stream.finish()
    stream.close()
    return stream.path


def test_d5_the_same_job_again_gets_the_next_number(tmp_path):
    with Store(tmp_path) as store:
        paths = [finished(store, b"%d" % n) for n in range(12)]
    assert paths[:3] == ["site-1/job-7/train.log", "site-1/job-7/train.log.2", "site-1/job-7/train.log.3"]
    assert [(tmp_path / path).read_bytes() for path in paths] == [b"%d" % n for n in range(12)]


def test_d5_another_stream_of_the_same_name_gets_the_next_number(tmp_path):
    with Store(tmp_path) as store:
        first, second = opened(store, "key-1"), opened(store, "key-2")
        first.append(0, b"first")
        second.append(0, b"second")
        assert (first.path, second.path) == ("site-1/job-7/train.log", "site-1/job-7/train.log.2")
        first.close()
        second.close()
        assert opened(store, "key-2").path == second.path
        assert opened(store, "key-1").path == first.path
    assert stored(tmp_path).read_bytes() == b"first"
    assert stored(tmp_path, "train.log.2").read_bytes() == b"second"


def test_d5_the_unfinished_stream_of_the_key_is_continued_wherever_it_is(tmp_path):
    with Store(tmp_path) as store:
        finished(store, b"first")
        opened(store, "another").append(0, b"another")
        opened(store).append(0, b"third")
    with Store(tmp_path) as store:
        stream = opened(store)
        assert (stream.path, stream.durable) == ("site-1/job-7/train.log.3", 5)


def test_d5_numbers_of_removed_files_are_not_filled_in(tmp_path):
    """The unfinished third is found although the second is gone."""
    with Store(tmp_path) as store:
        finished(store, b"1")
        finished(store, b"2")
        opened(store).append(0, b"3")
    stored(tmp_path, "train.log.2").unlink()
    stored(tmp_path, ".train.log.2.logstreamer.json").unlink()
    with Store(tmp_path) as store:
        assert finished(store, b"+") == "site-1/job-7/train.log.3"
        assert finished(store, b"4") == "site-1/job-7/train.log.4"


def test_d5_a_stream_that_is_called_like_a_successor_keeps_its_place(tmp_path):
    with Store(tmp_path) as store:
        rotated = store.open("site-1", "job-7", "train.log.2", key="rotated")
        assert finished(store, b"1") == "site-1/job-7/train.log.3"
        assert rotated.path == "site-1/job-7/train.log.2"


@pytest.mark.parametrize(
    "neighbour", ["train.log.02", "train.log.1", "train.log.x", "train.logs", "train.log.2.gz", "train.log.123456"]
)
def test_d5_neighbours_are_no_successors(tmp_path, neighbour):
    with Store(tmp_path) as store:
        store.open("site-1", "job-7", neighbour, key="neighbour")
        assert opened(store).path == "/".join(PLACE)


def test_d5_a_file_that_somebody_put_there_is_never_cut(tmp_path):
    """It is taken for a stream that lost its sidecar, and continued behind its end."""
    stored(tmp_path).parent.mkdir(parents=True)
    stored(tmp_path).write_bytes(b"by hand\n")
    with Store(tmp_path) as store:
        stream = opened(store)
        assert stream.durable == 8
        stream.append(8, b"ours")
    assert stored(tmp_path).read_bytes() == b"by hand\nours"


def test_d5_a_name_that_differs_by_case_alone_has_its_own_file(tmp_path):
    with Store(tmp_path) as store:
        store.open("site-1", "job-7", "a.log", key="lower")
        assert store.open("site-1", "job-7", "A.log", key="upper").path == "site-1/job-7/A.log"


def test_an_empty_file_left_by_a_crash_before_its_sidecar_is_taken(tmp_path):
    """The first open died between creating the file and describing it: no trouble, nothing was lost."""
    stored(tmp_path).parent.mkdir(parents=True)
    stored(tmp_path).touch()
    with Store(tmp_path) as store:
        stream = opened(store)
        assert stream.path == "/".join(PLACE)
        assert stream.record().troubles == ()


def test_n9_a_stream_is_open_once(tmp_path):
    """The receiver fences the older connection first."""
    with Store(tmp_path) as store:
        stream = opened(store)
        with pytest.raises(StoreError, match=r"site-1/job-7/train\.log is open already"):
            store.open(*PLACE, key=KEY)
        stream.append(0, b"still ours")
        stream.close()
        assert opened(store).durable == 10


def test_a_finished_stream_that_is_not_closed_yet_does_not_hold_the_name(tmp_path):
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.finish()
        assert opened(store).path == "site-1/job-7/train.log.2"


def test_the_sender_whose_last_ack_was_lost_is_told_that_it_finished(tmp_path):
    """Its run ended the stream: it must not begin `train.log.2` and send everything again."""
    with Store(tmp_path) as store:
        assert store.finished(*PLACE, key=KEY, run="run-1") is None
        finished(store, b"1", run="run-1")
        finished(store, b"22", run="run-2")
        crash(store)
    with Store(tmp_path) as store:
        first = store.finished(*PLACE, key=KEY, run="run-1")
        second = store.finished(*PLACE, key=KEY, run="run-2")
        assert first is not None
        assert second is not None
        assert (first.path, first.size) == ("site-1/job-7/train.log", 1)
        assert (second.path, second.size, second.state) == ("site-1/job-7/train.log.2", 2, "finished")
        assert store.finished(*PLACE, key=KEY, run="run-3") is None
        assert store.finished(*PLACE, key="another", run="run-1") is None
        assert store.finished("site-9", "job-7", "train.log", key=KEY, run="run-1") is None


def test_a_stream_needs_a_key(tmp_path):
    with Store(tmp_path) as store, pytest.raises(StoreError, match="needs a key"):
        store.open(*PLACE, key="")


def test_what_a_stream_is_accompanied_by_is_kept(tmp_path):
    with Store(tmp_path) as store:
        store.open(*PLACE, key=KEY, meta={"rank": "0"}).close()
        assert store.open(*PLACE, key=KEY, meta={"rank": "1"}).record().meta == {"rank": "0"}


# -- the lock


def test_two_receivers_cannot_share_a_directory(tmp_path):
    with Store(tmp_path) as store:
        with pytest.raises(StoreError, match=rf"is in use by another receiver \(process {os.getpid()}\)") as caught:
            Store(tmp_path)
        assert str(tmp_path) in str(caught.value)
        opened(store).append(0, b"abc")
    Store(tmp_path).close()


def test_the_lock_ends_with_the_process_not_with_the_file(tmp_path):
    """A lock file left by a killed receiver holds nobody up."""
    (tmp_path / ".logstreamer").mkdir()
    (tmp_path / ".logstreamer" / "lock").write_bytes(b'{"pid":1,"writer":"x"}')
    Store(tmp_path).close()


def test_the_lock_of_a_part_is_removed_with_it(tmp_path):
    """Parts come and go, one for each job; the directory's own lock stays."""
    with Store(tmp_path), Store(tmp_path, part="a"), Store(tmp_path, part="b") as retired:
        retired.retire()
        assert sorted(os.listdir(tmp_path / ".logstreamer")) == ["lock", "lock.a"]
    assert os.listdir(tmp_path / ".logstreamer") == ["lock"]


def test_a_lock_that_is_removed_while_it_is_taken_is_none(tmp_path, monkeypatch):
    """Its former holder was just leaving; a third one would lock another file of that name."""
    lock, really = tmp_path / ".logstreamer" / "lock.a", catalogue._lock
    opened_twice = []

    def meanwhile(fd: int) -> bool:
        if not opened_twice:
            lock.unlink()
        opened_twice.append(fd)
        return really(fd)

    monkeypatch.setattr(catalogue, "_lock", meanwhile)
    with Store(tmp_path, part="a"), pytest.raises(StoreError, match="in use"):
        Store(tmp_path, part="a")
    assert len(opened_twice) == 3


def test_a_directory_that_cannot_be_written_is_one_clear_line(tmp_path):
    with pytest.raises(StoreError, match=r"^cannot (use|write to) /proc/1/store[^\n]*$"):
        Store("/proc/1/store")


def test_a_closed_store_may_be_closed_again(tmp_path):
    store = Store(tmp_path)
    opened(store)
    store.close()
    store.close()
