"""Times of lines that say none."""

from __future__ import annotations

from datetime import UTC, datetime

from logstreamer.lines import Annotator, RawLine

WRITTEN = datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()


def times(arrived: float | None, *texts: str) -> list[float | None]:
    """Of lines that arrived together."""
    annotator = Annotator(arrivals=[(arrived, 0)] if arrived is not None else ())
    return [annotator.line(RawLine(n, n + 1, text.encode())).time for n, text in enumerate(texts)]


def test_of_what_came_at_once_the_arrival_counts():
    """Closer than the last line that said a time, which may be long ago."""
    assert times(WRITTEN + 50, "2026-01-31T12:00:00Z a", "b") == [WRITTEN, WRITTEN + 50]


def test_of_what_came_late_the_line_above_counts():
    """It stays with its neighbours, in a merge and for --since."""
    lines = ("b", "2026-01-31T12:00:00Z a", "b", "2026-01-31T12:00:09Z c", "", "d")
    late = WRITTEN + 7200

    assert times(late, *lines) == [late, WRITTEN, WRITTEN, WRITTEN + 9, WRITTEN + 9, WRITTEN + 9]


def test_without_an_arrival_nothing_is_made_up():
    """The site's receiver was an older one."""
    assert times(None, "2026-01-31T12:00:00Z a", "b") == [WRITTEN, None]


def test_a_glance_leaves_no_trace():
    """A line that is not whole yet is given again."""
    annotator = Annotator(arrivals=[(WRITTEN + 7200, 0)])
    annotator.glance(RawLine(0, 1, b"2026-01-31T12:00:00Z"))

    assert annotator.line(RawLine(0, 1, b"a")).time == WRITTEN + 7200
