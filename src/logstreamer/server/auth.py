"""Who may ask: everybody who brings the receiver's token."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers, QueryParams
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from logstreamer.engines.websocket_server import is_authorized


class Guard:
    """Lets through what brings the token: as a bearer token, or as ?token=TOKEN where a browser can set no header."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_welcome(scope):
            await self._app(scope, receive, send)
            return
        answer = JSONResponse(
            {"error": "a wrong token, or none"}, 401, {"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"}
        )
        await answer(scope, receive, send)

    def _is_welcome(self, scope: Scope) -> bool:
        offered = QueryParams(scope.get("query_string", b"")).get("token", "")
        return is_authorized(Headers(scope=scope), self._token) or hmac.compare_digest(
            offered.encode(), self._token.encode()
        )
