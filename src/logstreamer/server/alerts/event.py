"""Event: one thing that happened to a stream, or to many of one site at once, and how a person is told."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

SHOWN_STREAMS = 10
"""Streams of a site that are told by their names where one event has many."""

_DONE = {"dead": "dead", "silent": "silent", "finished": "finished", "failed": "failed"}


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event.

    Args:
        id: the same however often it is delivered.
        kind: "dead", "silent", "finished", "failed", "gap", "match", or "test".
        stream: SITE/JOB/FILE; "" of a test. Of many streams the first one.
        at: RFC 3339, when it was noticed.
        detail: for a person.
        offset: byte of the stream that it is about.
        lost: bytes that are missing there, of a gap; None: unknown how many.
        line: the text that matched.
        count: events since the last message about this stream by this rule, this one included; of many streams those of
            all of them.
        streams: the first ones of many; empty: it is about one.
        total: how many streams those are; 0: it is about one.
    """

    id: str
    rule: str
    kind: str
    stream: str = ""
    state: str = ""
    at: str = ""
    detail: str = ""
    offset: int | None = None
    lost: int | None = None
    line: str = ""
    count: int = 1
    streams: tuple[str, ...] = ()
    total: int = 0

    @classmethod
    def of_many(cls, events: Sequence[Event]) -> Event:
        """What happened to several streams of one site at once; one alone is told as it is."""
        if len(events) == 1:
            return events[0]
        ordered = sorted(events, key=lambda event: event.stream)
        return msgspec.structs.replace(
            ordered[0],
            count=sum(event.count for event in ordered),
            streams=tuple(event.stream for event in ordered[:SHOWN_STREAMS]),
            total=len(ordered),
        )

    @property
    def title(self) -> str:
        """A few words: the rule's name, or what happened to how many streams."""
        if not self.total:
            return self.rule
        return f"{self.stream.partition('/')[0]}: {self.total} streams {_DONE[self.kind]}"

    @property
    def names(self) -> list[str]:
        """The streams of many, without their site, and how many more there are."""
        more = self.total - len(self.streams)
        return [path.partition("/")[2] for path in self.streams] + ([f"and {more} more"] if more else [])

    @property
    def text(self) -> str:
        """One sentence."""
        if self.total:
            return f"{self.title}: {', '.join(self.names)}"
        said = {
            "dead": f"{self.stream} is dead: {self.detail}",
            "silent": f"{self.stream} is silent: {self.detail}",
            "finished": f"{self.stream} is finished: {self.detail}",
            "failed": f"{self.stream} failed: {self.detail}",
            "gap": f"{self.stream} has a gap: {self.detail}",
            "match": f"{self.stream} says: {self.line}",
        }.get(self.kind, self.detail)
        return f"{said} (and {self.count - 1} more)" if self.count > 1 else said
