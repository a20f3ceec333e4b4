"""The WebSocket engine: one connection for each pair of site and receiver carries all their streams."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import random
import secrets
import ssl
from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from websockets.asyncio import client
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from logstreamer.apis.context import Signal
from logstreamer.engines.base import BaseEngine
from logstreamer.engines.channel import Channel
from logstreamer.engines.endpoint import SITE_HEADER, SUBPROTOCOL, Endpoint
from logstreamer.errors import ConfigError, EngineError, RemoteProtocolError
from logstreamer.protocol.backoff import Backoff
from logstreamer.protocol.codec import ENCODINGS, MAX_MESSAGE

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from logstreamer.engines.websocket_server import Server

logger = logging.getLogger(__name__)

PING_SECONDS = 10.0
"""How often an idle connection is probed, and how long an answer may take until it counts as broken."""

FIRST_RETRY, LAST_RETRY, REFUSED_RETRY = 0.1, 5.0, 30.0
"""Seconds between attempts to connect: the first pause, the longest, and the one after being turned away."""


class WebSocketEngine(BaseEngine):
    """One site on WebSocket connections: make it by `serve` at the receiver, by `connect` at a site."""

    def __init__(
        self,
        site: str,
        endpoints: Mapping[str, Endpoint],
        *,
        tls: ssl.SSLContext | None = None,
        **options: Any,
    ) -> None:
        self._endpoints = dict(endpoints)
        self._tls = tls
        self._server: Server | None = None
        self.token = ""
        super().__init__(site, **options)

    @classmethod
    def connect(
        cls,
        site: str,
        targets: Mapping[str, str],
        *,
        token: str | None = None,
        cafile: str | None = None,
        abort_signal: Signal | None = None,
    ) -> WebSocketEngine:
        """An engine that sends from *site*. Connections are made when a stream needs them, and made again.

        Args:
            targets: receivers' names and URLs; a URL may bring its own token as ?token=TOKEN.
            token: for the URLs that bring none.
            cafile: certificates (PEM) to trust instead of the system's, for https.

        Raises:
            ConfigError: a URL or the name cannot work, or a receiver has no token.
        """
        if not site:
            raise ConfigError("a site needs a name")
        endpoints = {}
        for name, url in targets.items():
            endpoint = Endpoint.parse(url)
            endpoints[name] = endpoint if endpoint.token else endpoint.with_token(token)
            if not endpoints[name].token:
                raise ConfigError(f"no token for {name} ({endpoint})")
            if not endpoints[name].token.isprintable():
                raise ConfigError(f"the token for {name} has characters that no token has, e.g. a line break")
        return cls(site, endpoints, tls=_client_tls(cafile), abort_signal=abort_signal)

    @classmethod
    def serve(
        cls,
        site: str,
        *,
        host: str = "127.0.0.1",
        port: int = 8080,
        token: str | None = None,
        certfile: str | None = None,
        keyfile: str | None = None,
        abort_signal: Signal | None = None,
        routes: Sequence[BaseRoute] = (),
    ) -> WebSocketEngine:
        """An engine that receives at *host* and *port* (0: any free one, see `url`).

        Args:
            token: what every sender has to show; None makes one, see `token`.
            certfile, keyfile: PEM files; with them the receiver speaks https.
            routes: more of the ASGI application served beside the senders' entry.

        Raises:
            ConfigError: the token is empty, or the certificate cannot be read.
            EngineError: the address cannot be listened on.
        """
        from logstreamer.engines.websocket_server import Server, new_loop

        if token is not None and not token.strip():
            raise ConfigError("the token must not be empty")
        engine = cls(site, {}, abort_signal=abort_signal, loop_factory=new_loop)
        engine.token = token or secrets.token_urlsafe(24)
        try:
            engine._server = Server(engine.receiver, engine.pump, engine.token, host, port, certfile, keyfile, routes)
        except BaseException:
            engine.shutdown_streamer()
            raise
        return engine

    @property
    def endpoint(self) -> Endpoint:
        """Where this engine receives.

        Raises:
            EngineError: it does not.
        """
        if self._server is None:
            raise EngineError("this engine does not receive")
        return self._server.endpoint.with_token(self.token)

    @property
    def url(self) -> str:
        """The receiver's URL, without its token."""
        return str(self.endpoint)

    # -- connections

    def _check_target(self, target: str, secure: bool) -> None:
        endpoint = self._endpoints.get(target)
        if endpoint is None:
            known = ", ".join(sorted(self._endpoints)) or "none"
            raise ConfigError(f"unknown target {target!r}; known: {known}")
        if secure and not endpoint.is_secure:
            raise EngineError(f"a secure stream to {target} needs https, but its URL is {endpoint}")

    def _encodings(self, target: str) -> Sequence[str]:
        return () if self._endpoints[target].is_loopback else ENCODINGS

    async def _connect(self, channel: Channel) -> None:
        backoff = Backoff(FIRST_RETRY, LAST_RETRY, random.random)
        while True:
            pause = None
            try:
                async with self._dial(self._endpoints[channel.target]) as connection:
                    backoff.reset()
                    channel.connected()
                    trouble = await _carry(connection, channel)
                channel.disconnected(trouble)
            except InvalidStatus as error:
                trouble, refused = _explain_status(error, self._endpoints[channel.target])
                if refused:
                    channel.refused(trouble)
                    pause = REFUSED_RETRY
                else:
                    channel.disconnected(trouble)
            except (OSError, InvalidHandshake, ConnectionClosed) as error:
                channel.disconnected(f"{self._endpoints[channel.target]} cannot be reached ({_reason(error)})")
            finally:
                if channel.is_connected:
                    channel.disconnected("the connection was closed")
            await channel.pause(pause or backoff.delay())

    def _dial(self, endpoint: Endpoint) -> client.connect:
        options: dict[str, Any] = {}
        if endpoint.is_secure:
            options["ssl"] = self._tls or ssl.create_default_context()
        if endpoint.is_loopback:
            options["proxy"] = None
        return client.connect(
            endpoint.ingest_url,
            additional_headers={"Authorization": f"Bearer {endpoint.token}", SITE_HEADER: quote(self.site)},
            subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]  # a NewType of str
            compression=None,  # payloads are compressed where it pays, by the codec
            max_size=MAX_MESSAGE,
            open_timeout=10,
            close_timeout=2,
            ping_interval=PING_SECONDS,
            ping_timeout=PING_SECONDS,
            logger=_Quiet(logger, {}),
            **options,
        )

    async def _wind_up(self) -> None:
        await super()._wind_up()
        if self._server is not None:
            await self._server.stop()


async def _carry(connection: client.ClientConnection, channel: Channel) -> str:
    """Carry messages both ways until the connection ends; return why it did, for a person."""
    writer = asyncio.ensure_future(_write(connection, channel))
    try:
        async for message in connection:
            if isinstance(message, str):
                raise RemoteProtocolError("a text message")
            channel.receive(message)
    except RemoteProtocolError as error:
        logger.warning("%s broke the protocol: %s", channel.target, error)
        await connection.close(1002, "protocol error")
        return f"it broke the protocol ({error})"
    except ConnectionClosed as error:
        return f"the connection broke ({_reason(error)})"
    finally:
        writer.cancel()
    return "the receiver closed the connection"


async def _write(connection: client.ClientConnection, channel: Channel) -> None:
    outbox = channel.outbox
    try:
        while (message := await outbox.next()) is not None:
            await connection.send(message)
    except ConnectionClosed:
        pass  # the reader is told as well, and says why


def _explain_status(error: InvalidStatus, endpoint: Endpoint) -> tuple[str, bool]:
    """What an HTTP answer instead of a WebSocket means: (for a person, whether we were turned away)."""
    status = error.response.status_code
    body = bytes(error.response.body or b"")[:200].decode("utf-8", "replace").strip()
    if status == 401:
        return f"{endpoint} refused us: {body or 'wrong token'} (HTTP {status})", True
    if status in (403, 404):  # 403 is what a WebSocket server answers where it has nothing
        return f"there is no logstreamer receiver at {endpoint} (HTTP {status})", True
    return f"{endpoint} answered HTTP {status}", False


def _reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError):  # an OSError too, whose number is none of the system's
        what = getattr(error, "verify_message", "") or error.reason or str(error)
        return f"its certificate cannot be trusted: {what}" if isinstance(error, ssl.SSLCertVerificationError) else what
    if isinstance(error, OSError) and error.errno is not None and error.errno in errno.errorcode:
        return os.strerror(error.errno)  # the error's own text repeats the address
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _client_tls(cafile: str | None) -> ssl.SSLContext | None:
    if cafile is None:
        return None
    try:
        return ssl.create_default_context(cafile=cafile)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"cannot use the certificates in {cafile}: {error}") from error


class _Quiet(logging.LoggerAdapter[logging.Logger]):
    """Keeps the library's line per frame out of every log: the log may be the file that is followed."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the base class's name
        return level > logging.DEBUG and super().isEnabledFor(level)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return msg, kwargs
