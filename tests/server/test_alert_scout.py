"""Patterns of rules in what arrives: every line once, as soon as it is whole, or nothing follows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from logstreamer.server.alerts import scout as scouts
from logstreamer.server.alerts.ledger import Known
from logstreamer.server.alerts.rules import Rule
from logstreamer.server.alerts.scout import Scout
from logstreamer.store.follow import Reader
from server.test_alert_detector import status


class Log:
    """A stored stream that grows, and a scout that looks at it."""

    def __init__(self, path: Path, **rule: object) -> None:
        self.path = path
        self.path.write_bytes(b"")
        self.known = Known()
        self.scout = Scout(Rule(name="r", when="match", **{"pattern": "hit", **rule}), lambda _: Reader(self.path))

    def add(self, data: bytes, *, rest: bool = False, most: int = 1 << 30) -> tuple[int, str, str]:
        """Number, first and last of the lines that are found now."""
        with open(self.path, "ab") as file:
            file.write(data)
        found = self.scout.look(status(size=self.path.stat().st_size), self.known, most, rest=rest)
        return found.count, found.first.text if found.first else "", found.last.text if found.last else ""


def test_lines_are_found_once_and_whole(tmp_path):
    """A line that is not whole waits for its newline, or for nothing to follow."""
    log = Log(tmp_path / "f")

    assert log.add(b"a hit\r\nmiss\nHIT b\nhi") == (2, "a hit", "HIT b")
    assert log.add(b"t c") == (0, "", "")
    assert log.add(b"\nhit") == (1, "hit c", "hit c")
    assert log.add(b"", rest=True) == (1, "hit", "hit")
    assert log.add(b"", rest=True) == (0, "", "")
    assert log.known.offset == log.path.stat().st_size


def test_colours_case_and_level(tmp_path):
    """As a person reads the line."""
    log = Log(tmp_path / "f", pattern="ERROR: hit", case=True, level="warn")

    assert log.add(b"\x1b[31mERROR\x1b[0m: hit\nerror: hit\nINFO ERROR: hit\n") == (1, "ERROR: hit", "ERROR: hit")


@pytest.mark.parametrize("size", [1, 7, 16, 64])
def test_blocks_of_any_size_find_the_same(tmp_path, monkeypatch, size):
    """Long lines and many looks included."""
    monkeypatch.setattr(scouts, "BLOCK", size)
    log = Log(tmp_path / "f")
    text = b"".join(b"%d hit %s\n\nno\n" % (number, b"x" * (number * 5)) for number in range(20))

    total = log.add(text, most=100)[0]
    while log.known.offset < len(text):
        total += log.add(b"", most=100)[0]

    assert total == 20


def test_a_line_without_end_is_looked_at_in_pieces(tmp_path, monkeypatch):
    """And costs no more memory than one of them; what is told is bounded and holds what was found."""
    monkeypatch.setattr(scouts, "MOST_LINE", 1 << 20)
    log = Log(tmp_path / "f")

    count, first, _ = log.add(b"." * (1 << 19) + b"hit" + b"." * (3 << 20))

    assert (count, len(first)) == (1, scouts.MOST_TEXT)
    assert "hit" in first


def test_a_file_that_cannot_be_read_is_said_once_and_tried_again(tmp_path, caplog):
    """Nothing is skipped."""
    log = Log(tmp_path / "f")
    log.path.write_bytes(b"hit\n")
    log.path.rename(tmp_path / "away")
    for _ in range(3):
        assert log.scout.look(status(size=4), log.known, 100, rest=False).count == 0
    assert len(caplog.records) == 1
    (tmp_path / "away").rename(log.path)

    assert log.add(b"") == (1, "hit", "hit")
