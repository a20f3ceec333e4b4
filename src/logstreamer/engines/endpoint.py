"""Endpoint: where a receiver is, as a person writes it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from logstreamer.errors import ConfigError

INGEST_PATH = "/api/v1/ingest"
SITE_HEADER = "X-Logstreamer-Site"
SUBPROTOCOL = "logstreamer.v1"

_SCHEMES = {"http": "http", "ws": "http", "https": "https", "wss": "https"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A receiver's base URL, taken apart.

    Args:
        scheme: "http" or "https".
        netloc: host, and port where it is not the scheme's own.
        path: "" or a prefix that begins with "/", where the receiver is behind a proxy.
        token: what it asks for; "" where the URL named none.
    """

    scheme: str
    netloc: str
    path: str = ""
    token: str = ""

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Take *url* apart: http(s)://HOST[:PORT][/PREFIX][?token=TOKEN]; ws(s):// is taken too.

        Raises:
            ConfigError: it is no such URL.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"not a receiver's URL: {url!r} ({error})") from error
        if port == 0 or not url.isprintable() or " " in parts.netloc:
            what = "port 0 is no port to connect to" if port == 0 else "a space or an unprintable character in it"
            raise ConfigError(f"not a receiver's URL: {url!r} ({what})")
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise ConfigError(f"not a receiver's URL: {url!r} (expected http://HOST:PORT or https://HOST:PORT)")
        if parts.username is not None:
            raise ConfigError("a receiver's URL has no user name; give the token as ?token=TOKEN")
        token = parse_qs(parts.query).get("token", [""])[0]
        return cls(_SCHEMES[parts.scheme], parts.netloc, parts.path.rstrip("/"), token)

    def with_token(self, token: str | None) -> Endpoint:
        """The same with *token*, where one is given."""
        return replace(self, token=token) if token else self

    @property
    def is_secure(self) -> bool:
        """Whether what is sent there is encrypted."""
        return self.scheme == "https"

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        host = urlsplit(f"//{self.netloc}").hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    @property
    def ingest_url(self) -> str:
        """Where senders connect."""
        scheme = "wss" if self.is_secure else "ws"
        return urlunsplit((scheme, self.netloc, self.path + INGEST_PATH, "", ""))

    def url(self, path: str = "/") -> str:
        """The address of *path* there, without the token."""
        return urlunsplit((self.scheme, self.netloc, self.path + path, "", ""))

    @property
    def url_with_token(self) -> str:
        """What a person can open or pass on."""
        return urlunsplit((self.scheme, self.netloc, self.path + "/", urlencode({"token": self.token}), ""))

    def __str__(self) -> str:
        return self.url("").rstrip("/")
