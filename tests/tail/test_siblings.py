"""Which names rotation derives from a log's, and which files have them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from logstreamer.tail import siblings
from logstreamer.tail.siblings import BeingRotated, list_siblings, name_matcher


@pytest.mark.parametrize(
    "name",
    [
        "app.log.1",
        "app.log.12.gz",
        "app.log-20260101",
        "app.log-20260101.gz",
        "app.log-20260101-1767225600",
        "app.log.2026-01-01",
        "app.log.2026-01-01_12-00-00",
        "app.log.2026-01-01.3.gz",
        "app.log.old",
        "app.1.log",
        "app.2.log.gz",
        "app-2026-01-01T10-00-00.000.log",
        "app.2026-01-01.1.log",
        "app.log.20260101-000000.xz",
        "app.log.3.zst",
    ],
)
def test_rotated_names_are_recognised(name: str):
    assert name_matcher("app.log")(name)


@pytest.mark.parametrize(
    "name",
    [
        "app.log",
        "app.log.gz.1",
        "app-1.log",
        "app_1.log",
        "app1.log",
        "app.log.lock",
        "app.log.swp",
        "app.log2",
        "b.log.1",
    ],
)
def test_other_names_are_not(name: str):
    assert not name_matcher("app.log")(name)


def test_files_renamed_while_they_are_listed_are_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A rotator moves .1 to .2 and so on; a listing that sees neither name would take the file for a new one later."""
    for number in (1, 2, 3):
        (tmp_path / f"app.log.{number}").write_text(str(number))
    there = {os.stat(tmp_path / f"app.log.{number}").st_ino for number in (1, 2, 3)}
    examine, renamed = siblings._examine, []

    def rename_then_examine(path: str, *args: Any) -> Any:
        if len(renamed) < 3:  # each file once, in the moment between its name and its state being read
            renamed.append(path)
            os.rename(path, f"{path}0")
        return examine(path, *args)

    monkeypatch.setattr(siblings, "_examine", rename_then_examine)

    listing = list_siblings(str(tmp_path), "app.log")

    assert {sibling.id.inode for sibling in listing} == there


def test_a_listing_that_is_never_the_same_twice_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Four rollovers of a handler with many backups, within a few milliseconds."""
    (tmp_path / "app.log.1").write_text("1")
    examine, number = siblings._examine, 1

    def rename_then_examine(path: str, *args: Any) -> Any:
        nonlocal number
        number += 1
        os.rename(path, tmp_path / f"app.log.{number}")
        return examine(path, *args)

    monkeypatch.setattr(siblings, "_examine", rename_then_examine)

    with pytest.raises(BeingRotated):
        list_siblings(str(tmp_path), "app.log")
