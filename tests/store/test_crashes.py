"""N7, N8: killed at any point, the store continues byte-exact."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from logstreamer.store import Store, StreamFile, verify
from logstreamer.store import disk as disk_module
from store.helpers import KEY, PLACE, crash, sidecar_json, stored, xxh3

WRITER = """
    import sys
    from store.helpers import KEY, PLACE
    from store.test_crashes import LINES, SWITCH, drive
    from logstreamer.store import Store

    with Store(sys.argv[1]) as store:
        drive(store.open(*PLACE, key=KEY))
"""
LINES = 60_000
SWITCH = 700


def line(number: int) -> bytes:
    return b"%08d " % number + b"x" * (number % 90) + b"\n"


def drive(stream: StreamFile) -> None:
    """Write what is missing of LINES lines; each SWITCH lines come from another source."""
    stream.begin_run("run-1")
    offset = 0
    for first in range(0, LINES, SWITCH):
        part = b"".join(line(number) for number in range(first, min(first + SWITCH, LINES)))
        end = offset + len(part)
        if stream.durable < end:
            point = stream.resume_point()
            if point is None or point.source != str(first):
                stream.start_segment(offset, str(first), 0, "rotated" if first else "start")
            while stream.durable < end:
                done = stream.durable - offset
                stream.append(stream.durable, memoryview(part)[done : done + 333])
        offset = end


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_n7_kill_9_in_the_middle_of_appends(tmp_path):
    """A real process, a real SIGKILL at random times, until one gets to the end: every byte once, in its segment."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    generator = random.Random(seed)
    killed = 0
    while True:
        writer = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path)],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        before = stored(tmp_path).stat().st_size if stored(tmp_path).exists() else 0
        while writer.poll() is None and (not stored(tmp_path).exists() or stored(tmp_path).stat().st_size == before):
            time.sleep(0.0005)
        with contextlib.suppress(subprocess.TimeoutExpired):
            writer.wait(generator.uniform(0, 0.03))
        if writer.poll() == 0:
            break
        writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
        killed += 1

    assert killed >= 1
    expected = b"".join(map(line, range(LINES)))
    assert stored(tmp_path).read_bytes() == expected
    with Store(tmp_path) as store:
        store.open(*PLACE, key=KEY).finish()
        (report,) = verify(store)
        (record,) = store.streams()
    assert (report.status, report.troubles) == ("ok", ())
    assert record.digest == xxh3(expected).hex()
    assert [segment.source for segment in record.segments] == [str(n) for n in range(0, LINES, SWITCH)]


# -- every system call that changes something


class Killed(BaseException):
    """The process ends here."""


OS_CALLS = ["mkdir", "open", "write", "rename", "unlink", "ftruncate", "fsync", "fdatasync", "fchmod"]


def a_life(store: Store) -> bytes:
    """All that a stream does, repeatable from any point; returns what the file holds then."""
    stream = store.open(*PLACE, key=KEY)
    stream.begin_run("run-1")
    wanted = [("a", b"first\n"), ("b", b"second\n"), ("c", b"third\n")]
    offset = 0
    for source, data in wanted:
        if stream.durable < offset + len(data):
            point = stream.resume_point()
            if point is None or point.source != source:
                stream.start_segment(offset, source, 0, "rotated")
            for index in range(stream.durable - offset, len(data)):
                stream.append(offset + index, data[index : index + 1])
        offset += len(data)
    stream.finish()
    return b"".join(data for _, data in wanted)


def run_until(root: Path, step: int, monkeypatch: pytest.MonkeyPatch, *, after: bool, fsync: bool) -> bool:
    """A life that ends at system call *step*, before it or right *after* it; False if it was over by then."""
    count = 0

    def counted(original: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal count
            count += 1
            if count == step and not after:
                raise Killed
            try:
                return original(*args, **kwargs)
            finally:
                if count == step:
                    raise Killed

        return call

    store = Store(root, fsync=fsync)
    with monkeypatch.context() as patch:
        for name in OS_CALLS:
            patch.setattr(os, name, counted(getattr(os, name)))
        patch.setattr(disk_module, "_fdatasync", os.fdatasync)
        try:
            a_life(store)
        except Killed:
            return True  # nobody in between swallowed it
        finally:
            patch.undo()
            crash(store)
    assert count < step
    return False


@pytest.mark.parametrize("fsync", [False, True])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_n7_killed_at_each_system_call_it_continues_without_a_trace(tmp_path, monkeypatch, after, fsync):
    """The next receiver finishes the same stream, byte-exact, each byte in its segment, with nothing to recover."""
    step = 1
    while True:
        root = tmp_path / str(step)
        was_killed = run_until(root, step, monkeypatch, after=after, fsync=fsync)
        with Store(root) as store:
            done = store.finished(*PLACE, key=KEY, run="run-1")
            if done is None:
                a_life(store)
            (report,) = verify(store)
            (record,) = store.streams()
        assert stored(root).read_bytes() == b"first\nsecond\nthird\n", step
        assert (report.status, record.path, record.troubles) == ("ok", "/".join(PLACE), ()), step
        assert [(s.source, s.offset, s.end) for s in record.segments] == [("a", 0, 6), ("b", 6, 13), ("c", 13, 19)]
        assert len(sidecar_json(root)["runs"]) == 1
        if not was_killed:
            break
        step += 1
    assert step > 40


@pytest.mark.slow
def test_a_reader_sees_only_whole_sidecars(tmp_path):
    """While one process switches segments, another lists the streams: never a trouble, never a segment too few."""
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    while not stored(tmp_path).exists() and writer.poll() is None:
        time.sleep(0.001)
    looks, seen = 0, 0
    with Store.view(tmp_path) as view:
        while writer.poll() is None:
            for record in view.streams():
                if record.segments:  # not yet, right after the file was made
                    assert record.troubles == ()
                    assert len(record.segments) >= seen
                    assert record.size >= record.segments[-1].offset
                    seen = len(record.segments)
            looks += 1
    assert writer.returncode == 0
    assert looks >= 1
