"""The streaming ports of the contract: producer, consumer, factory, engine, and the keys they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

from logstreamer.apis.context import FLContext
from logstreamer.apis.shareable import Shareable

StreamContext = dict
"""A plain dict, one for each stream; it travels with the first message."""

StreamDoneCallback = Callable[..., Any]
"""`stream_done_cb(stream_ctx, fl_ctx, **cb_kwargs)`."""


class StreamContextKey:
    """Keys an engine puts into a stream's context."""

    CHANNEL = "__channel__"
    TOPIC = "__topic__"
    RC = "__RC__"
    END_STREAM = "__end_stream__"


class PayloadKey:
    """Keys of the messages and contexts of LogStreamer and FileStreamer."""

    FILE_NAME = "Streamer.file_name"
    DATA = "Streamer.data"
    SIZE = "Streamer.size"
    EOF = "Streamer.eof"
    HEARTBEAT = "LogStreamer.heartbeat"
    STREAM_DONE_CB = "LogStreamer.stream_done_cb"
    FILE_LOCATION = "FileStreamer.file_location"
    FILE_SIZE = "FileStreamer.file_size"


class ObjectProducer(ABC):
    """Makes the messages of one stream, one after the other."""

    @abstractmethod
    def produce(self, stream_ctx: dict[str, Any], fl_ctx: FLContext) -> tuple[Shareable | None, float]:
        """The next message, and how many seconds (> 0) its replies may take. A None message ends the stream."""

    @abstractmethod
    def process_replies(self, replies: dict[str, Shareable], stream_ctx: dict[str, Any], fl_ctx: FLContext) -> Any:
        """Look at the replies, by target: None to go on, anything else is the final result (falsy: failed)."""


class ObjectConsumer(ABC):
    """Takes the messages of one stream, in order."""

    @abstractmethod
    def consume(
        self, shareable: Shareable, stream_ctx: dict[str, Any], fl_ctx: FLContext
    ) -> tuple[bool, Shareable | None]:
        """Take one message: (whether the stream goes on, the reply; None means a plain OK)."""

    def finalize(self, stream_ctx: dict[str, Any], fl_ctx: FLContext | None) -> None:  # noqa: B027 - optional hook
        """Called exactly once when the stream is over, however it ended."""


class ConsumerFactory(ABC):
    """Makes one consumer for each stream."""

    @abstractmethod
    def get_consumer(self, stream_ctx: dict[str, Any], fl_ctx: FLContext) -> ObjectConsumer:
        """A new consumer; called on the first message of each stream."""

    def return_consumer(  # noqa: B027 - optional hook
        self, consumer: ObjectConsumer, stream_ctx: dict[str, Any], fl_ctx: FLContext | None
    ) -> None:
        """Take *consumer* back, after the last message of its stream."""


class IdleLimitedConsumer(ObjectConsumer):
    """A consumer that ends its stream when the sender fell silent, unless its engine keeps that clock."""

    @abstractmethod
    def take_idle_clock(self) -> float:
        """Hand the idle clock to the engine: stop our own, return the timeout in seconds (0: none).

        An engine that has a clock of its own calls this once, right after `get_consumer`.
        """


class StreamableEngine(ABC):
    """Moves streams of messages between named sites."""

    @abstractmethod
    def stream_objects(
        self,
        channel: str,
        topic: str,
        stream_ctx: dict[str, Any],
        targets: list[str],
        producer: ObjectProducer,
        fl_ctx: FLContext,
        optional: bool = False,
        secure: bool = False,
    ) -> tuple[str, Any]:
        """Send what *producer* makes to every one of *targets*; blocks until the stream is over.

        Returns:
            (return code, the producer's final result); the result is falsy when the stream failed.
        """

    @abstractmethod
    def register_stream_processing(
        self,
        channel: str,
        topic: str,
        factory: ConsumerFactory,
        stream_done_cb: StreamDoneCallback | None = None,
        consumed_cb: Callable[..., Any] | None = None,
        **cb_kwargs: Any,
    ) -> None:
        """Let *factory* make a consumer for every stream that arrives on *channel* and *topic*.

        Args:
            stream_done_cb: called once at the end of each stream, with *cb_kwargs*.
            consumed_cb: `consumed_cb((go_on, reply), stream_ctx, fl_ctx, **cb_kwargs)` after each message.
        """

    @abstractmethod
    def shutdown_streamer(self) -> None:
        """End the engine's streaming; streams under way are ended as aborted."""


class StopEvent(Protocol):
    """What stops a stream: threading.Event, or anything with the same question."""

    def is_set(self) -> bool: ...
