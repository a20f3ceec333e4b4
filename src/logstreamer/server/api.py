"""The receiver's HTTP API: streams, their bytes, and events."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from logstreamer.errors import StoreError
from logstreamer.server.auth import Guard
from logstreamer.server.board import Board
from logstreamer.server.ranges import Unsatisfiable, parse_range
from logstreamer.server.status import StreamStatus
from logstreamer.store.follow import Reader
from logstreamer.store_sink import Stored

PING_SECONDS = 10.0
"""Most silence in the stream of events, so that a lost connection shows."""

BLOCK = 256 << 10
_SAFE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Api:
    """The routes beside the senders' entry. Everything but /healthz and /readyz asks for the token.

    Args:
        instance: names this life of the receiver.
    """

    def __init__(self, stored: Stored, board: Board, token: str, instance: str) -> None:
        self._stored = stored
        self._board = board
        self._token = token
        self._instance = instance

    def routes(self) -> list[BaseRoute]:
        """What `WebSocketEngine.serve` takes."""
        return [
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            self._guarded("/", self.overview),
            self._guarded("/api/v1/streams", self.streams),
            self._guarded("/api/v1/streams/{path:path}", self.stream),
            self._guarded("/api/v1/events", self.events),
        ]

    def _guarded(self, path: str, endpoint: object) -> Route:
        route = Route(path, endpoint)  # type: ignore[arg-type]
        route.app = Guard(route.app, self._token)
        return route

    async def healthz(self, request: Request) -> Response:
        """Alive; says which life of the receiver this is."""
        return JSONResponse({"status": "ok", "instance": self._instance}, headers=_SAFE)

    async def readyz(self, request: Request) -> Response:
        """Whether what should move does: 200, or 503 with the reasons. Names no stream."""
        reasons = self._board.reasons()
        status = "not ready" if reasons else "ready"
        body = {"status": status, "instance": self._instance, "reasons": reasons}
        return _json(body, 503 if reasons else 200)

    async def overview(self, request: Request) -> Response:
        """Every stream in plain words, for who opens the receiver's URL in a browser."""
        lines = [f"{one.state:<10} {one.size:>15}  {one.path!r}\n" for one in await self._board.all()]
        return PlainTextResponse("".join(lines) or "no streams yet\n", headers=_SAFE)

    async def streams(self, request: Request) -> Response:
        """Every stream with its state."""
        return _json({"streams": await self._board.all()})

    async def stream(self, request: Request) -> Response:
        """One stream at .../SITE/JOB/FILE, or its bytes at .../SITE/JOB/FILE/bytes.

        A stored file is never also a directory, so a file that is itself called "bytes" stays in reach.
        """
        path = request.path_params["path"]
        status = await self._board.one(path)
        if status is not None:
            return _json(status)
        stored, _, last = path.rpartition("/")
        if last == "bytes" and (status := await self._board.one(stored)) is not None:
            return await self._bytes(request, status)
        return JSONResponse({"error": f"no stream is stored at {path}"}, 404, _SAFE)

    async def _bytes(self, request: Request, status: StreamStatus) -> Response:
        try:
            reader = await run_in_threadpool(self._stored.store.reader, status.path)
        except StoreError as error:
            return JSONResponse({"error": str(error)}, 404, _SAFE)
        size = reader.size()
        etag = f'"{status.digest}"' if status.digest else f'"{status.created}-{size:x}"'
        headers = {**_SAFE, "Accept-Ranges": "bytes", "ETag": etag, "Content-Type": "application/octet-stream"}
        whole = request.headers.get("if-range", etag) != etag
        try:
            part = None if whole else parse_range(request.headers.get("range", ""), size)
        except Unsatisfiable:
            reader.close()
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
        if part is None and request.headers.get("if-none-match") == etag:
            reader.close()
            return Response(status_code=304, headers=headers)
        start, end = part or (0, size)
        headers["Content-Length"] = str(end - start)
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        if request.method == "HEAD":
            reader.close()
            return Response(status_code=206 if part else 200, headers=headers)
        return StreamingResponse(_read(reader, start, end), 206 if part else 200, headers)

    async def events(self, request: Request) -> Response:
        """Server-Sent Events: `streams` with every stream at first, and then with those that changed."""
        headers = {**_SAFE, "X-Accel-Buffering": "no"}
        return StreamingResponse(self._events(), 200, headers, media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[bytes]:
        watcher = self._board.watch()
        try:
            yield _event(await self._board.all())
            while not watcher.over:
                changed = self._board.some(await watcher.next(PING_SECONDS))
                yield _event(changed) if changed else b": ping\n\n"
        finally:
            self._board.unwatch(watcher)


def _event(statuses: list[StreamStatus]) -> bytes:
    data = msgspec.json.encode({"streams": [status.brief() for status in statuses]})
    return b"event: streams\ndata: " + data + b"\n\n"


def _json(value: object, code: int = 200) -> Response:
    return Response(msgspec.json.encode(value), code, media_type="application/json", headers=_SAFE)


async def _read(reader: Reader, start: int, end: int) -> AsyncIterator[bytes]:
    """The bytes [start, end) as they are read by a worker thread: a slow client slows nobody else."""
    try:
        while start < end:
            block = await run_in_threadpool(reader.read, start, min(BLOCK, end - start))
            if not block:
                raise StoreError(f"a stored file became shorter than {end} bytes")
            yield block
            start += len(block)
    finally:
        reader.close()
