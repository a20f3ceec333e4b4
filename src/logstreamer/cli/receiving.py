"""The receiver as a program: store, engine and API put together."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
import ssl
from contextlib import ExitStack
from dataclasses import dataclass

from logstreamer.cli.exit_codes import OK
from logstreamer.cli.limits import raise_descriptor_limit
from logstreamer.cli.output import say
from logstreamer.cli.signals import Stop
from logstreamer.engines.endpoint import Endpoint
from logstreamer.engines.websocket import WebSocketEngine
from logstreamer.errors import ConfigError, EngineError, StoreError
from logstreamer.server.alerts.rules import Config
from logstreamer.server.alerts.service import Alerts
from logstreamer.server.api import Api
from logstreamer.server.board import Board
from logstreamer.server.note import Note
from logstreamer.store.catalogue import Store
from logstreamer.store.layout import OWN_DIRECTORY
from logstreamer.store_sink import Stored


@dataclass(frozen=True, slots=True)
class Receiving:
    """One receiver, as asked for on the command line.

    Args:
        token: None makes one, which is then printed.
        alerts: what is told to whom; no rules: nothing.
    """

    host: str
    port: int
    dest: str
    idle_timeout: float
    fsync: bool
    token: str | None
    tls_cert: str | None
    tls_key: str | None
    alerts: Config

    def run(self) -> int:
        """Receive until a signal comes; return the exit code.

        Raises:
            StoreError: the destination cannot be used.
            EngineError: the address cannot be listened on.
            ConfigError: the certificate cannot be used.
        """
        raise_descriptor_limit()
        _check_host(self.host)
        _check_certificate(self.tls_cert, self.tls_key)
        with Stop() as stop, ExitStack() as ends:
            store = ends.enter_context(Store(self.dest, fsync=self.fsync))
            stored = Stored(store, idle_timeout=self.idle_timeout, sync=self.fsync)
            engine, note = self._start(stored, ends)
            self._leave(note, store.root, ends)
            self._announce(engine, store.root)
            stop.wait_until_set()
            say("stopping")
        return OK

    def _start(self, stored: Stored, ends: ExitStack) -> tuple[WebSocketEngine, Note]:
        token, instance = self.token or secrets.token_urlsafe(24), secrets.token_hex(8)
        board = Board(stored)
        alerts = self._alerts(stored, board, ends) if self.alerts.rules else None
        engine = WebSocketEngine.serve(
            "receiver",
            host=self.host,
            port=self.port,
            token=token,
            certfile=self.tls_cert,
            keyfile=self.tls_key,
            routes=Api(stored, board, token, instance, alerts).routes(),
        )
        ends.callback(engine.shutdown_streamer)

        def leave() -> None:
            board.stop()
            # Not an abort: a receiver that is restarted is no reason for any sender to give up.
            engine.receiver.leave_all()

        ends.callback(lambda: engine.pump.ask(leave))
        engine.take_other_streams(stored.open_sink)
        board.start(engine)
        if alerts is not None:
            alerts.start(engine)
        cafile = os.path.abspath(self.tls_cert) if self.tls_cert else ""
        return engine, Note(str(_reachable(engine.endpoint, "localhost")), token, instance, os.getpid(), cafile)

    def _alerts(self, stored: Stored, board: Board, ends: ExitStack) -> Alerts:
        directory = os.path.join(stored.store.root, OWN_DIRECTORY)
        alerts = Alerts(self.alerts, board, stored.store.reader, directory)
        ends.callback(alerts.stop)
        return alerts

    @staticmethod
    def _leave(note: Note, dest: str, ends: ExitStack) -> None:
        try:
            note.write(dest)
        except StoreError as error:  # a full disk, for one: receiving goes on
            say(f"warning: {error}; local commands need --from URL")
        ends.callback(note.remove, dest)

    def _announce(self, engine: WebSocketEngine, dest: str) -> None:
        endpoint = _reachable(engine.endpoint, socket.gethostname())
        if self.token is None:
            print(f"logstreamer ready at {endpoint.url_with_token}", flush=True)
        else:
            print(f"logstreamer ready at {endpoint.url()} (with the token you set)", flush=True)
        say(f"storing in {dest}; stop with Ctrl-C")
        if not endpoint.is_secure and not endpoint.is_loopback:
            say("warning: this is not encrypted: who can read the network sees logs and token; see --tls-cert")


def _reachable(endpoint: Endpoint, host: str) -> Endpoint:
    """*endpoint* with *host* in the place of an address that means "all of them"."""
    name, _, port = endpoint.netloc.rpartition(":")
    try:
        everywhere = ipaddress.ip_address(name.strip("[]")).is_unspecified
    except ValueError:
        everywhere = False
    if not everywhere:
        return endpoint
    return Endpoint(endpoint.scheme, f"{host}:{port}", endpoint.path, endpoint.token)


def _check_host(host: str) -> None:
    try:
        socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no host's name"
        raise EngineError(f"cannot listen on {host}: {reason}") from error


def _check_certificate(cert: str | None, key: str | None) -> None:
    if cert is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except ssl.SSLError as error:
        raise ConfigError(_certificate_trouble(cert, key)) from error
    except OSError as error:
        both = f"{cert} or {key}" if key else cert
        raise ConfigError(f"cannot read {both}: {error.strerror}") from error


def _certificate_trouble(cert: str, key: str | None) -> str:
    if not _has_block(cert, "CERTIFICATE"):
        return f"--tls-cert {cert} holds no certificate (PEM, -----BEGIN CERTIFICATE-----)"
    if not _has_block(key or cert, "PRIVATE KEY"):
        return f"--tls-key {key} holds no private key (PEM)" if key else f"{cert} holds no private key: give --tls-key"
    return f"the key in {key or cert} does not fit the certificate in {cert}, is encrypted, or one of them is damaged"


def _has_block(path: str, kind: str) -> bool:
    with open(path, "rb") as file:
        return f"{kind}-----".encode() in file.read(1 << 20)
