"""D1: no room in the middle of a chunk, and room again later."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from logstreamer.store import DiskFull, Store
from store.helpers import KEY, PLACE, opened, sidecar_json, stored, xxh3

CHUNK = 64 * 1024


def test_d1_a_file_size_limit_in_the_middle_of_a_chunk(tmp_path):
    """RLIMIT_FSIZE lets a write through in part, as a full disk does: nothing of the chunk is kept, then all of it."""
    script = """
        import resource, sys
        from logstreamer.store import DiskFull, Store

        chunk = bytes(range(256)) * 256
        with Store(sys.argv[1]) as store:
            stream = store.open("site-1", "job-7", "train.log", key="k")
            stream.begin_run("run-1")
            stream.start_segment(0, "8:1", 0, "start")
            stream.append(0, chunk)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
            for _ in range(3):
                try:
                    stream.append(65536, chunk)
                except DiskFull as error:
                    print(stream.durable, error)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            stream.append(65536, chunk)
            stream.finish()
            print(stream.record().digest)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], capture_output=True, text=True, timeout=30
    )
    assert done.stderr == ""
    data = bytes(range(256)) * 512
    refused = "65536 cannot write site-1/job-7/train.log: File too large"
    assert done.stdout.splitlines() == [refused] * 3 + [xxh3(data).hex()]
    assert stored(tmp_path).read_bytes() == data


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(directory)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield directory
    subprocess.run(["umount", "-l", str(directory)], check=True)


def fill(path: Path) -> None:
    """Use up the last byte of the disk."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\xff" * 4096)


def test_d1_a_full_disk_pauses_the_stream_and_it_continues(small_disk):
    data = os.urandom(CHUNK)
    with Store(small_disk) as store:
        stream = opened(store)
        refused = 0
        while True:
            try:
                stream.append(stream.durable, data)
            except DiskFull:
                refused += 1
                break
        whole = stream.durable
        assert whole % CHUNK == 0
        assert stored(small_disk).stat().st_size == whole

        free = os.statvfs(small_disk)
        assert 0 < free.f_bavail * free.f_frsize < CHUNK  # the write stopped in the middle of the chunk
        stream.append(whole, data[:100])  # a smaller one still fits
        assert stream.durable == whole + 100
        stream.finish()
        assert stream.record().digest == xxh3(data * (whole // CHUNK) + data[:100]).hex()


def test_d1_on_a_full_disk_no_call_leaves_a_half_change(small_disk):
    """Begin a run, switch the segment, finish: refused as a whole, possible when there is room again."""
    ballast = small_disk / "ballast"
    with Store(small_disk) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        fill(ballast)
        before = stream.record()

        stream.set_state("disk full", "0 bytes free")  # told in memory, though it cannot be written
        assert stream.record().state == "disk full"
        stream.set_state("live")
        for change in (
            lambda: stream.begin_run("run-2"),
            lambda: stream.start_segment(3, "8:2", 0, "rotated"),
            stream.finish,
            lambda: store.open("site-2", "job-7", "new.log", key="new"),
        ):
            with pytest.raises(DiskFull):
                change()
        assert (stream.record().runs, stream.record().segments) == (before.runs, before.segments)
        assert not stream.finished
        assert not list(stored(small_disk).parent.glob(".*.tmp"))

        ballast.unlink()
        stream.start_segment(3, "8:2", 0, "rotated")
        stream.append(3, b"def")
        stream.finish()
        assert store.open("site-2", "job-7", "new.log", key="new").path == "site-2/job-7/new.log"
    assert stored(small_disk).read_bytes() == b"abcdef"
    assert sidecar_json(small_disk)["digest"] == xxh3(b"abcdef").hex()


def test_d1_the_end_of_a_run_on_a_full_disk_is_written_later(small_disk):
    ballast = small_disk / "ballast"
    with Store(small_disk) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        fill(ballast)
        stream.end_run("TIMEOUT", "no beat for 30 s")
        assert stream.record().state == "dead"
        assert sidecar_json(small_disk)["state"] == "live"
        ballast.unlink()
        stream.set_state("dead", "TIMEOUT no beat for 30 s")  # the same state: written, because it was not
        assert sidecar_json(small_disk)["state"] == "dead"


def test_d1_a_receiver_can_start_and_stop_on_a_full_disk(small_disk):
    with Store(small_disk) as store:
        opened(store).append(0, b"abc")
    fill(small_disk / "ballast")
    with Store(small_disk) as store:
        stream = store.open(*PLACE, key=KEY)
        assert stream.begin_run("run-1") == 0
        with pytest.raises(DiskFull):
            stream.append(3, b"x" * 8192)
    assert stored(small_disk).read_bytes() == b"abc"


def test_d1_bytes_that_could_not_be_cut_off_again_are_cut_off_by_the_next_append(tmp_path, monkeypatch):
    """The disk is full and then fails to truncate too: the file is longer than durable for a while."""
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, b"abc")

        def write_half(fd: int, payload: bytes) -> None:
            os.write(fd, payload[: len(payload) // 2])
            raise OSError(28, "No space left on device")

        def fail(fd: int, size: int) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr("logstreamer.store.disk.write_all", write_half)
        monkeypatch.setattr("logstreamer.store.disk.truncate", fail)
        with pytest.raises(DiskFull):
            stream.append(3, b"defg")
        assert stored(tmp_path).read_bytes() == b"abcde"
        monkeypatch.undo()

        stream.append(3, b"defg")
        stream.finish()
        assert stored(tmp_path).read_bytes() == b"abcdefg"
        assert stream.record().digest == xxh3(b"abcdefg").hex()
