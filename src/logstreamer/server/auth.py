"""Who may ask: everybody who brings the receiver's token, or the cookie that a browser was given for it."""

from __future__ import annotations

import hashlib
import hmac

from starlette.datastructures import Headers, QueryParams
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from logstreamer.engines.websocket_server import is_authorized
from logstreamer.server.answers import trouble

COOKIE = "logstreamer_session"
COOKIE_SECONDS = 30 * 86400


class Session:
    """Knows the token, and the cookie that stands for it.

    The cookie is derived from the token by a one-way function, so that who reads a browser's cookies has not got what
    senders show. Another token makes it worthless.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._value = hmac.new(token.encode(), b"logstreamer browser session", hashlib.sha256).hexdigest()

    def is_welcome(self, scope: Scope) -> bool:
        """Whether a request brings the token, as a bearer token or as ?token=TOKEN, or the cookie."""
        return (
            is_authorized(Headers(scope=scope), self._token) or self.brings_token(scope) or self._brings_cookie(scope)
        )

    def brings_token(self, scope: Scope) -> bool:
        """Whether a request brings the token in its URL."""
        offered = QueryParams(scope.get("query_string", b"")).get("token", "")
        return _same(offered, self._token)

    def give(self, response: Response, scope: Scope) -> None:
        """Put the cookie on *response*."""
        response.set_cookie(
            _name(scope),
            self._value,
            max_age=COOKIE_SECONDS,
            path="/",
            secure=scope.get("scheme") == "https",
            httponly=True,
            samesite="strict",
        )

    def _brings_cookie(self, scope: Scope) -> bool:
        return _same(HTTPConnection(scope).cookies.get(_name(scope), ""), self._value)


class Guard:
    """Lets through who is welcome, and answers 401 to others."""

    def __init__(self, app: ASGIApp, session: Session) -> None:
        self._app = app
        self._session = session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = self._app
        if not self._session.is_welcome(scope):
            app = trouble(401, "a wrong token, or none", {"WWW-Authenticate": "Bearer"})
        await app(scope, receive, send)


def _name(scope: Scope) -> str:
    """Browsers keep cookies by host, not by port: two receivers on one machine shall not put each other out."""
    _, _, port = Headers(scope=scope).get("host", "").rpartition(":")
    return f"{COOKIE}_{port}" if port.isascii() and port.isdecimal() else COOKIE


def _same(offered: str, expected: str) -> bool:
    return hmac.compare_digest(offered.encode("utf-8", "surrogateescape"), expected.encode())
