"""RemoteSource: a receiver, asked over HTTP."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self
from urllib.parse import quote

import msgspec

from logstreamer.engines.endpoint import Endpoint
from logstreamer.errors import ConfigError, EngineError, StoreError
from logstreamer.server.status import StreamStatus
from logstreamer.store.follow import Reader

TIMEOUT = 10.0
SILENCE = 30.0
"""A stream of events without even a ping for this long is broken."""

FLOW_BYTES = 128 << 10
"""Who reads blocks of this size one after the other reads much."""

_TROUBLES = (OSError, http.client.HTTPException)


class _Streams(msgspec.Struct):
    streams: list[StreamStatus]


class _Arrivals(msgspec.Struct):
    arrivals: list[tuple[float, int]]


_streams = msgspec.json.Decoder(_Streams)
_arrivals = msgspec.json.Decoder(_Arrivals)


class RemoteSource:
    """A receiver. One connection is kept for questions, one more is opened for news."""

    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext | None) -> None:
        self._endpoint = endpoint
        self._tls = tls
        self._connection = self._connect(TIMEOUT)

    @classmethod
    def open(cls, url: str, token: str | None, cafile: str | None) -> RemoteSource:
        """The receiver at *url*; nothing is sent yet.

        Raises:
            ConfigError: no URL of a receiver, no token, or unusable certificates.
        """
        endpoint = Endpoint.parse(url)
        endpoint = endpoint if endpoint.token else endpoint.with_token(token)
        if not endpoint.token:
            raise ConfigError(f"no token for {endpoint}: give the URL as `serve` prints it, or set LOGSTREAMER_TOKEN")
        tls = None
        if endpoint.is_secure:
            try:
                tls = ssl.create_default_context(cafile=cafile)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(f"cannot use the certificates in {cafile}: {error}") from error
        return cls(endpoint, tls)

    def instance(self) -> str:
        """Which life of which receiver it is; "" if nobody answers. Needs no token."""
        try:
            answer = self._ask("/healthz")
            return str(msgspec.json.decode(answer.read(), type=dict[str, str]).get("instance", ""))
        except (EngineError, StoreError, msgspec.DecodeError):
            return ""

    def streams(self) -> list[StreamStatus]:
        """See `Source`."""
        return self._decode(self._ask("/api/v1/streams").read())

    def reader(self, path: str) -> Reader:
        """See `Source`."""
        return RemoteReader(self, path)

    def arrivals(self, path: str) -> Sequence[tuple[float, int]]:
        """See `Source`."""
        try:
            answer = self._ask(f"/api/v1/streams/{quote(path)}/arrivals")
            return _arrivals.decode(answer.read()).arrivals
        except (StoreError, msgspec.DecodeError, UnicodeDecodeError):
            return ()  # an older receiver

    def read(self, path: str, offset: int, limit: int) -> bytes:
        """Bytes of a stream; b"" beyond its end."""
        headers = {"Range": f"bytes={offset}-{offset + limit - 1}"}
        answer = self._ask(f"/api/v1/streams/{quote(path)}/bytes", headers)
        body = answer.read()
        return body if answer.status == 206 else b""

    def flow(self, path: str, offset: int) -> Flow:
        """The bytes of a stream from *offset* on, as far as it is stored now, over a connection of their own."""
        connection = self._connect(TIMEOUT)
        try:
            headers = {"Range": f"bytes={offset}-"}
            answer = self._request(connection, f"/api/v1/streams/{quote(path)}/bytes", headers, "GET")
        except StoreError:
            connection.close()
            raise
        except _TROUBLES as error:
            connection.close()
            raise self._lost(error) from error
        return Flow(connection, answer, offset, self._lost)

    def size(self, path: str) -> int:
        """Size of a stream's copy."""
        answer = self._ask(f"/api/v1/streams/{quote(path)}/bytes", method="HEAD")
        answer.read()
        return int(answer.headers.get("Content-Length", "0"))

    def news(self) -> Iterator[list[StreamStatus]]:
        """See `Source`."""
        connection = self._connect(SILENCE)
        try:
            answer = self._request(connection, "/api/v1/events", {}, "GET")
            while line := answer.readline():
                if line.startswith(b"data: "):
                    yield self._decode(line[6:])
                elif line.startswith(b":"):
                    yield []
        except _TROUBLES as error:
            raise self._lost(error) from error
        finally:
            connection.close()
        raise EngineError(f"{self._endpoint} ended the connection")

    def close(self) -> None:
        """See `Source`."""
        self._connection.close()

    # -- HTTP

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        if self._endpoint.is_secure:
            return http.client.HTTPSConnection(self._endpoint.netloc, timeout=timeout, context=self._tls)
        return http.client.HTTPConnection(self._endpoint.netloc, timeout=timeout)

    def _ask(self, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> http.client.HTTPResponse:
        """The answer, after one more try where a kept connection was gone."""
        try:
            return self._request(self._connection, path, headers or {}, method)
        except StoreError:
            raise  # an answer, although it is an OSError too
        except (ConnectionError, http.client.HTTPException):
            self._connection.close()
        except OSError as error:
            raise self._lost(error) from error
        try:
            return self._request(self._connection, path, headers or {}, method)
        except StoreError:
            raise
        except _TROUBLES as error:
            self._connection.close()
            raise self._lost(error) from error

    def _request(
        self, connection: http.client.HTTPConnection, path: str, headers: dict[str, str], method: str
    ) -> http.client.HTTPResponse:
        headers = {**headers, "Authorization": f"Bearer {self._endpoint.token}"} if path != "/healthz" else headers
        connection.request(method, self._endpoint.path + path, headers=headers)
        answer = connection.getresponse()
        if answer.status in (200, 206, 416):
            return answer
        answer.read()
        if answer.status in (401, 403):
            raise EngineError(f"{self._endpoint} refused us: a wrong token, or none (HTTP {answer.status})")
        if answer.status == 404:
            raise StoreError(f"{self._endpoint} has no {path} (HTTP 404)")
        raise EngineError(f"{self._endpoint} answered HTTP {answer.status}")

    def _lost(self, error: Exception) -> EngineError:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        return EngineError(f"{self._endpoint} cannot be reached ({reason})")

    def _decode(self, body: bytes) -> list[StreamStatus]:
        try:
            return _streams.decode(body).streams
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise EngineError(f"{self._endpoint} is no logstreamer receiver ({error})") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Flow:
    """One long answer, taken bit by bit."""

    def __init__(
        self,
        connection: http.client.HTTPConnection,
        answer: http.client.HTTPResponse,
        offset: int,
        lost: Callable[[Exception], EngineError],
    ) -> None:
        self._connection = connection
        self._answer = answer
        self._lost = lost
        self.offset = offset

    def read(self, limit: int) -> bytes:
        """At most *limit* bytes; b"" at the end."""
        try:
            block = self._answer.read(limit) if self._answer.status == 206 else b""
        except _TROUBLES as error:
            raise self._lost(error) from error
        self.offset += len(block)
        return block

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()


class RemoteReader(Reader):
    """A `Reader` whose bytes come from a receiver.

    Who reads on where he stopped gets them over one long answer instead of a question for each block.
    """

    def __init__(self, source: RemoteSource, path: str) -> None:
        super().__init__(-1)
        self._source = source
        self._path = path
        self._size = -1
        self._next = -1
        self._flow: Flow | None = None

    def size(self) -> int:
        """Bytes in the copy when this was first asked, or as far as was read since."""
        if self._size < 0:
            self._size = self._source.size(self._path)
        return self._size

    def read(self, offset: int, limit: int) -> bytes:
        """See `Reader.read`."""
        if offset < 0 or limit < 0:
            raise ValueError(f"offset {offset} and limit {limit} must not be negative")
        block = self._read(offset, limit) if limit else b""
        self._next = offset + len(block)
        self._size = max(self._size, self._next)
        return block

    def _read(self, offset: int, limit: int) -> bytes:
        if self._flow is not None and self._flow.offset != offset:
            self._end_flow()
        if self._flow is None and offset == self._next and limit >= FLOW_BYTES:
            self._flow = self._source.flow(self._path, offset)
        if self._flow is not None:
            try:
                if block := self._flow.read(limit):
                    return block
            except EngineError:
                self._end_flow()
                raise
            self._end_flow()
        return self._source.read(self._path, offset, limit)

    def _end_flow(self) -> None:
        flow, self._flow = self._flow, None
        if flow is not None:
            flow.close()

    def close(self) -> None:
        """See `Reader.close`."""
        self._end_flow()
