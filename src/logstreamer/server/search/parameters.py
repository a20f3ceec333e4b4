"""A search's query from the parameters of its URL."""

from __future__ import annotations

from starlette.requests import Request

from logstreamer.errors import ConfigError
from logstreamer.lines import LEVELS
from logstreamer.server.answers import BadQuery, integer, number
from logstreamer.server.search.query import DEFAULT_HITS, DEFAULT_SECONDS, Query, places_of

MOST_HITS = 10_000
MOST_CONTEXT = 50
MOST_SECONDS = 300.0


def query_of(request: Request) -> Query:
    """The query in a request's parameters.

    Raises:
        BadQuery: one is missing, or is none that can be used; it is named.
    """
    parameters = request.query_params
    q = parameters.get("q", "")
    if not q:
        raise BadQuery("q is missing: what to look for")
    level = parameters.get("level", "")
    if level and level not in LEVELS:
        raise BadQuery(f"level must be one of {', '.join(LEVELS)}")
    if "" in parameters.getlist("stream"):
        raise BadQuery("stream is empty; without it all streams are searched")
    cursor = parameters.get("before", "")
    try:
        before = places_of(cursor) if cursor else None
    except ConfigError as error:
        raise BadQuery(str(error)) from None
    return Query(
        q=q,
        case=_flag(request, "case"),
        literal=_flag(request, "literal"),
        streams=tuple(parameters.getlist("stream")),
        context=integer(request, "context", 0, 0, MOST_CONTEXT),
        limit=integer(request, "limit", DEFAULT_HITS, 1, MOST_HITS),
        level=level,
        since=_real(request, "since", 0, 1e11),
        until=_real(request, "until", 0, 1e11),
        seconds=_real(request, "seconds", 0.1, MOST_SECONDS) or DEFAULT_SECONDS,
        before=before,
    )


def _flag(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "0")
    if text not in ("0", "1"):
        raise BadQuery(f"{name} must be 0 or 1")
    return text == "1"


def _real(request: Request, name: str, least: float, most: float) -> float | None:
    if name not in request.query_params:
        return None
    value = number(request, name)
    if not least <= value <= most:
        raise BadQuery(f"{name} must be a number of seconds from {least:g} to {most:g}")
    return value
