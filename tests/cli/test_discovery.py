"""Which files the arguments mean."""

from __future__ import annotations

import os

from logstreamer.cli.discovery import Discovery
from logstreamer.cli.plan import make_plan


def test_a_link_to_itself_is_reported_and_the_other_files_are_found(tmp_path):
    (tmp_path / "a.log").write_bytes(b"a\n")
    (tmp_path / "self").symlink_to("self")
    discovery = Discovery(make_plan([str(tmp_path)]), snapshot=True)

    found = discovery.look()

    assert [os.path.basename(item.path) for item in found] == ["a.log"]
    assert [os.path.basename(path) for path, _ in discovery.remarks.unreadable] == ["self"]


def test_a_named_file_that_cannot_be_read_is_looked_at_again(tmp_path, monkeypatch):
    (tmp_path / "a.log").write_bytes(b"a\n")
    discovery = Discovery(make_plan([str(tmp_path / "a.log")]), snapshot=False)
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: False)
        assert discovery.look() == []
    assert discovery.is_waiting

    assert len(discovery.look()) == 1
    assert not discovery.is_waiting


class Following:
    """A discovery of *directory* with a clock of its own; what it finds, by base name."""

    def __init__(self, *sources):
        self.now = 0.0
        self.discovery = Discovery(
            make_plan([str(source) for source in sources]), snapshot=False, clock=lambda: self.now
        )

    def look(self):
        return sorted(os.path.basename(item.path) for item in self.discovery.look())

    def rotated(self):
        return sorted(os.path.basename(path) for path in self.discovery.remarks.rotated)


def append(path, data=b"more\n"):
    with path.open("ab") as file:
        file.write(data)


def test_a_file_that_is_named_is_sent_whatever_it_looks_like(tmp_path):
    for name in ("train.log", "train.log.1", "train.1.log"):
        (tmp_path / name).write_bytes(b"a\n")
    following = Following(tmp_path / "train.log", tmp_path / "train.log.1", tmp_path / "train.1.log")

    assert following.look() == ["train.1.log", "train.log", "train.log.1"]
    assert following.rotated() == []


def test_a_file_that_grows_beside_another_is_no_past(tmp_path):
    """`worker.2.log` may be the past of `worker.log`, until it is written to."""
    for name in ("worker.log", "worker.1.log", "worker.2.log"):
        (tmp_path / name).write_bytes(b"a\n")
    following = Following(tmp_path)
    assert following.look() == ["worker.log"]
    assert following.rotated() == ["worker.1.log", "worker.2.log"]

    append(tmp_path / "worker.2.log")
    assert following.look() == []
    following.now = 10.0

    assert following.look() == ["worker.2.log"]
    assert following.rotated() == []
    assert following.look() == []


def test_the_past_of_a_followed_file_stays_its_past_while_its_writer_goes_on(tmp_path):
    """A writer that was not told of the rotation writes to the file that was followed: the follower reads it."""
    log = tmp_path / "app.log"
    log.write_bytes(b"a\n")
    following = Following(tmp_path)
    assert following.look() == ["app.log"]
    log.rename(tmp_path / "app.log.1")
    log.write_bytes(b"b\n")
    assert following.look() == []

    for following.now in (2.0, 4.0, 8.0):
        append(tmp_path / "app.log.1")
        assert following.look() == []


def test_what_is_no_regular_file_is_not_waited_for_but_permission_is(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "a.log").write_bytes(b"a\n")
    odd, secret = Following(tmp_path / "fifo"), Following(tmp_path / "a.log")
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: False)
        assert odd.look() == secret.look() == []

    assert odd.discovery.remarks.odd == [str(tmp_path / "fifo")]
    assert not odd.discovery.awaits_permission
    assert secret.discovery.awaits_permission
    assert secret.look() == ["a.log"]
    assert not secret.discovery.awaits_permission
