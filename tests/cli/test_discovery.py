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
