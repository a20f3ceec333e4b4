"""A clock, a file and replies that do what the test says, for the parts that are given them."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from logstreamer.apis.context import FLContext, Signal
from logstreamer.apis.shareable import ReturnCode, Shareable, make_reply
from logstreamer.apis.streaming import PayloadKey
from logstreamer.follow_spec import FollowSpec
from logstreamer.streamers.chunk import OFFSET_HEADER
from logstreamer.streamers.tail_producer import LogTailProducer


class FakeTime:
    """A clock that moves only when somebody sleeps; `at` runs an action when it has come so far."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.slept: list[float] = []
        self._actions: list[tuple[float, int, Callable[[], Any]]] = []
        self._order = itertools.count()

    def monotonic(self) -> float:
        return self.now

    def at(self, when: float, action: Callable[[], Any]) -> None:
        heapq.heappush(self._actions, (when, next(self._order), action))

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        due = self.now + seconds
        while self._actions and self._actions[0][0] <= due:
            self.now, _, action = heapq.heappop(self._actions)
            action()
        self.now = due


class FakeFeed:
    """A file in memory."""

    def __init__(self, time: FakeTime) -> None:
        self._time = time
        self._content = b""
        self.on_read: Callable[[], Any] = lambda: None
        self.opened = 0
        self.closed = False

    def open(self, follow: FollowSpec, now: float) -> FakeFeed:
        self.opened += 1
        return self

    def write(self, data: bytes) -> None:
        self._content += data

    def read(self, limit: int, now: float) -> bytes | None:
        self.on_read()
        data, self._content = self._content[:limit], self._content[limit:]
        return data or None

    def look(self, now: float) -> int:
        return len(self._content)

    def wait(self, timeout: float, now: float) -> None:
        self._time.sleep(timeout)

    def close(self) -> None:
        self.closed = True


class TailBench(SimpleNamespace):
    """A LogTailProducer with a fake clock, a fake file and a stop that is set by assignment."""

    def __init__(self, targets: tuple[str, ...] = ("server",), optional: bool = False, **follow: Any) -> None:
        self.time = FakeTime()
        self.feed = FakeFeed(self.time)
        self.stopped = False
        self.abort = Signal()
        self.context = FLContext(abort_signal=self.abort)
        stop_event = SimpleNamespace(is_set=lambda: self.stopped)
        spec = {"path": "/var/log/train.log", "stop_event": stop_event, **follow}
        self.producer = LogTailProducer(
            FollowSpec(**spec), targets, self.feed.open, optional, self.time.monotonic, self.time.sleep
        )

    def stop(self) -> None:
        self.stopped = True

    def produce(self) -> Shareable:
        message, timeout = self.producer.produce({}, self.context)
        assert isinstance(timeout, float)
        assert timeout > 0
        return message

    def reply(self, **replies: Shareable) -> Any:
        return self.producer.process_replies(replies, {}, self.context)

    def run(self, limit: int = 10_000) -> list[Shareable]:
        """All messages up to EOF, each acknowledged."""
        messages = []
        for _ in range(limit):
            messages.append(self.produce())
            self.reply(server=acknowledged(messages[-1]))
            if messages[-1][PayloadKey.EOF]:
                return messages
        raise AssertionError(f"no EOF after {limit} messages")


def ok() -> Shareable:
    """The reply of a receiver that does not count bytes."""
    return make_reply(ReturnCode.OK)


def acknowledged(message: Shareable) -> Shareable:
    """The reply of a receiver that counts bytes and has taken *message*."""
    return make_reply(ReturnCode.OK, {OFFSET_HEADER: message.get_header(OFFSET_HEADER) + message[PayloadKey.SIZE]})


def not_ready() -> Shareable:
    return make_reply(ReturnCode.EXECUTION_EXCEPTION)


def data_of(messages: list[Shareable]) -> bytes:
    return b"".join(message[PayloadKey.DATA] or b"" for message in messages)
