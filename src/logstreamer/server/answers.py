"""What questions to the API look like, and answers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response

SAFE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class BadQuery(ValueError):
    """A parameter is missing or means nothing: 400."""


def answer(value: object, code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """*value* as JSON."""
    return Response(
        msgspec.json.encode(value), code, media_type="application/json", headers={**SAFE, **(headers or {})}
    )


def trouble(code: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    """One clear line."""
    return answer({"error": reason}, code, headers)


def integer(request: Request, name: str, otherwise: int, least: int, most: int = (1 << 63) - 1) -> int:
    """The whole number *name* of the query.

    Raises:
        BadQuery: it is none, or not in [least, most].
    """
    text = request.query_params.get(name)
    if text is None:
        return otherwise
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 19 and least <= int(text) <= most):
        raise BadQuery(f"{name} must be a whole number from {least} to {most}, not {text[:40]!r}")
    return int(text)


def flag(request: Request, name: str) -> bool:
    """Whether *name* is 1 in the query.

    Raises:
        BadQuery: it is neither 0 nor 1.
    """
    text = request.query_params.get(name, "0")
    if text not in ("0", "1"):
        raise BadQuery(f"{name} must be 0 or 1, not {text[:40]!r}")
    return text == "1"


def number(request: Request, name: str) -> float:
    """The number *name* of the query.

    Raises:
        BadQuery: it is missing, or not finite.
    """
    text = request.query_params.get(name, "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in text:
        raise BadQuery(f"{name} must be a number, not {text[:40]!r}")
    return value
