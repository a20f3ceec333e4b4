"""What a log holds, and which rotated files are older than that: both of one moment, however fast it is rotated."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import NamedTuple

from logstreamer.tail.content import open_content
from logstreamer.tail.locate import Find, Past, close_all
from logstreamer.tail.siblings import BeingRotated, Sibling
from logstreamer.tail.source import Source, opening_of

_MOST_LOOKS = 3


class Moment(NamedTuple):
    """What the file at the path holds; all its siblings; those of them that are news, opened, the oldest first."""

    source: Source
    listing: list[Sibling]
    finds: list[Find]


def open_source(path: str, now: float) -> Source:
    """The file that *path* names now. Raises OSError."""
    content = open_content(path)
    try:
        return Source(content, opening_of(content, 0, "rotated"), now)
    except BaseException:
        content.close()
        raise


def look_in_between(path: str, past: Past, newest: Source | None, held: list[Source], now: float) -> Moment:
    """Open the file that *path* names now, and what it named since *newest*. Raises OSError."""
    return _settled(
        lambda: open_source(path, now), lambda at_path: past.open_news(newest, held, at_path.id), Source.close
    )


def look_before(source: Source, past: Past, held: list[Source], now: float) -> Moment:
    """What the file of *source*, which was truncated, holds now, and what it held before. Raises OSError."""
    content = source.content
    assert content is not None
    return _settled(
        lambda: Source(content, opening_of(content, 0, "truncated"), now),
        lambda successor: past.open_news_before(source, successor.look, held),
        lambda successor: None,  # the descriptor is that of *source*
    )


def _settled(
    take: Callable[[], Source],
    open_news: Callable[[Source], tuple[list[Sibling], list[Find]]],
    drop: Callable[[Source], None],
) -> Moment:
    for _ in range(_MOST_LOOKS):
        # First the text, then the siblings: a truncation after both shows, and its copy is news then.
        source, finds = take(), list[Find]()
        try:
            listing, finds = open_news(source)
            if source.holds_on():
                return Moment(source, listing, finds)
        except BaseException:
            drop(source)
            close_all(finds)
            raise
        drop(source)
        close_all(finds)
    raise BeingRotated(errno.EAGAIN, "is being truncated")
