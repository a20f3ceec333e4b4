"""The followed file as a producer sees it; the clock is a number, the file is real."""

from __future__ import annotations

import logging
import os
import threading
import time

import pytest

from logstreamer.follow_spec import FollowSpec
from logstreamer.streamers.file_feed import FileFeed


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "train.log"
    path.write_bytes(b"one\n")
    return path


@pytest.fixture
def feed(log):
    feed = FileFeed(FollowSpec(str(log), poll_interval=10.0), now=0.0)
    yield feed
    feed.close()


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


def test_it_reads_what_is_there_and_then_nothing(feed):
    assert feed.read(3, 0.0) == b"one"
    assert feed.look(0.0) == 1
    assert feed.read(3, 0.0) == b"\n"
    assert feed.read(3, 0.0) is None
    assert feed.look(0.0) == 0


def test_an_empty_read_has_looked_at_the_file(feed, log):
    """Two of them end a stopped stream, so they must not be answers from memory."""
    assert feed.read(10, 0.0) == b"one\n"
    assert feed.read(10, 0.0) is None

    append(log, b"two\n")

    assert feed.read(10, 0.001) == b"two\n"


def test_a_write_ends_the_wait(feed, log):
    """Where inotify works; elsewhere the poll interval does."""
    assert feed.read(10, 0.0) == b"one\n"
    assert feed.read(10, 0.0) is None
    feed.wait(0.0, 0.0)  # from here on the directory is watched
    started = time.monotonic()
    writer = threading.Thread(target=append, args=(log, b"two\n"))
    writer.start()

    while feed.look(0.0) == 0:
        feed.wait(10.0, 0.0)
    writer.join()

    assert time.monotonic() - started < 9.0
    assert feed.read(10, 0.0) == b"two\n"


def test_a_missing_file_is_told_once_at_info(tmp_path, caplog):
    caplog.set_level(logging.INFO)

    feed = FileFeed(FollowSpec(str(tmp_path / "later.log")), now=0.0)
    for now in range(10):
        assert feed.read(10, float(now)) is None
    feed.close()

    assert [(r.levelname, r.getMessage().split("/")[-1]) for r in caplog.records] == [
        ("INFO", "later.log does not exist yet, waiting for it")
    ]


def test_the_first_loss_is_told_at_once_and_the_sum_of_all_at_the_end(feed, log, caplog):
    """T7: bytes that were truncated away before they could be read."""
    assert feed.read(1, 0.0) == b"o"
    for now in (20.0, 40.0, 60.0):
        os.truncate(log, 0)
        feed.look(now)
        append(log, b"%d, a line\n" % now)
        feed.look(now + 1)
        assert feed.read(1, now + 2) is not None

    assert len([r for r in caplog.records if "gone before they could be read" in r.getMessage()]) == 1
    feed.close()
    feed.close()

    sums = [r.getMessage() for r in caplog.records if "losses" in r.getMessage()]
    assert len(sums) == 1
    assert "train.log: 3 losses" in sums[0]


def test_close_gives_every_descriptor_back(log):
    before = len(os.listdir("/proc/self/fd"))
    feed = FileFeed(FollowSpec(str(log)), now=0.0)
    feed.read(10, 0.0)
    feed.wait(0.0, 0.0)

    feed.close()
    feed.close()

    assert len(os.listdir("/proc/self/fd")) == before
