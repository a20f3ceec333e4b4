"""Query: what is looked for, as a request says it."""

from __future__ import annotations

import base64
import binascii
import zlib

import msgspec

from logstreamer.errors import ConfigError

DEFAULT_HITS = 1000
DEFAULT_SECONDS = 30.0
MOST_CURSOR = 1 << 20


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for.

    Args:
        q: the pattern, see `Pattern`.
        streams: patterns of streams, see `match`; none: all.
        context: lines before and behind each hit.
        limit: most hits.
        level: the least serious one of a hit; "": any, and none.
        since, until: seconds since the epoch, of the hits' lines, the second one not included.
        seconds: how long it may take.
        before: path and offset: nothing at or behind it is looked at, and no other streams; None: everything is.
    """

    q: str
    case: bool = False
    literal: bool = False
    streams: tuple[str, ...] = ()
    context: int = 0
    limit: int = DEFAULT_HITS
    level: str = ""
    since: float | None = None
    until: float | None = None
    seconds: float = DEFAULT_SECONDS
    before: dict[str, int] | None = None


def cursor_of(places: dict[str, int]) -> str:
    """*places* as a parameter of a URL."""
    return base64.urlsafe_b64encode(zlib.compress(msgspec.msgpack.encode(places))).decode().rstrip("=")


def places_of(cursor: str) -> dict[str, int]:
    """What `cursor_of` was given.

    Raises:
        ConfigError: *cursor* is none of ours.
    """
    try:
        packed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        data = zlib.decompressobj().decompress(packed, MOST_CURSOR)
        return msgspec.msgpack.decode(data, type=dict[str, int])
    except (ValueError, binascii.Error, zlib.error, msgspec.MsgspecError):
        raise ConfigError("before is no cursor of a search") from None
