"""LogStreamer: a growing file, live, from one site to others."""

from __future__ import annotations

import os
from typing import Any

from logstreamer.apis.checks import (
    check_engine,
    check_non_negative_number,
    check_positive_int,
    check_positive_number,
    default_if_unset,
)
from logstreamer.apis.context import FLContext
from logstreamer.apis.streaming import PayloadKey, StopEvent, StreamDoneCallback
from logstreamer.errors import ConfigError
from logstreamer.follow_spec import FollowSpec
from logstreamer.streamers.base import StreamerBase
from logstreamer.streamers.file_feed import FileFeed
from logstreamer.streamers.log_consumer import ChunkCallback, LogChunkConsumerFactory, dispatch_stream_done
from logstreamer.streamers.registration import check_cb_kwargs
from logstreamer.streamers.tail_producer import LogTailProducer

DEFAULT_CHUNK_SIZE = 64 * 1024
DEFAULT_CHUNK_TIMEOUT = 5.0


class LogStreamer(StreamerBase):
    """Follows a log file while it is written and gives its bytes, in order, to receivers on other sites."""

    @staticmethod
    def register_stream_processing(
        fl_ctx: FLContext,
        channel: str,
        topic: str,
        chunk_received_cb: ChunkCallback | None = None,
        stream_done_cb: StreamDoneCallback | None = None,
        idle_timeout: float = 30.0,
        **cb_kwargs: Any,
    ) -> None:
        """Receive the log streams that arrive on *channel* and *topic*.

        Args:
            fl_ctx: knows the engine.
            channel: as the sender names it.
            topic: as the sender names it.
            chunk_received_cb: `chunk_received_cb(data, stream_ctx, fl_ctx, **cb_kwargs)`, once for each chunk, in
                order. When it raises, the stream ends with EXECUTION_EXCEPTION.
            stream_done_cb: `stream_done_cb(stream_ctx, fl_ctx, **cb_kwargs)`, exactly once for each stream;
                `get_rc(stream_ctx)` tells how it ended. fl_ctx is None where no message ever came with one.
            idle_timeout: seconds without any message after which a sender is given up (>= 0); 0: never.
            **cb_kwargs: for both callbacks.

        Raises:
            TypeError: a callback cannot be called, or idle_timeout is no number.
            ConfigError: idle_timeout is negative or not finite, or a name in cb_kwargs is one the engine uses.
            RuntimeError: the engine cannot stream; its type is named.
        """
        check_cb_kwargs(cb_kwargs)
        factory = LogChunkConsumerFactory(chunk_received_cb, idle_timeout, stream_done_cb, cb_kwargs)
        check_engine(fl_ctx.get_engine()).register_stream_processing(
            channel=channel,
            topic=topic,
            factory=factory,
            stream_done_cb=dispatch_stream_done if stream_done_cb is not None else None,
            **cb_kwargs,
        )

    @staticmethod
    def stream_log(
        channel: str,
        topic: str,
        stream_ctx: dict[str, Any] | None,
        targets: list[str],
        file_name: str | os.PathLike[str],
        fl_ctx: FLContext,
        stop_event: StopEvent | None = None,
        poll_interval: float = 0.5,
        liveness_interval: float = 10.0,
        idle_timeout: float | None = None,
        chunk_size: int | None = None,
        chunk_timeout: float | None = None,
        optional: bool = False,
        secure: bool = False,
    ) -> tuple[str, Any]:
        """Send *file_name* as it grows; blocks until it was stopped or aborted and all of it has been sent.

        The file may not exist yet; rotation and truncation are followed. A stop is bounded: see `drain.Drain`.

        Args:
            channel: as the receivers registered it.
            topic: as the receivers registered it.
            stream_ctx: travels with the first message; the file's base name is put into it. None: a new one.
            targets: the receiving sites.
            file_name: the file's path.
            fl_ctx: knows the engine and the run's abort signal.
            stop_event: set it when the last line has been written; None: only the run's abort signal ends the stream.
            poll_interval: the longest time between two looks at the file, in seconds (> 0).
            liveness_interval: the longest silence before a heartbeat, in seconds (> 0).
            idle_timeout: that of the receivers if known, in seconds (>= 0), to check liveness_interval against.
            chunk_size: most bytes of one message (>= 1); None or 0: 64 KiB.
            chunk_timeout: how long the replies to one message may take, in seconds (> 0); None or 0: 5.0.
            optional: a failure is no error for the log.
            secure: the payload must be protected between the peers.

        Returns:
            (return code, result): `(OK, {target: reply})` when it went well; the result is falsy when it failed.

        Raises:
            TypeError: an argument has the wrong type; it is named.
            ConfigError: an argument has a wrong value; it is named.
            RuntimeError: the engine cannot stream; its type is named.
        """
        chunk_size = default_if_unset(chunk_size, DEFAULT_CHUNK_SIZE)
        check_positive_int("chunk_size", chunk_size)
        chunk_timeout = default_if_unset(chunk_timeout, DEFAULT_CHUNK_TIMEOUT)
        check_positive_number("chunk_timeout", chunk_timeout)
        _check_intervals(poll_interval, liveness_interval, idle_timeout)
        engine = check_engine(fl_ctx.get_engine())
        follow = FollowSpec(
            path=os.fspath(file_name),
            stop_event=stop_event,
            poll_interval=poll_interval,
            liveness_interval=liveness_interval,
            chunk_size=chunk_size,
            chunk_timeout=chunk_timeout,
        )
        # Not `or {}`: an empty dict is the caller's own too, and is filled for the caller to read.
        stream_ctx = {} if stream_ctx is None else stream_ctx
        stream_ctx[PayloadKey.FILE_NAME] = os.path.basename(follow.path)
        producer = LogTailProducer(follow, targets, FileFeed, optional)
        try:
            return engine.stream_objects(
                channel=channel,
                topic=topic,
                stream_ctx=stream_ctx,
                targets=targets,
                producer=producer,
                fl_ctx=fl_ctx,
                optional=optional,
                secure=secure,
            )
        finally:
            producer.close()


def _check_intervals(poll_interval: Any, liveness_interval: Any, idle_timeout: Any) -> None:
    check_positive_number("poll_interval", poll_interval)
    check_positive_number("liveness_interval", liveness_interval)
    if idle_timeout is None:
        return
    check_non_negative_number("idle_timeout", idle_timeout)
    if 0 < idle_timeout <= liveness_interval:
        raise ConfigError(
            f"liveness_interval ({liveness_interval} s) must be less than idle_timeout ({idle_timeout} s): "
            "the receiver would take a quiet sender for dead"
        )
