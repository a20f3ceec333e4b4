"""What every streamer can read back from a stream's context."""

from __future__ import annotations

from typing import Any

from logstreamer.apis.streaming import PayloadKey, StreamContextKey


class StreamerBase:
    """Accessors for a stream's context, the same on both sides; each gives None for what is not there."""

    @staticmethod
    def get_channel(stream_ctx: dict[str, Any]) -> str | None:
        """The channel the stream runs on; the engine puts it there."""
        return stream_ctx.get(StreamContextKey.CHANNEL)

    @staticmethod
    def get_topic(stream_ctx: dict[str, Any]) -> str | None:
        """The topic the stream runs on; the engine puts it there."""
        return stream_ctx.get(StreamContextKey.TOPIC)

    @staticmethod
    def get_rc(stream_ctx: dict[str, Any]) -> str | None:
        """How the stream ended, a `ReturnCode`; None while it runs."""
        return stream_ctx.get(StreamContextKey.RC)

    @staticmethod
    def get_file_name(stream_ctx: dict[str, Any]) -> str | None:
        """The base name of the sender's file. It comes from the peer: never use it as a path."""
        return stream_ctx.get(PayloadKey.FILE_NAME)
