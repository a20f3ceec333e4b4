"""Callbacks that remember, and a sender that runs beside the test."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any

from logstreamer.apis.context import FLContext, Signal
from logstreamer.streamers import LogStreamer

PATIENCE = 20.0
"""Seconds after which a test is taken to hang; nothing waits that long when all is well."""


class Recorder:
    """What the callbacks of one registration were called with."""

    def __init__(self) -> None:
        self.chunks: list[tuple[bytes, dict[str, Any], FLContext, dict[str, Any]]] = []
        self.done: list[tuple[dict[str, Any], FLContext | None, dict[str, Any]]] = []
        self._changed = threading.Condition()

    def on_chunk(self, data: bytes, stream_ctx: dict[str, Any], fl_ctx: FLContext, **kwargs: Any) -> None:
        with self._changed:
            self.chunks.append((data, stream_ctx, fl_ctx, kwargs))
            self._changed.notify_all()

    def on_done(self, stream_ctx: dict[str, Any], fl_ctx: FLContext | None, **kwargs: Any) -> None:
        with self._changed:
            self.done.append((stream_ctx, fl_ctx, kwargs))
            self._changed.notify_all()

    def data(self, file_name: str | None = None) -> bytes:
        """All bytes received, of one file where one is named."""
        return b"".join(
            data for data, ctx, _, _ in list(self.chunks) if file_name in (None, LogStreamer.get_file_name(ctx))
        )

    def rcs(self) -> list[str | None]:
        """How the streams ended, in that order."""
        return [LogStreamer.get_rc(ctx) for ctx, _, _ in list(self.done)]

    def wait(self, condition: Callable[[], bool]) -> None:
        """Until *condition* holds; it is looked at after each callback."""
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE), f"got {self.data()[-200:]!r}, {self.rcs()}"

    def wait_for_data(self, data: bytes) -> None:
        """Until exactly *data* was received."""
        self.wait(lambda: self.data() == data)

    def wait_for_done(self, count: int = 1) -> None:
        """Until *count* streams have ended."""
        self.wait(lambda: len(self.done) >= count)


class LiveLog:
    """A log file and the `stream_log` call that follows it, in a thread; leaving the block stops it."""

    def __init__(self, engine: Any, path: Path, targets: tuple[str, ...] = ("server",), **arguments: Any) -> None:
        self.path = path
        self.stop_event = threading.Event()
        self.abort = Signal()
        self.stream_ctx: dict[str, Any] = {}
        self._result: Future[tuple[str, Any]] = Future()
        self._arguments = {
            "channel": "logs",
            "topic": "train",
            "stream_ctx": self.stream_ctx,
            "targets": list(targets),
            "file_name": str(path),
            "fl_ctx": engine.new_context(job_id="job-7", abort_signal=self.abort),
            "stop_event": self.stop_event,
            "poll_interval": 0.01,
            **arguments,
        }
        self._thread = threading.Thread(target=self._run, daemon=True)

    def write(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def stop(self) -> tuple[str, Any]:
        """Set the stop event and return what `stream_log` returns."""
        self.stop_event.set()
        return self.result()

    def result(self) -> tuple[str, Any]:
        return self._result.result(PATIENCE)

    def _run(self) -> None:
        try:
            self._result.set_result(LogStreamer.stream_log(**self._arguments))
        except BaseException as error:  # noqa: BLE001 - for the test to see
            self._result.set_exception(error)

    def __enter__(self) -> LiveLog:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_event.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
