"""What may go wrong below NVFlare's ObjectStreamer, at the side that sends, again and again until it is mended."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

from nvflare.apis.shareable import ReturnCode, make_reply
from nvflare.private.stream_runner import TOPIC_STREAM_REQUEST, HeaderKey

PAUSES = (3, 4, 5)
"""Messages from one fault to the next, by turns: the same number each time could hit the same step of each recovery."""

Send = Callable[..., dict[str, Any]]


class Faults:
    """Stands before the cell of one site.

    Args:
        aux: NVFlare's AuxRunner of that site: what is raised below it becomes a `{}` for replies.
        kind: "no send": a send fails inside; "no reply": it fails after the message arrived; "twice": a message is
            delivered twice; "swallowed": it never arrives, though a reply (the last one) comes; "swapped": so, and it
            arrives after the next one; "unreachable": cellnet says that it found no way; "late": that no reply came in
            time, and the message did arrive.
    """

    def __init__(self, aux: Any, kind: str) -> None:
        self.count = 0
        self._pauses = itertools.cycle(PAUSES)
        self._left = next(self._pauses)
        self._send: Send = aux._send_to_cell
        self._fault = getattr(self, "_" + kind.replace(" ", "_"))
        self._held: list[dict[str, Any]] = []
        self._replies: dict[str, dict[str, Any]] = {}
        self._aux = aux
        aux._send_to_cell = self

    def mend(self) -> int:
        """No more of them; how many there were."""
        self._aux._send_to_cell = self._send
        return self.count

    def __call__(self, **message: Any) -> dict[str, Any]:
        """Send a message."""
        if message["topic"] != TOPIC_STREAM_REQUEST:
            return self._send(**message)
        transaction = message["request"].get_header(HeaderKey.TX_ID)
        self._left -= 1
        if self._left <= 0 and transaction in self._replies:
            self.count += 1
            self._left = next(self._pauses)
            replies: dict[str, Any] = self._fault(message, self._replies[transaction])
            return replies
        replies = self._send(**message)
        while self._held:
            self._send(**self._held.pop())
        self._replies[transaction] = replies
        return replies

    def _no_send(self, message: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
        raise OSError("the send failed")

    def _no_reply(self, message: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
        self._send(**message)
        raise OSError("and the reply was lost")

    def _twice(self, message: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
        self._send(**message)
        return self._send(**message)

    def _swallowed(self, message: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
        return last

    def _swapped(self, message: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
        self._held.append(message)
        return last

    def _unreachable(self, message: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
        return {target: make_reply(ReturnCode.COMMUNICATION_ERROR) for target in last}

    def _late(self, message: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
        self._send(**message)
        return {target: make_reply(ReturnCode.TIMEOUT) for target in last}


_time = time.time


def step_clock(seconds: float) -> None:
    """Let the wall clock of this process be wrong by so much."""
    time.time = (lambda: _time() + seconds) if seconds else _time
