"""FileStreamer: a file as it is now, once, from one site to others."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

from logstreamer.apis.checks import check_engine, check_positive_int, check_positive_number, default_if_unset
from logstreamer.apis.context import FLContext
from logstreamer.apis.streaming import PayloadKey, StreamDoneCallback
from logstreamer.errors import ConfigError
from logstreamer.streamers.base import StreamerBase
from logstreamer.streamers.file_consumer import FileConsumerFactory
from logstreamer.streamers.file_producer import FileProducer
from logstreamer.streamers.registration import check_callback, check_cb_kwargs

DEFAULT_CHUNK_SIZE = 1024 * 1024
DEFAULT_CHUNK_TIMEOUT = 5.0


class FileStreamer(StreamerBase):
    """Reads a file once to its end and gives it to receivers on other sites."""

    @staticmethod
    def register_stream_processing(
        fl_ctx: FLContext,
        channel: str,
        topic: str,
        dest_dir: str | os.PathLike[str] | None = None,
        stream_done_cb: StreamDoneCallback | None = None,
        chunk_consumed_cb: Callable[..., Any] | None = None,
        **cb_kwargs: Any,
    ) -> None:
        """Receive the files that arrive on *channel* and *topic*.

        Args:
            fl_ctx: knows the engine.
            channel: as the sender names it.
            topic: as the sender names it.
            dest_dir: where each file gets a unique name; None: the system's directory for temporary files.
            stream_done_cb: `stream_done_cb(stream_ctx, fl_ctx, **cb_kwargs)` at the end of each stream. The file is
                its own from then on. `get_file_location` is None when it did not arrive whole: then it was removed.
            chunk_consumed_cb: `chunk_consumed_cb((go_on, reply), stream_ctx, fl_ctx, **cb_kwargs)` after each message.
            **cb_kwargs: for both callbacks.

        Raises:
            TypeError: a callback cannot be called.
            ConfigError: dest_dir is no directory, or a name in cb_kwargs is one the engine uses.
            RuntimeError: the engine cannot stream; its type is named.
        """
        check_callback("stream_done_cb", stream_done_cb)
        check_callback("chunk_consumed_cb", chunk_consumed_cb)
        check_cb_kwargs(cb_kwargs)
        directory = tempfile.gettempdir() if dest_dir is None else os.fspath(dest_dir)
        if not os.path.isdir(directory):
            raise ConfigError(f"dest_dir must be a directory but got {directory!r}")
        check_engine(fl_ctx.get_engine()).register_stream_processing(
            channel=channel,
            topic=topic,
            factory=FileConsumerFactory(directory),
            stream_done_cb=stream_done_cb,
            consumed_cb=chunk_consumed_cb,
            **cb_kwargs,
        )

    @staticmethod
    def stream_file(
        channel: str,
        topic: str,
        stream_ctx: dict[str, Any] | None,
        targets: list[str],
        file_name: str | os.PathLike[str],
        fl_ctx: FLContext,
        chunk_size: int | None = None,
        chunk_timeout: float | None = None,
        optional: bool = False,
        secure: bool = False,
    ) -> tuple[str, Any]:
        """Send what *file_name* holds now; blocks until it is sent. What is appended meanwhile is not sent.

        Args:
            channel: as the receivers registered it.
            topic: as the receivers registered it.
            stream_ctx: travels with the first message; base name and size are put into it. None: a new one.
            targets: the receiving sites.
            file_name: the file's path.
            fl_ctx: knows the engine and the run's abort signal.
            chunk_size: most bytes of one message (>= 1); None or 0: 1 MiB.
            chunk_timeout: how long the replies to one message may take, in seconds (> 0); None or 0: 5.0.
            optional: a failure is no error for the log.
            secure: the payload must be protected between the peers.

        Returns:
            (return code, result): `(OK, {target: reply})` when it went well; the result is falsy when it failed.

        Raises:
            TypeError: an argument has the wrong type; it is named.
            ConfigError: an argument has a wrong value, or file_name is no file.
            RuntimeError: the engine cannot stream; its type is named.
            OSError: the file cannot be read.
            FileShrank: it became shorter while it was sent.
        """
        chunk_size = default_if_unset(chunk_size, DEFAULT_CHUNK_SIZE)
        check_positive_int("chunk_size", chunk_size)
        chunk_timeout = default_if_unset(chunk_timeout, DEFAULT_CHUNK_TIMEOUT)
        check_positive_number("chunk_timeout", chunk_timeout)
        path = os.fspath(file_name)
        if not os.path.isfile(path):
            raise ConfigError(f"file_name must be a file but got {path!r}")
        engine = check_engine(fl_ctx.get_engine())
        stream_ctx = {} if stream_ctx is None else stream_ctx
        with open(path, "rb") as file:
            # Of the open file: the path may name another one by now.
            size = os.fstat(file.fileno()).st_size
            stream_ctx[PayloadKey.FILE_NAME] = name = os.path.basename(path)
            stream_ctx[PayloadKey.FILE_SIZE] = size
            return engine.stream_objects(
                channel=channel,
                topic=topic,
                stream_ctx=stream_ctx,
                targets=targets,
                producer=FileProducer(file, name, size, targets, chunk_size, chunk_timeout, optional),
                fl_ctx=fl_ctx,
                optional=optional,
                secure=secure,
            )

    @staticmethod
    def get_file_location(stream_ctx: dict[str, Any]) -> str | None:
        """Where the received file is; None when it did not arrive whole, and on the sending side."""
        return stream_ctx.get(PayloadKey.FILE_LOCATION)

    @staticmethod
    def get_file_size(stream_ctx: dict[str, Any]) -> int | None:
        """The announced size of the file, in bytes."""
        return stream_ctx.get(PayloadKey.FILE_SIZE)
