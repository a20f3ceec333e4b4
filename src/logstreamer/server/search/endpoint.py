"""GET /api/v1/search: a worker for each search, its events passed on as they come."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from logstreamer.lines.zones import ZONE
from logstreamer.server.answers import SAFE, BadQuery, trouble
from logstreamer.server.search.parameters import query_of
from logstreamer.server.search.priority import Priority
from logstreamer.server.search.scan import Done, Progress, Target
from logstreamer.server.search.worker import Job
from logstreamer.store.follow import match
from logstreamer.store.record import StreamRecord

logger = logging.getLogger(__name__)

WORKERS = 2
"""Searches at a time;"""

PATIENCE_SECONDS = 2.0
"""one more waits so long for its turn: a page's next search may come before the last one has quite ended."""

START_SECONDS = 30.0

GRACE_SECONDS = 3.0
"""A worker that is not done so long after its time is ended."""

PING_SECONDS = 1.0
"""Most silence: a client that has left is noticed when something is sent to it."""

_progress = msgspec.json.Decoder(Progress)  # made once, see `sidecar`
_COMMAND = [sys.executable, "-P", "-m", "logstreamer.server.search.worker"]


class Search:
    """The searches of one receiver.

    Args:
        root: of its store.
        streams: asks for all records.
    """

    def __init__(self, root: str, streams: Callable[[], Awaitable[Sequence[StreamRecord]]]) -> None:
        self._root = root
        self._streams = streams
        self._turns = asyncio.Semaphore(WORKERS)

    async def get(self, request: Request) -> Response:
        """Start to search; the answer is a stream of events."""
        try:
            query = query_of(request)
        except BadQuery as error:
            return trouble(400, str(error))
        records = await self._streams()
        chosen = {record.path: record for glob in query.streams or ("",) for record in match(records, glob)}
        targets = [
            Target(path, record.size, record.modified, record.meta.get(ZONE, "")) for path, record in chosen.items()
        ]
        try:
            await asyncio.wait_for(self._turns.acquire(), PATIENCE_SECONDS)
        except TimeoutError:
            return trouble(429, f"{WORKERS} searches are running; try again when one has ended")
        worker = _Worker(self._turns.release)
        try:
            reason = await worker.start(Job(self._root, query, targets))
        except BaseException:
            worker.end()
            raise
        if reason:
            worker.end()
            return trouble(400, reason)
        headers = {**SAFE, "X-Accel-Buffering": "no"}
        return _Events(worker, query.seconds + GRACE_SECONDS, headers)


class _Events(StreamingResponse):
    """What a worker writes. The worker ends with the answer, also where the client left before the first event."""

    def __init__(self, worker: _Worker, seconds: float, headers: dict[str, str]) -> None:
        self._events = worker.events(seconds)
        super().__init__(self._events, 200, headers, media_type="text/event-stream")
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._worker.end()
            await self._events.aclose()


class _Worker:
    """One search's process.

    Args:
        ended: called when it is gone.
    """

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._reader = asyncio.StreamReader(limit=1 << 20)
        self._pipe: asyncio.BaseTransport | None = None

    async def start(self, job: Job) -> str:
        """Begin; "", or why nothing can be looked for."""
        loop = asyncio.get_running_loop()
        process, priority = await asyncio.shield(loop.run_in_executor(None, _spawn, job))
        self._process = process
        assert process.stdout is not None
        protocol = asyncio.StreamReaderProtocol(self._reader)
        self._pipe, _ = await loop.connect_read_pipe(lambda: protocol, process.stdout)
        try:
            reason = msgspec.json.decode(await asyncio.wait_for(self._reader.readline(), START_SECONDS), type=str)
        except (msgspec.DecodeError, TimeoutError):
            return "the search could not be started; the receiver's log says why"
        self._watch = loop.create_task(priority.watch())  # from now on: with the least one it might never begin
        return reason

    async def events(self, seconds: float) -> AsyncGenerator[bytes, None]:
        """What it writes, until it ends, at most for *seconds*."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        held, is_done = b"", False
        seen = _Seen()
        while not is_done:
            left = deadline - loop.time()
            try:
                block = await asyncio.wait_for(self._reader.read(256 << 10), min(PING_SECONDS, max(0.01, left)))
            except TimeoutError:
                if left <= 0:
                    break
                yield b": ping\n\n"
                continue
            if not block:
                break
            whole, _, held = (held + block).rpartition(b"\n\n")
            if whole:
                seen.note(whole)
                yield whole + b"\n\n"
                is_done = whole.rpartition(b"\n\n")[2].startswith(b"event: done\n")
        if not is_done:
            reason = "time" if loop.time() >= deadline else "failed"
            yield b"event: done\ndata: %s\n\n" % msgspec.json.encode(seen.done(reason))

    def end(self) -> None:
        """Kill it, whatever it does; a second call does nothing."""
        process, self._process = self._process, None
        if self._watch is not None:
            self._watch.cancel()
        if self._pipe is not None:
            self._pipe.close()
        if process is None:
            return
        if self._pipe is None and process.stdout is not None:
            process.stdout.close()
        process.kill()
        asyncio.get_running_loop().run_in_executor(None, process.wait).add_done_callback(lambda _: self._ended())


class _Seen:
    """What was passed on, for the end of a search that cannot say it itself."""

    def __init__(self) -> None:
        self._hits = 0
        self._progress = Progress(0, 0, 0, None)

    def note(self, frames: bytes) -> None:
        """These were passed on."""
        self._hits += frames.count(b"event: hit\n")
        _, found, rest = frames.rpartition(b"event: progress\ndata: ")
        if found:
            self._progress = _progress.decode(rest.partition(b"\n")[0])

    def done(self, reason: str) -> Done:
        """Not everything was looked at."""
        return Done(self._hits, True, self._progress.scanned, self._progress.total, reason)


def _spawn(job: Job) -> tuple[subprocess.Popen[bytes], Priority]:
    process = subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, cwd="/")
    priority = Priority(process.pid)  # from the outside, as its beginning is work as well
    assert process.stdin is not None
    try:
        with process.stdin as pipe:
            data = memoryview(msgspec.json.encode(job))
            while data:
                data = data[os.write(pipe.fileno(), data) :]
    except BrokenPipeError:
        logger.warning("a search could not be started")
    return process, priority
