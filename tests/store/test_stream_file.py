"""One stored stream: offsets, runs, segments, digests."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from logstreamer.errors import OffsetMismatch, StoreError
from logstreamer.store import Fingerprint, SegmentState, Store
from store.helpers import KEY, PLACE, crash, opened, sidecar, sidecar_json, stored, xxh3


def test_the_stored_file_is_exactly_the_bytes(tmp_path):
    """What was appended is what `cat` shows, nothing before, between or behind it."""
    with Store(tmp_path) as store:
        stream = opened(store)
        assert stream.append(0, b"one\n") == 4
        assert stream.append(4, memoryview(b"two\nthree")) == 13

        assert stored(tmp_path).read_bytes() == b"one\ntwo\nthree"
        assert stream.durable == 13


def test_the_record_is_made_anew_only_when_something_changed(tmp_path):
    """A receiver looks at the records of thousands of quiet streams each second."""
    with Store(tmp_path) as store:
        stream = opened(store)
        empty = stream.record()
        assert stream.record() is empty

        stream.append(0, b"abc")
        grown = stream.record()
        assert (empty.size, grown.size) == (0, 3)
        assert stream.record() is grown

        stream.start_segment(3, "8:2", 0, "rotated")
        assert len(stream.record().segments) == 2
    assert stream.record().state == "unknown"


def test_an_empty_append_changes_nothing(tmp_path):
    with Store(tmp_path) as store:
        stream = opened(store)
        assert stream.append(0, b"") == 0
        assert stored(tmp_path).read_bytes() == b""


@pytest.mark.parametrize("offset", [0, 2, 4, 1 << 40])
def test_bytes_at_another_offset_than_the_end_are_refused(tmp_path, offset):
    """Above it would be a hole, below it something would be overwritten; 0 is an offset like any other (N19)."""
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, b"abc")

        with pytest.raises(OffsetMismatch) as caught:
            stream.append(offset, b"xyz")

        assert (caught.value.expected, caught.value.got) == (3, offset)
        assert stored(tmp_path).read_bytes() == b"abc"


def test_n19_offset_zero_is_an_offset(tmp_path):
    """A stream without a byte has a durable offset of 0, a run that starts at 0 and a segment at 0 of its source."""
    with Store(tmp_path) as store:
        stream = store.open(*PLACE, key=KEY)
        assert stream.resume_point() is None
        assert stream.begin_run("run-1") == 0
        stream.start_segment(0, "8:1", 0, "start")

        nothing = Fingerprint(0, hashlib.sha256(b"").digest())
        assert stream.resume_point() == SegmentState(0, "8:1", 0, nothing, nothing)
        assert stream.check_run_digest(0, xxh3(b""))


def test_bytes_need_a_segment(tmp_path):
    """Every stored byte has a source."""
    with Store(tmp_path) as store:
        stream = store.open(*PLACE, key=KEY)
        stream.begin_run("run-1")
        with pytest.raises(StoreError, match="before its first segment"):
            stream.append(0, b"abc")


@pytest.mark.parametrize("size", [1, 63, 64, 65, 1023, 1024, 1025, 5000])
def test_the_resume_point_fingerprints_what_is_held_of_the_last_segment(tmp_path, size):
    before, held = b"old file\n" * 300, os.urandom(size)
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, before)
        stream.start_segment(len(before), "8:2", 100, "rotated")
        stream.append(len(before), held)

        point = stream.resume_point()

    head, anchor = held[:1024], held[-64:]
    assert point == SegmentState(
        len(before),
        "8:2",
        100,
        Fingerprint(len(head), hashlib.sha256(head).digest()),
        Fingerprint(len(anchor), hashlib.sha256(anchor).digest()),
    )


def test_segments_record_where_bytes_come_from(tmp_path):
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        stream.start_segment(3, "8:2", 0, "rotated", 0, "renamed to train.log.1")
        stream.append(3, b"defg")
        stream.start_segment(7, "8:2", 50, "gap", 46, "deleted before it was read")
        record = stream.record()

    assert [(s.offset, s.end, s.source, s.source_offset, s.reason) for s in record.segments] == [
        (0, 3, "8:1", 0, "start"),
        (3, 7, "8:2", 0, "rotated"),
        (7, None, "8:2", 50, "gap"),
    ]
    assert [s.digest for s in record.segments] == [xxh3(b"abc").hex(), xxh3(b"defg").hex(), None]
    assert [(gap.offset, gap.lost, gap.detail) for gap in record.gaps] == [(7, 46, "deleted before it was read")]


def test_a_loss_of_unknown_size_is_a_gap_too(tmp_path):
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.start_segment(0, "8:2", 0, "gap", None, "truncated before it was read")
        assert [gap.lost for gap in stream.record().gaps] == [None]


def test_a_repeated_segment_start_is_ignored(tmp_path):
    """After a cut the sender repeats what it does not know to have arrived."""
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        for _ in range(3):
            stream.start_segment(3, "8:2", 0, "gap", 5, "why")
        stream.append(3, b"def")
        stream.start_segment(3, "8:2", 0, "gap", 5, "why")

        assert stream.segments == 2
        assert len(stream.record().gaps) == 1


@pytest.mark.parametrize("offset", [0, 2, 4])
def test_a_segment_starts_at_the_end_of_the_file(tmp_path, offset):
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        with pytest.raises(OffsetMismatch):
            stream.start_segment(offset, "8:2", 0, "rotated")
        assert stream.segments == 1


def test_a_segment_is_on_disk_before_its_first_byte(tmp_path):
    """So a crash in between leaves an empty segment, not bytes in the segment before."""
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        stream.start_segment(3, "8:2", 0, "rotated")
        assert [s["offset"] for s in sidecar_json(tmp_path)["segments"]] == [0, 3]


@pytest.mark.parametrize(("source_offset", "lost"), [(-1, 0), (0, -1)])
def test_a_segment_with_negative_numbers_is_refused(tmp_path, source_offset, lost):
    with Store(tmp_path) as store:
        stream = opened(store)
        with pytest.raises(StoreError, match="negative"):
            stream.start_segment(0, "8:2", source_offset, "gap", lost)


@pytest.mark.parametrize("what", ["source", "detail", "run", "state", "rc"])
def test_text_that_json_cannot_carry_is_refused_and_changes_nothing(tmp_path, what):
    with Store(tmp_path) as store:
        stream = opened(store)
        before = stream.record()
        calls = {
            "source": lambda: stream.start_segment(0, "\udc80", 0, "rotated"),
            "detail": lambda: stream.start_segment(0, "8:2", 0, "rotated", 0, "\udc80"),
            "run": lambda: stream.begin_run("\udc80"),
            "state": lambda: stream.set_state("\udc80"),
            "rc": lambda: stream.end_run("\udc80", ""),
        }
        with pytest.raises(StoreError, match="not valid Unicode"):
            calls[what]()
        assert stream.record() == before


# -- runs


def test_the_same_run_continues_after_a_reconnect(tmp_path):
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        assert stream.begin_run("run-1") == 0
        assert len(stream.record().runs) == 1


def test_the_same_run_continues_after_a_restart_of_the_receiver(tmp_path):
    store = Store(tmp_path)
    opened(store).append(0, b"abc")
    crash(store)

    with Store(tmp_path) as store:
        stream = store.open(*PLACE, key=KEY)
        assert stream.durable == 3
        assert stream.begin_run("run-1") == 0
        stream.append(3, b"def")
        assert stream.check_run_digest(0, xxh3(b"abcdef"))


def test_another_run_starts_at_the_durable_offset_and_ends_the_one_before(tmp_path):
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        assert stream.begin_run("run-2") == 3
        first, second = stream.record().runs
    assert (first.start, first.end, first.reason) == (0, 3, "run run-2 took over")
    assert (second.start, second.end) == (3, None)


@pytest.mark.parametrize(("rc", "state"), [("TIMEOUT", "dead"), ("STOPPED", "stopped"), ("TASK_ABORTED", "failed")])
def test_a_stream_whose_run_ended_badly_can_be_continued(tmp_path, rc, state):
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        stream.end_run(rc, "no beat for 30 s")
        assert stream.record().state == state
        stream.close()

        stream = store.open(*PLACE, key=KEY)
        assert stream.begin_run("run-1") == 3  # the same sender, after its timeout: a new run
        stream.append(3, b"def")
        assert stored(tmp_path).read_bytes() == b"abcdef"
        assert [(run.start, run.end, run.rc) for run in stream.record().runs] == [(0, 3, rc), (3, None, "")]
        assert stream.record().state == "live"


# -- digests


def test_the_run_digest_is_of_the_run_s_bytes(tmp_path):
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        stream.begin_run("run-2")
        stream.append(3, b"def")
        stream.start_segment(6, "8:2", 0, "rotated")
        stream.append(6, b"ghi")

        assert stream.check_run_digest(3, xxh3(b"defghi"))
        assert stream.check_run_digest(0, xxh3(b"abcdefghi"))
        assert stream.check_run_digest(1, xxh3(b"bcdefghi"))
        assert not stream.check_run_digest(3, xxh3(b"defghj"))
        assert not stream.check_run_digest(10, xxh3(b""))
        assert not stream.check_run_digest(-1, xxh3(b""))


def test_after_a_restart_digests_can_be_caught_up_with_in_steps(tmp_path):
    data = os.urandom(3 << 20)
    store = Store(tmp_path)
    opened(store).append(0, data)
    crash(store)

    with Store(tmp_path) as store:
        stream = opened(store)
        assert stream.catch_up(1 << 20) == 2 << 20
        stream.append(len(data), b"new")
        assert stream.catch_up(1 << 20) == (1 << 20) + 3
        assert stream.catch_up() == 0
        stream.append(len(data) + 3, b"er")
        assert stream.catch_up(0) == 0
        assert stream.check_run_digest(0, xxh3(data + b"newer"))


# -- the end


def test_a_finished_stream_has_all_digests_and_never_changes(tmp_path):
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        stream.start_segment(3, "8:2", 0, "rotated")
        stream.append(3, b"def")
        stream.finish()
        stream.finish()

        record = stream.record()
        assert (record.state, record.size) == ("finished", 6)
        assert record.digest == xxh3(b"abcdef").hex()
        assert [s.digest for s in record.segments] == [xxh3(b"abc").hex(), xxh3(b"def").hex()]
        assert [(run.end, run.rc) for run in record.runs] == [(6, "OK")]
        for change in (
            lambda: stream.append(6, b"x"),
            lambda: stream.start_segment(6, "8:3", 0, "rotated"),
            lambda: stream.begin_run("run-2"),
        ):
            with pytest.raises(StoreError, match="finished"):
                change()
        stream.set_state("live")
        stream.end_run("TIMEOUT", "late")
        assert stream.record() == record
        assert not stat.S_IMODE(stored(tmp_path).stat().st_mode) & 0o222


def test_a_stream_without_a_byte_can_be_finished(tmp_path):
    with Store(tmp_path) as store:
        stream = store.open(*PLACE, key=KEY)
        stream.begin_run("run-1")
        stream.finish()
        assert stream.record().digest == xxh3(b"").hex()


def test_a_stream_continued_after_a_restart_finishes_with_the_digests_of_all_bytes(tmp_path):
    store = Store(tmp_path)
    stream = opened(store)
    stream.append(0, b"abc")
    stream.start_segment(3, "8:2", 0, "rotated")
    stream.append(3, b"def")
    crash(store)

    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(6, b"ghi")
        stream.finish()
        record = stream.record()
    assert record.digest == xxh3(b"abcdefghi").hex()
    assert [s.digest for s in record.segments] == [xxh3(b"abc").hex(), xxh3(b"defghi").hex()]


def test_a_closed_stream_says_so(tmp_path):
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.close()
        stream.close()
        for use in (
            lambda: stream.append(0, b"x"),
            stream.resume_point,
            stream.finish,
            stream.sync,
            lambda: stream.set_state("live"),
            lambda: stream.end_run("TIMEOUT", ""),
            lambda: stream.begin_run("run-1"),
        ):
            with pytest.raises(StoreError, match=r"train\.log is closed"):
                use()


# -- cost


def test_chunks_and_repeated_states_do_not_write_the_sidecar(tmp_path):
    with Store(tmp_path) as store:
        stream = opened(store)
        path = stored(tmp_path, ".train.log.logstreamer.json")
        before = path.stat().st_ino, path.stat().st_mtime_ns
        for index in range(100):
            stream.append(index, b"x")
            stream.set_state("live")
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == before


def test_many_streams_need_few_descriptors(tmp_path):
    """More streams open than descriptors: each append finds its file again."""
    with Store(tmp_path, max_open=3) as store:
        before = len(os.listdir("/proc/self/fd"))
        streams = [store.open("site-1", "job-7", f"{n}.log", key=f"k{n}") for n in range(20)]
        for stream in streams:
            stream.begin_run("run-1")
            stream.start_segment(0, "8:1", 0, "start")
        for round_ in range(3):
            for n, stream in enumerate(streams):
                stream.append(stream.durable, b"%d:%d\n" % (n, round_))
        assert len(os.listdir("/proc/self/fd")) - before <= 3
        for n, stream in enumerate(streams):
            stream.finish()
            expected = b"".join(b"%d:%d\n" % (n, round_) for round_ in range(3))
            assert stored(tmp_path, f"{n}.log").read_bytes() == expected
            assert stream.record().digest == xxh3(expected).hex()
            assert stream.resume_point() is not None


def test_with_fsync_the_data_is_synced_before_a_sidecar_vouches_for_it(tmp_path, monkeypatch):
    calls: list[str] = []
    with Store(tmp_path, fsync=True) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        for name in ("sync_data", "replace"):
            original = getattr(__import__("logstreamer.store.disk", fromlist=["disk"]), name)

            def spy(*args, _name=name, _original=original, **kwargs):
                calls.append(_name)
                return _original(*args, **kwargs)

            monkeypatch.setattr(f"logstreamer.store.disk.{name}", spy)
        stream.start_segment(3, "8:2", 0, "rotated")
        assert calls == ["sync_data", "replace", "sync_data"]  # data; the sidecar, and within it its own


def test_after_a_failed_fsync_nothing_more_is_taken(tmp_path, monkeypatch):
    with Store(tmp_path, fsync=True) as store:
        stream = opened(store)
        stream.append(0, b"abc")

        def fail(fd: int) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr("logstreamer.store.disk.sync_data", fail)
        with pytest.raises(StoreError, match=r"cannot put .*train\.log on the disk: Input/output error"):
            stream.sync()
        monkeypatch.undo()
        with pytest.raises(StoreError, match="on the disk"):
            stream.append(3, b"def")
        with pytest.raises(StoreError, match="on the disk"):
            stream.close()
        assert store.open(*PLACE, key=KEY).durable == 3


def test_umask_decides_who_may_read(tmp_path: Path):
    """Modes are the operator's: the store adds and takes nothing, until a stream is finished."""
    before = os.umask(0o027)
    try:
        with Store(tmp_path / "store") as store:
            opened(store)
        assert stat.S_IMODE(stored(tmp_path / "store").stat().st_mode) == 0o640
        assert stat.S_IMODE((tmp_path / "store" / "site-1").stat().st_mode) == 0o750
    finally:
        os.umask(before)


# -- bounds: what a peer says has an end


def test_long_details_are_shortened_and_still_recognised(tmp_path):
    with Store(tmp_path) as store:
        stream = opened(store)
        for _ in range(2):
            stream.start_segment(0, "8:2", 0, "gap", 1, "x" * 4000)
        assert stream.segments == 2
        assert stream.record().gaps[0].detail == "x" * 499 + "…"


@pytest.mark.parametrize("what", ["source", "run", "key", "meta"])
def test_names_without_measure_are_refused(tmp_path, what):
    long = "x" * 5000
    with Store(tmp_path) as store:
        stream = opened(store)
        calls = {
            "source": lambda: stream.start_segment(0, long, 0, "rotated"),
            "run": lambda: stream.begin_run(long),
            "key": lambda: store.open(*PLACE, key=long),
            "meta": lambda: store.open(*PLACE, key="k", meta={"a": long}),
        }
        with pytest.raises(StoreError, match="longer than 4096 characters") as caught:
            calls[what]()
        assert len(str(caught.value)) < 200
        with pytest.raises(StoreError, match="longer than 65536 characters"):
            store.open(*PLACE, key="k", meta={f"{n}": "x" * 4000 for n in range(20)})


def test_a_sender_that_dies_all_the_time_does_not_fill_the_sidecar(tmp_path, monkeypatch):
    monkeypatch.setattr("logstreamer.store.history.MAX_RUNS", 5)
    with Store(tmp_path) as store:
        stream = opened(store)
        for number in range(20):
            stream.begin_run(f"again-{number}")
            stream.append(number, b"x")
        record = stream.record()
        assert [run.run for run in record.runs] == [f"again-{n}" for n in range(15, 20)]
        assert record.runs_dropped == 16
    with Store(tmp_path) as store:
        assert opened(store, run="again-19").durable == 20


def test_the_sidecar_takes_segments_up_to_its_bound_and_the_stream_can_still_finish(tmp_path, monkeypatch):
    monkeypatch.setattr("logstreamer.store.sidecar.FULL", 4096)
    with Store(tmp_path) as store:
        stream = opened(store)

        def go_on() -> None:
            for _ in range(100):
                stream.start_segment(stream.durable, f"8:{stream.durable}", 0, "rotated")
                stream.append(stream.durable, b"x")

        with pytest.raises(StoreError, match="too many segments"):
            go_on()
        held = stream.durable
        assert sidecar(tmp_path).stat().st_size > 3800
        stream.append(held, b"y")
        stream.finish()
    assert stored(tmp_path).read_bytes() == b"x" * held + b"y"


def test_changes_of_state_are_kept(tmp_path):
    """With time and place; one that is not worth a write waits for the next one."""
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        stream.set_state("quiet", at="2026-01-01T00:00:00.000Z", later=True)
        stream.set_state("quiet", "still", later=True)
        assert [change["state"] for change in sidecar_json(tmp_path)["history"]] == ["live"]
        stream.set_state("dead", "no beat")
        stream.end_run("TIMEOUT", "silence")
    with Store.view(tmp_path) as view:
        (record,) = view.streams()

    assert [(change.state, change.detail, change.offset) for change in record.history] == [
        ("live", "", 0), ("quiet", "", 3), ("dead", "no beat", 3),
    ]  # fmt: skip
    assert record.history[1].at == "2026-01-01T00:00:00.000Z"
    assert record.state_detail == "silence"


def test_only_the_latest_changes_are_kept(tmp_path):
    """A stream that flaps for a year does not fill its sidecar."""
    with Store(tmp_path) as store:
        stream = opened(store)
        for number in range(500):
            stream.set_state(f"state {number}", later=True)
        history = stream.record().history

    assert [change.state for change in history] == [f"state {number}" for number in range(300, 500)]
