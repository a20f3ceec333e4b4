"""Calls of a sink whose failures are results: they may have to cross threads, and are judged by `Inbound`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from logstreamer.errors import EngineError, StoreError
from logstreamer.protocol.frames import Abort, Data, Eof, Heartbeat, Open, Segment
from logstreamer.sinks import GO_ON, Begun, Sink, Verdict

Work = Data | Segment | Heartbeat | Eof | Abort
"""What a sink is given; Abort only tells whose turn it is to end."""

Result = TypeVar("Result")


class Runner(Protocol):
    """Runs what may block on a worker thread."""

    def submit(self, work: Callable[[], Result], then: Callable[[Result], None]) -> None:
        """Call *work* on a worker, then *then* with its result on the engine's loop."""


def _attempt(sink: Sink, job: Work, run_start: int) -> Verdict | Exception:
    """Give *job* to *sink*; what it raises is a result here, because it may have to cross threads."""
    try:
        match job:
            case Data():
                return sink.data(job)
            case Segment():
                return sink.segment(job)
            case Heartbeat():
                return sink.heartbeat(job)
            case Eof():
                return sink.eof(job, run_start)
        return GO_ON
    except BaseException as error:  # noqa: BLE001 - the user's code, or the disk: judged by `_take`
        return _as_exception(error)


def attempt_all(sink: Sink, jobs: list[Work], run_start: int) -> list[tuple[Work, Verdict | Exception]]:
    """Give *jobs* to *sink* up to the first that it does not simply take."""
    done: list[tuple[Work, Verdict | Exception]] = []
    for job in jobs:
        outcome = _attempt(sink, job, run_start)
        done.append((job, outcome))
        if isinstance(outcome, Exception) or outcome.rc is not None or outcome.again:
            break
    try:
        sink.commit()
    except StoreError as error:
        return [(jobs[0], EngineError(f"what was written may not be on the disk: {error}"))]
    return done


def begin(sink: Sink, frame: Open) -> Begun | Exception:
    try:
        return sink.begin(frame)
    except BaseException as error:  # noqa: BLE001 - the user's factory, or the disk: the sender is told
        return _as_exception(error)


def end(sink: Sink, rc: str, reason: str) -> Exception | None:
    try:
        sink.end(rc, reason)
    except BaseException as error:  # noqa: BLE001 - the disk: the run is over all the same
        return _as_exception(error)
    return None


def _as_exception(error: BaseException) -> Exception:
    """What a callback raised; its sys.exit() must end its stream, not the worker that the stream waits for."""
    return error if isinstance(error, Exception) else EngineError(f"{type(error).__name__}: {error}")
