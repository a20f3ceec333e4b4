"""Event: one thing that happened to a stream, and how a person is told."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event.

    Args:
        id: the same however often it is delivered.
        kind: "dead", "silent", "finished", "failed", "gap", "match", or "test".
        stream: SITE/JOB/FILE; "" of a test.
        at: RFC 3339, when it was noticed.
        detail: for a person.
        offset: byte of the stream that it is about.
        lost: bytes that are missing there, of a gap; None: unknown how many.
        line: the text that matched.
        count: events since the last message about this stream by this rule, this one included.
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

    @property
    def text(self) -> str:
        """One sentence."""
        said = {
            "dead": f"{self.stream} is dead: {self.detail}",
            "silent": f"{self.stream} is silent: {self.detail}",
            "finished": f"{self.stream} is finished: {self.detail}",
            "failed": f"{self.stream} failed: {self.detail}",
            "gap": f"{self.stream} has a gap: {self.detail}",
            "match": f"{self.stream} says: {self.line}",
        }.get(self.kind, self.detail)
        return f"{said} (and {self.count - 1} more)" if self.count > 1 else said
