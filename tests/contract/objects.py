"""A user's own producers and consumers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from logstreamer import ConsumerFactory, ObjectConsumer, ObjectProducer, ReturnCode, Shareable, make_reply


class ListProducer(ObjectProducer):
    """Sends each of *items* as one message; its final result is the list of replies."""

    def __init__(self, items: Iterable[dict[str, Any] | BaseException | None], timeout: Any = 10.0) -> None:
        self._items = list(items)
        self._timeout = timeout
        self._sent = 0
        self.replies: list[dict[str, Shareable]] = []
        self.produced = threading.Event()

    def produce(self, stream_ctx, fl_ctx):
        self.produced.set()
        if self._sent == len(self._items):
            return None, self._timeout
        item = self._items[self._sent]
        self._sent += 1
        if isinstance(item, BaseException):
            raise item
        message = item if item is None or isinstance(item, Shareable) else Shareable(item)
        return message, self._timeout

    def process_replies(self, replies, stream_ctx, fl_ctx):
        self.replies.append(replies)
        if any(reply.get_return_code() != ReturnCode.OK for reply in replies.values()):
            return False
        return self.replies if self._sent == len(self._items) else None


class EchoConsumer(ObjectConsumer):
    """Answers each message with its own content; ends after *limit* messages."""

    def __init__(self, limit: int | None = None, before: Callable[[], Any] = lambda: None) -> None:
        self._limit = limit
        self._before = before
        self.messages: list[Shareable] = []
        self.finalized: list[str] = []

    def consume(self, shareable, stream_ctx, fl_ctx):
        self._before()
        self.messages.append(shareable)
        reply = make_reply(ReturnCode.OK, {"count": len(self.messages)})
        reply.update(shareable)
        return len(self.messages) != self._limit, reply

    def finalize(self, stream_ctx, fl_ctx):
        self.finalized.append(stream_ctx["__RC__"])


class EchoFactory(ConsumerFactory):
    """One `EchoConsumer` for each stream, kept for the test to look at."""

    def __init__(self, make: Callable[..., ObjectConsumer] = EchoConsumer, **options: Any) -> None:
        self._make = make
        self._options = options
        self.consumers: list[Any] = []
        self.contexts: list[dict[str, Any]] = []
        self.returned: list[tuple[Any, Any]] = []
        self.is_returned = threading.Event()

    def get_consumer(self, stream_ctx, fl_ctx):
        self.consumers.append(self._make(**self._options))
        self.contexts.append(stream_ctx)
        return self.consumers[-1]

    def return_consumer(self, consumer, stream_ctx, fl_ctx):
        self.returned.append((consumer, list(consumer.finalized)))
        self.is_returned.set()
