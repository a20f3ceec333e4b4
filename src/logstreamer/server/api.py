"""The receiver's HTTP API: streams, their bytes, and events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from logstreamer.server.alerts.service import Alerts, AlertsStatus
from logstreamer.server.answers import SAFE, answer, trouble
from logstreamer.server.auth import Guard, Session
from logstreamer.server.board import Board
from logstreamer.server.bodies import Health, Readiness, Streams
from logstreamer.server.event_stream import EventStream
from logstreamer.server.feeds import Feeds
from logstreamer.server.files import Files
from logstreamer.server.openapi import description
from logstreamer.server.pages import Pages
from logstreamer.server.search.endpoint import Search
from logstreamer.server.status import StreamStatus
from logstreamer.server.viewer import Viewer, Wanted, resumed
from logstreamer.store.sidecar import now
from logstreamer.store_sink import Stored

MAX_FOLLOWED = 100
"""Streams whose lines one client may follow at once."""

MAX_VIEWERS = 500


class _Anything(Convertor[str]):
    """A path with whatever in it: Starlette's own stops at a newline, and the answer would be none of ours."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anything", _Anything())

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
        self._session = Session(token)
        self._pages = Pages(self._session)
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
        self._feeds = Feeds(stored.store, board)

    def routes(self) -> list[BaseRoute]:
        """What `WebSocketEngine.serve` takes."""
        return [
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/", self.home),
            self._guarded("/static/{path:anything}", self._pages.static),
            self._guarded("/api/v1/streams", self.streams),
            self._guarded("/api/v1/streams/{path:anything}", self.stream),
            self._guarded("/api/v1/events", self.events),
            self._guarded("/api/v1/search", self._search.get),
            self._guarded("/api/v1/alerts", self.alerts),
            self._guarded("/openapi.json", self.openapi),
        ]

    def _guarded(self, path: str, endpoint: object) -> Route:
        route = Route(path, endpoint)  # type: ignore[arg-type]
        route.app = Guard(route.app, self._session)
        return route

    async def healthz(self, request: Request) -> Response:
        """Alive; says which life of the receiver this is."""
        return answer(Health("ok", self._instance))

    async def readyz(self, request: Request) -> Response:
        """Whether what should move does: 200, or 503 with the reasons. Names no stream."""
        reasons = self._board.reasons()
        status = "not ready" if reasons else "ready"
        return answer(Readiness(status, self._instance, reasons), 503 if reasons else 200)

    async def home(self, request: Request) -> Response:
        """The page; every stream in plain words for who asks for no page."""
        if "text/html" in request.headers.get("accept", "") or not self._session.is_welcome(request.scope):
            return await self._pages.home(request)
        lines = [f"{one.state:<10} {one.size:>15}  {one.path!r}\n" for one in await self._board.all()]
        return PlainTextResponse("".join(lines) or "no streams yet\n", headers=SAFE)

    async def streams(self, request: Request) -> Response:
        """Every stream with its state."""
        return answer(Streams(await self._board.all(), now()))

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
        return trouble(404, f"no stream is stored at {stored if ask is not None and stored.count('/') > 1 else path}")

    async def openapi(self, request: Request) -> Response:
        """What this API offers, as OpenAPI 3.1."""
        return answer(description())

    async def alerts(self, request: Request) -> Response:
        """Rules with their last firing, and webhooks."""
        return answer(self._alerts.status() if self._alerts is not None else AlertsStatus([], []))

    async def events(self, request: Request) -> Response:
        """Server-Sent Events: every stream and then those that change; and lines of those that `?stream=` names."""
        wanted = [Wanted.parse(text) for text in request.query_params.getlist("stream")]
        if len(wanted) > MAX_FOLLOWED:
            return trouble(400, f"at most {MAX_FOLLOWED} streams can be followed at once")
        if self._board.news.watchers >= MAX_VIEWERS:
            return trouble(503, f"{MAX_VIEWERS} viewers are watching already")
        last_id = request.headers.get("last-event-id") or request.query_params.get("last_event_id", "")
        return EventStream(Viewer(self._board, self._feeds, resumed(wanted, last_id)).events())
