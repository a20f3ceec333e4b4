"""Row T14 of the faults: wake-ups are hints, and missing ones cost no more than a poll interval."""

from __future__ import annotations

import errno
import os
import select
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logstreamer.tail import InotifyWakeup, PollingWakeup, create_wakeup, wakeup
from tail.tailing import Log, Reading

Follow = Callable[..., Reading]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


class Calls:
    """Counts notifies."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1

    def take(self) -> int:
        count, self.count = self.count, 0
        return count


@pytest.fixture
def inotify() -> Iterator[InotifyWakeup]:
    port = InotifyWakeup()
    yield port
    port.close()


def readable(port: InotifyWakeup) -> bool:
    return bool(select.select([port.fileno()], [], [], 0)[0])


@pytest.mark.parametrize("action", ["append", "create", "rename", "delete", "chmod"])
def test_each_kind_of_change_wakes(inotify: InotifyWakeup, log: Log, action: str):
    if action != "create":
        log.append(1)
    calls = Calls()
    inotify.watch(str(log.path.parent), calls)
    {
        "append": log.append,
        "create": log.create,
        "rename": log.rotate,
        "delete": log.path.unlink,
        "chmod": lambda: log.path.chmod(0o600),
    }[action]()

    assert readable(inotify)
    inotify.drain()

    assert calls.take() == 1
    assert not readable(inotify)


def test_one_instance_serves_many_directories_and_followers(inotify: InotifyWakeup, tmp_path: Path):
    calls = [Calls() for _ in range(6)]
    for number, call in enumerate(calls):
        directory = tmp_path / str(number // 2)
        directory.mkdir(exist_ok=True)
        inotify.watch(str(directory), call)
    (tmp_path / "1" / "x").touch()
    inotify.drain()

    assert [call.take() for call in calls] == [0, 0, 1, 1, 0, 0]


def test_a_busy_unrelated_file_wakes_nobody_and_drain_is_bounded(inotify: InotifyWakeup, log: Log, follow: Follow):
    log.append(1)
    reading = follow()
    calls = Calls()
    inotify.watch(str(log.path.parent), calls, reading.follower.bases())
    with open(log.path.with_name("busy"), "ab", buffering=0) as busy, open(log.path.with_name("b2"), "ab") as other:
        for _ in range(2000):
            busy.write(b"x")
            other.write(b"x")
            other.flush()
    inotify.drain()
    assert calls.take() == 0

    log.rotate()
    inotify.drain()
    assert calls.take() == 1


def test_a_closed_watch_is_silent_and_the_other_stays(inotify: InotifyWakeup, tmp_path: Path):
    one, two = Calls(), Calls()
    watch = inotify.watch(str(tmp_path), one)
    inotify.watch(str(tmp_path), two)
    watch.close()
    watch.close()
    (tmp_path / "x").touch()
    inotify.drain()

    assert (one.take(), two.take()) == (0, 1)


def test_a_notify_may_close_its_own_watch(inotify: InotifyWakeup, tmp_path: Path):
    calls = Calls()
    watches = []

    def once() -> None:
        calls()
        watches.pop().close()

    watches.append(inotify.watch(str(tmp_path), once))
    for name in "ab":
        (tmp_path / name).touch()
        inotify.drain()

    assert calls.take() == 1


def test_a_directory_that_appears_later_is_watched_after_refresh(inotify: InotifyWakeup, tmp_path: Path):
    directory, calls = tmp_path / "later", Calls()
    inotify.watch(str(directory), calls)
    directory.mkdir()
    inotify.refresh()
    assert calls.take() == 1
    (directory / "x").touch()
    inotify.drain()
    assert calls.take() == 1


@pytest.mark.parametrize("how", ["renamed", "deleted"])
def test_a_directory_that_is_replaced_is_watched_again(inotify: InotifyWakeup, tmp_path: Path, how: str):
    directory, calls = tmp_path / "logs", Calls()
    directory.mkdir()
    inotify.watch(str(directory), calls)
    directory.rename(tmp_path / "old") if how == "renamed" else directory.rmdir()
    inotify.drain()
    assert calls.take() == 1
    directory.mkdir()
    inotify.refresh()
    calls.take()
    (directory / "x").touch()
    inotify.drain()
    assert calls.take() == 1


def test_t14_queue_overflow_during_a_rotation(inotify: InotifyWakeup, tmp_path: Path):
    """The kernel drops events above max_queued_events: then everyone looks."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 100_000:
        pytest.skip("the queue is too long to overflow it quickly")
    busy, quiet = tmp_path / "busy", tmp_path / "quiet"
    busy.mkdir()
    quiet.mkdir()
    log = Log(quiet / "app.log")
    written = log.append(1)
    reading = Reading(log.path)
    reading.step()
    inotify.watch(str(busy), Calls())
    inotify.watch(str(quiet), reading.follower.wake, reading.follower.bases())
    one, two = os.open(busy / "1", os.O_CREAT | os.O_WRONLY), os.open(busy / "2", os.O_CREAT | os.O_WRONLY)
    for _ in range(limit // 2 + 1):  # alternating: equal neighbours are merged
        os.write(one, b"x")
        os.write(two, b"x")
    os.close(one)
    os.close(two)
    log.rotate()
    written += log.append(1)
    while readable(inotify):
        inotify.drain()
    assert reading.follower.get_timer() == float("-inf")

    reading.settle()
    reading.close()

    assert reading.data == written


def test_t14_too_few_watches_falls_back_to_polling(
    inotify: InotifyWakeup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    class NoWatches:
        def inotify_add_watch(self, *args: object) -> int:
            wakeup.ctypes.set_errno(errno.ENOSPC)
            return -1

    libc = inotify._libc
    monkeypatch.setattr(inotify, "_libc", NoWatches())
    calls = Calls()
    for name in "abc":
        (tmp_path / name).mkdir()
        inotify.watch(str(tmp_path / name), calls)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "no inotify watches left; it is polled" in caplog.text

    monkeypatch.setattr(inotify, "_libc", libc)
    inotify.refresh()
    calls.take()
    (tmp_path / "b" / "x").touch()
    inotify.drain()
    assert calls.take() == 1


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENOSYS])
def test_t14_no_inotify_at_all_falls_back_to_polling(monkeypatch: pytest.MonkeyPatch, code: int, tmp_path: Path):
    def refuse() -> object:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(wakeup, "_libc", refuse)
    port = create_wakeup()

    assert isinstance(port, PollingWakeup)
    assert port.fileno() is None
    port.watch(str(tmp_path), Calls()).close()
    port.refresh()
    port.drain()
    port.wait(0.0)
    port.close()


def test_t14_polling_alone_finds_everything(log: Log, follow: Follow):
    written = log.append(1)
    reading = follow()
    for _ in range(5):
        reading.poll(reading.follower.get_timer() - reading.now)
        reading.read()
        log.rotate()
        written += log.append(1)
    reading.settle()
    assert reading.data == written


def test_wait_returns_when_something_happened(inotify: InotifyWakeup, tmp_path: Path):
    calls = Calls()
    inotify.watch(str(tmp_path), calls)
    (tmp_path / "x").touch()
    inotify.wait(30.0)
    assert calls.take() == 1
    inotify.wait(0.0)
    assert calls.take() == 0


def test_close_is_idempotent(inotify: InotifyWakeup, tmp_path: Path):
    watch = inotify.watch(str(tmp_path), Calls())
    inotify.close()
    inotify.close()
    watch.close()
