"""How often a file at rest is looked at: rarely where inotify tells of every change, else at each poll interval."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from logstreamer.tail import InotifyWakeup, PollingWakeup, Wakeup, mounts
from logstreamer.tail.looks import ON_GRID
from logstreamer.tail.watching import Watching
from tail.tailing import Log, Reading

Follow = Callable[..., Reading]

POLL, CALM = 0.5, 2.0

MOUNTS = """\
22 28 0:21 / /proc rw,nosuid shared:14 - proc proc rw
28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
31 28 0:44 / /mnt/site rw,relatime shared:2 master:1 - nfs4 server:/logs rw,vers=4.2
33 28 0:50 / /shared rw - 9p host rw
35 28 0:52 / /home rw - fuse.sshfs user@host: rw
a line that is none
"""


@pytest.mark.parametrize(
    ("device", "expected"),
    [((254, 1), True), ((0, 44), False), ((0, 50), False), ((0, 52), False), ((9, 9), False)],
    ids=["ext4", "nfs4", "9p", "fuse", "unknown"],
)
def test_local_file_systems_are_told_by_their_mount(monkeypatch, tmp_path: Path, device, expected):
    (tmp_path / "mountinfo").write_text(MOUNTS)
    monkeypatch.setattr(mounts, "MOUNTS", str(tmp_path / "mountinfo"))

    assert mounts.is_local(os.makedev(*device)) is expected


def test_without_a_list_of_mounts_nothing_is_local(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(mounts, "MOUNTS", str(tmp_path / "missing"))

    assert mounts.is_local(tmp_path.stat().st_dev) is False


def rest(reading: Reading) -> float:
    """Seconds until the next look, once the file has come to rest."""
    for _ in range(4):
        reading.step()
    when = reading.follower.get_timer()
    assert when is not None
    return when - reading.now


def watched(reading: Reading, wakeup: Wakeup) -> Watching:
    watching = Watching(reading.follower, wakeup, reading.follower.wake)
    watching.update()
    return watching


@pytest.fixture
def local(monkeypatch) -> None:
    """Whatever the tests run on."""
    monkeypatch.setattr("logstreamer.tail.wakeup.is_local", lambda device: True)


linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


@linux
def test_a_file_at_rest_is_looked_at_rarely_and_a_change_at_once(local, log: Log, follow: Follow):
    log.append()
    wakeup = InotifyWakeup()
    reading = follow(calm_interval=CALM)
    watched(reading, wakeup)

    assert CALM - POLL / ON_GRID <= rest(reading) <= CALM
    more = log.append()
    wakeup.drain()
    assert reading.follower.get_timer() < reading.now
    assert reading.step(0.0) == more
    assert reading.follower.get_timer() - reading.now <= POLL, "until it is at rest again"
    wakeup.close()


@linux
@pytest.mark.parametrize("where", ["not local", "no inotify", "the directory is gone", "nobody asked for it"])
def test_else_it_is_looked_at_at_each_poll_interval(monkeypatch, local, log: Log, follow: Follow, where: str):
    log.append()
    if where == "not local":
        monkeypatch.setattr("logstreamer.tail.wakeup.is_local", lambda device: False)
    wakeup = PollingWakeup() if where == "no inotify" else InotifyWakeup()
    reading = follow(calm_interval=0.0 if where == "nobody asked for it" else CALM)
    watched(reading, wakeup)
    if where == "the directory is gone":
        directory = log.path.parent
        directory.rename(directory.with_name("elsewhere"))
        wakeup.drain()
        directory.with_name("elsewhere").rename(directory)

    assert rest(reading) <= POLL
    wakeup.close()


def test_a_calm_interval_is_no_shorter_than_the_poll_interval(log: Log, follow: Follow):
    log.append()
    reading = follow(poll_interval=4.0, calm_interval=1.0)
    reading.follower.watched = lambda: True

    assert rest(reading) > 3.0


def test_changes_of_which_no_event_tells_end_the_calm(log: Log, follow: Follow):
    """A hard link in another directory, a file that is a mount of its own, mapped memory."""
    log.append()
    reading = follow(calm_interval=CALM)
    reading.follower.watched = lambda: True

    written = b""
    for _ in range(3):
        assert rest(reading) > POLL
        reading.now = reading.follower.get_timer()
        written += log.append()
        reading.step(0.0)

    assert rest(reading) <= POLL
    assert reading.data.endswith(written)


def test_an_event_that_comes_after_the_look_does_not_end_it(log: Log, follow: Follow):
    """The look may be first, by chance; over days it is, again and again."""
    log.append()
    reading = follow(calm_interval=CALM)
    reading.follower.watched = lambda: True

    for _ in range(10):
        assert rest(reading) > POLL
        reading.now = reading.follower.get_timer()
        log.append()
        reading.step(0.0)
        reading.follower.wake()
