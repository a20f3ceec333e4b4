"""The receiving side of the WebSocket engine: an ASGI route, served by uvicorn on the engine's loop."""

from __future__ import annotations

import asyncio
import errno
import hmac
import logging
import os
import socket
import ssl
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.types import Receive, Scope, Send

from logstreamer.engines.endpoint import INGEST_PATH, SITE_HEADER, SUBPROTOCOL, Endpoint
from logstreamer.engines.inlet import Inlet
from logstreamer.engines.outbox import Outbox
from logstreamer.engines.pump import Pump
from logstreamer.errors import ConfigError, EngineError, RemoteProtocolError
from logstreamer.protocol.codec import MAX_MESSAGE
from logstreamer.receiver import Receiver

logger = logging.getLogger(__name__)

MAX_SITE = 255

UNREAD_SECONDS = 120
"""A peer that takes nothing of what is sent to it for so long is gone, and so is its connection: the page of a machine
that sleeps, for one."""


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop for a receiver: uvloop's where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class Ingest:
    """The ASGI endpoint that senders connect to.

    A connection is let in with the receiver's token; the site it speaks for is what it says in its handshake.
    """

    def __init__(self, receiver: Receiver, pump: Pump, token: str) -> None:
        self._receiver = receiver
        self._pump = pump
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        await receive()  # websocket.connect
        site = unquote(headers.get(SITE_HEADER, ""))
        if not is_authorized(headers, self._token):
            await _deny(scope, receive, send, 401, "a wrong token, or none")
        elif not (0 < len(site) <= MAX_SITE and site.isprintable()):  # it goes into our log, and into paths
            await _deny(scope, receive, send, 400, f"{SITE_HEADER} must name the site")
        else:
            offered = scope.get("subprotocols", [])
            await send(
                {
                    "type": "websocket.accept",
                    "subprotocol": SUBPROTOCOL if SUBPROTOCOL in offered else None,
                    "headers": [],
                }
            )
            await self._serve(site, receive, send)

    async def _serve(self, site: str, receive: Receive, send: Send) -> None:
        inlet = Inlet(site, self._receiver, Outbox(self._pump.now))
        writer = self._pump.spawn(_write(inlet.outbox, send))
        try:
            while (event := await receive())["type"] == "websocket.receive":
                message = event.get("bytes")
                if message is None:
                    raise RemoteProtocolError("a text message")
                inlet.receive(message)
        except RemoteProtocolError as error:
            logger.warning("site %s broke the protocol: %s", site, error)
            inlet.outbox.close()
            await writer
            await send({"type": "websocket.close", "code": 1002, "reason": str(error)[:100]})
        finally:
            inlet.lost()
            inlet.outbox.close()


async def _write(outbox: Outbox, send: Send) -> None:
    try:
        while (message := await outbox.next()) is not None:
            await send({"type": "websocket.send", "bytes": message})
    except (OSError, RuntimeError):
        outbox.close()  # the connection ended under us; the reader is told as well


async def _deny(scope: Scope, receive: Receive, send: Send, status: int, reason: str) -> None:
    if "websocket.http.response" in scope.get("extensions", {}):
        await PlainTextResponse(reason, status)(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": reason})


async def _not_offered(request: Request, error: Exception) -> Response:
    """No route takes this: the answer has the shape of the API's errors."""
    assert isinstance(error, HTTPException)
    reason = f"nothing is at {request.url.path[:200]}" if error.status_code == 404 else error.detail
    if error.status_code == 405:
        reason = f"{request.method} is not possible here, only {(error.headers or {}).get('Allow', 'GET')}"
    return _error(error.status_code, reason, error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    """A route raised *error*; uvicorn logs it."""
    return _error(500, "the receiver failed at this; its log says more")


def _error(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    safe = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return JSONResponse({"error": reason}, status, {**safe, **(headers or {})})


def is_authorized(headers: Headers, token: str) -> bool:
    """Whether a request brings *token* as its bearer token."""
    kind, _, offered = headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(offered.strip().encode(), token.encode())


class Server:
    """uvicorn with the senders' entry and whatever else the receiver offers.

    Raises:
        ConfigError: the certificate cannot be used.
        EngineError: the address cannot be listened on.
    """

    def __init__(
        self,
        receiver: Receiver,
        pump: Pump,
        token: str,
        host: str,
        port: int,
        certfile: str | None,
        keyfile: str | None,
        routes: Sequence[BaseRoute],
    ) -> None:
        app = Starlette(
            routes=[WebSocketRoute(INGEST_PATH, Ingest(receiver, pump, token)), *routes],
            exception_handlers={HTTPException: _not_offered, Exception: _failed},
        )
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=MAX_MESSAGE,
            ws_per_message_deflate=False,
            ssl_certfile=certfile,
            ssl_keyfile=keyfile,
            timeout_graceful_shutdown=2,
        )
        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"cannot use the certificate {certfile}: {error}") from error
        self._socket = _listen(host, port)
        bound = self._socket.getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        self.endpoint = Endpoint("https" if certfile else "http", f"{name}:{bound}")
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        self._server = uvicorn.Server(config)
        self._task = pump.ask(lambda: pump.spawn(self._server.serve(sockets=[self._socket])))

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        self._server.should_exit = True
        await self._task


def _is_news(record: logging.LogRecord) -> bool:
    """False for what would write tokens down, and for a sender turned away, which uvicorn takes for a fault of ours."""
    # For debugging, websockets tells each request with its headers.
    return record.levelno >= logging.INFO and "without completing handshake" not in record.getMessage()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=1024)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # inherited by each connection
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
        return listening
    except (OSError, OverflowError) as error:
        number = error.errno if isinstance(error, OSError) else None
        # create_server's own text repeats the address.
        reason = os.strerror(number) if number in errno.errorcode and number is not None else str(error)
        raise EngineError(f"cannot listen on {host}:{port}: {reason}") from error
