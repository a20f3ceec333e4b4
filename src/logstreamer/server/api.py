"""The receiver's HTTP API: streams, their bytes, and events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from logstreamer.server.alerts.service import Alerts, AlertsStatus
from logstreamer.server.answers import SAFE, answer, trouble
from logstreamer.server.auth import Guard
from logstreamer.server.board import Board
from logstreamer.server.files import Files
from logstreamer.server.search.endpoint import Search
from logstreamer.server.status import StreamStatus
from logstreamer.store.sidecar import now
from logstreamer.store_sink import Stored

PING_SECONDS = 10.0
"""Most silence in the stream of events, so that a lost connection shows."""

Part = Callable[[Request, StreamStatus], Awaitable[Response]]


class Api:
    """The routes beside the senders' entry. Everything but /healthz and /readyz asks for the token.

    Args:
        instance: names this life of the receiver.
        alerts: those at work; None: there are none.
    """

    def __init__(self, stored: Stored, board: Board, token: str, instance: str, alerts: Alerts | None = None) -> None:
        self._stored = stored
        self._board = board
        self._token = token
        self._instance = instance
        files = Files(stored.store)
        self._parts: dict[str, Part] = {
            "bytes": files.bytes,
            "lines": files.lines,
            "at": files.at,
            "arrivals": files.arrivals,
        }
        self._search = Search(stored.store.root, board.all)
        self._alerts = alerts

    def routes(self) -> list[BaseRoute]:
        """What `WebSocketEngine.serve` takes."""
        return [
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            self._guarded("/", self.overview),
            self._guarded("/api/v1/streams", self.streams),
            self._guarded("/api/v1/streams/{path:path}", self.stream),
            self._guarded("/api/v1/events", self.events),
            self._guarded("/api/v1/search", self._search.get),
            self._guarded("/api/v1/alerts", self.alerts),
        ]

    def _guarded(self, path: str, endpoint: object) -> Route:
        route = Route(path, endpoint)  # type: ignore[arg-type]
        route.app = Guard(route.app, self._token)
        return route

    async def healthz(self, request: Request) -> Response:
        """Alive; says which life of the receiver this is."""
        return answer({"status": "ok", "instance": self._instance})

    async def readyz(self, request: Request) -> Response:
        """Whether what should move does: 200, or 503 with the reasons. Names no stream."""
        reasons = self._board.reasons()
        status = "not ready" if reasons else "ready"
        body = {"status": status, "instance": self._instance, "reasons": reasons}
        return answer(body, 503 if reasons else 200)

    async def overview(self, request: Request) -> Response:
        """Every stream in plain words, for who opens the receiver's URL in a browser."""
        lines = [f"{one.state:<10} {one.size:>15}  {one.path!r}\n" for one in await self._board.all()]
        return PlainTextResponse("".join(lines) or "no streams yet\n", headers=SAFE)

    async def streams(self, request: Request) -> Response:
        """Every stream with its state."""
        return answer({"streams": await self._board.all(), "now": now()})

    async def stream(self, request: Request) -> Response:
        """One stream at .../SITE/JOB/FILE; its /bytes, its /lines, and where it was /at a time.

        A stored file is never also a directory, so a file that is itself called "bytes" stays in reach.
        """
        path = request.path_params["path"]
        stored, _, last = path.rpartition("/")
        ask = self._parts.get(last)
        if ask is not None and (status := await self._board.one(stored)) is not None:
            return await ask(request, status)
        status = await self._board.one(path)
        if status is not None:
            return answer(status)
        return trouble(404, f"no stream is stored at {path}")

    async def alerts(self, request: Request) -> Response:
        """Rules with their last firing, and webhooks."""
        return answer(self._alerts.status() if self._alerts is not None else AlertsStatus([], []))

    async def events(self, request: Request) -> Response:
        """Server-Sent Events: `streams` with every stream at first, and then with those that changed."""
        headers = {**SAFE, "X-Accel-Buffering": "no"}
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
