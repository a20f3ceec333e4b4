"""The API's own description, OpenAPI 3.1, made from the types that it answers with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from logstreamer.lines import LEVELS
from logstreamer.server.alerts.service import AlertsStatus
from logstreamer.server.bodies import ArrivalList, Health, Place, Readiness, Streams, Trouble
from logstreamer.server.feed import LinesEvent, SkipEvent
from logstreamer.server.files import Page
from logstreamer.server.paging import MAX_LINES
from logstreamer.server.search.hits import Hit
from logstreamer.server.search.parameters import MOST_CONTEXT, MOST_HITS, MOST_SECONDS
from logstreamer.server.search.scan import Done, Progress
from logstreamer.server.status import StreamStatus
from logstreamer.server.viewer import PING_SECONDS

VERSION = "1"
MOST = (1 << 63) - 1

_BODIES = {
    "Streams": Streams, "StreamStatus": StreamStatus, "Page": Page, "Place": Place, "ArrivalList": ArrivalList,
    "AlertsStatus": AlertsStatus, "Trouble": Trouble, "Health": Health, "Readiness": Readiness,
    "LinesEvent": LinesEvent, "SkipEvent": SkipEvent, "Hit": Hit, "Progress": Progress, "Done": Done,
}  # fmt: skip

_TROUBLES = {
    400: "a parameter is missing or means nothing",
    401: "a wrong token, or none",
    404: "no such stream",
    416: "the range begins behind the end",
    429: "too many searches at once",
    503: "too many viewers at once",
}

_FLAG = {"type": "string", "enum": ["0", "1"]}
_PATH = [
    {"name": name, "in": "path", "required": True, "description": text, "schema": {"type": "string", "minLength": 1}}
    for name, text in (
        ("site", "the sender's site"),
        ("job", "its job"),
        ("file", "the file; of a kept tree with its directories, their / as it is or as %2F"),
    )
]

STREAM = "/api/v1/streams/{site}/{job}/{file}"


def description() -> dict[str, Any]:
    """The document at /openapi.json."""
    _, components = msgspec.json.schema_components(_BODIES.values(), ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "logstreamer receiver",
            "version": VERSION,
            "description": "Streams of logs: their states, bytes and lines, live and stored. Offsets are bytes of the "
            "stored file; times of lines are seconds since the epoch, other times RFC 3339 in UTC.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(),
        "components": {
            "schemas": {name: _closed(schema) for name, schema in components.items()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "query": {"type": "apiKey", "in": "query", "name": "token"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "logstreamer_session_PORT"},
            },
        },
        "security": [{"bearer": []}, {"query": []}, {"cookie": []}],
    }


def _paths() -> dict[str, Any]:
    offset, lines = _whole("offset", -1, MOST), _whole("before", 0, MAX_LINES)
    return {
        "/api/v1/streams": {"get": _operation("streams", "Every stream with its state", Streams)},
        STREAM: {"get": _operation("stream", "One stream, whole", StreamStatus, 404, parameters=_PATH)},
        f"{STREAM}/bytes": {"get": _bytes()},
        f"{STREAM}/lines": {
            "get": _operation(
                "lines",
                "Whole lines around a byte; without an offset, or at -1, those at the end",
                Page,
                400,
                404,
                parameters=[*_PATH, offset, lines, _whole("after", 0, MAX_LINES)],
            )
        },
        f"{STREAM}/at": {
            "get": _operation(
                "at",
                "Where the bytes begin that came at a time, seconds since the epoch, or later",
                Place,
                400,
                404,
                parameters=[*_PATH, {**_query("time", {"type": "number"}), "required": True}],
            )
        },
        f"{STREAM}/arrivals": {
            "get": _operation("arrivals", "When all its bytes came", ArrivalList, 404, parameters=_PATH)
        },
        "/api/v1/search": {"get": _search()},
        "/api/v1/events": {"get": _events()},
        "/api/v1/alerts": {"get": _operation("alerts", "Rules with their last firing, and webhooks", AlertsStatus)},
        "/healthz": {"get": _open(_operation("healthz", "Alive", Health))},
        "/readyz": {"get": _open(_readyz())},
        "/openapi.json": {"get": _operation("openapi", "This document", None)},
    }


def _bytes() -> dict[str, Any]:
    operation = _operation(
        "bytes",
        "The stored bytes, or a range of them",
        None,
        400,
        404,
        416,
        parameters=[*_PATH, _query("download", _FLAG)],
    )
    content: dict[str, Any] = {"application/octet-stream": {"schema": {}}}
    headers = {
        "ETag": {"schema": {"type": "string"}},
        "Accept-Ranges": {"schema": {"type": "string", "const": "bytes"}},
    }
    operation["responses"] |= {
        "200": {"description": "all of them", "content": content, "headers": headers},
        "206": {"description": "those of the Range", "content": content, "headers": headers},
        "304": {"description": "If-None-Match has the ETag"},
    }
    return operation


def _search() -> dict[str, Any]:
    seconds = {"type": "number", "minimum": 0, "maximum": 1e11}
    parameters = [
        {
            **_query("q", {"type": "string", "minLength": 1}, "an RE2 pattern; empty lines match nothing"),
            "required": True,
        },
        _query("stream", {"type": "array", "items": {"type": "string"}}, "SITE[/JOB[/FILE]] or a glob; none: all"),
        _query("case", _FLAG, "1: capitals are told apart"),
        _query("literal", _FLAG, "1: q is plain text"),
        _whole("context", 0, MOST_CONTEXT),
        _whole("limit", 1, MOST_HITS),
        _query("level", {"type": "string", "enum": list(LEVELS)}, "the least serious one"),
        _query("since", seconds),
        _query("until", seconds),
        _query("seconds", {"type": "number", "minimum": 0.1, "maximum": MOST_SECONDS}, "how long it may take"),
        _query("before", {"type": "string"}, "the cursor of the search that this one goes on from"),
    ]
    text = "Lines that match, the newest first: events `hit` (Hit), `progress` (Progress) and in the end `done` (Done)"
    operation = _operation("search", text, None, 400, 429, parameters=parameters)
    return _sse(operation, hit=Hit, progress=Progress, done=Done)


def _events() -> dict[str, Any]:
    parameters = [
        _query(
            "stream",
            {"type": "array", "items": {"type": "string"}, "maxItems": 100},
            "SITE/JOB/FILE@OFFSET: tell its lines from there; @-1: from the end",
        ),
        _query("last_event_id", {"type": "string"}, "as the header Last-Event-ID: go on exactly there"),
    ]
    kinds = "`streams` (Streams), `lines` (LinesEvent), `skip` (SkipEvent)"
    text = f"Events without end: {kinds}; at least a ping in {PING_SECONDS:.0f} s"
    operation = _operation("events", text, None, 400, 503, parameters=parameters)
    return _sse(operation, streams=Streams, lines=LinesEvent, skip=SkipEvent)


def _readyz() -> dict[str, Any]:
    operation = _operation("readyz", "Whether what should move does", Readiness)
    operation["responses"]["503"] = {**operation["responses"]["200"], "description": "it does not"}
    return operation


def _operation(
    name: str, summary: str, body: type | None, *codes: int, parameters: Iterable[dict[str, Any]] = ()
) -> dict[str, Any]:
    schema = _ref(body) if body is not None else {"type": "object"}
    responses: dict[str, Any] = {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}}
    for code in (401, *codes):
        content = {"application/json": {"schema": _ref(Trouble)}}
        responses[str(code)] = {"description": _TROUBLES[code], "content": content}
    return {"operationId": name, "summary": summary, "parameters": list(parameters), "responses": responses}


def _sse(operation: dict[str, Any], **events: type) -> dict[str, Any]:
    """Its answer is a stream of *events*; the schema is of one of them."""
    kinds = [
        {
            "type": "object",
            "properties": {
                "event": {"const": name},
                "id": {"type": "string"},
                "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": _ref(body)},
            },
            "required": ["event", "data"],
        }
        for name, body in events.items()
    ]
    operation["responses"]["200"]["content"] = {"text/event-stream": {"schema": {"oneOf": kinds}}}
    return operation


def _ref(body: type) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{body.__name__}"}


def _open(operation: dict[str, Any]) -> dict[str, Any]:
    """One that asks for no token."""
    del operation["responses"]["401"]
    return {**operation, "security": []}


def _query(name: str, schema: dict[str, Any], text: str = "") -> dict[str, Any]:
    parameter = {"name": name, "in": "query", "schema": schema}
    return {**parameter, "description": text} if text else parameter


def _whole(name: str, least: int, most: int) -> dict[str, Any]:
    return _query(name, {"type": "integer", "minimum": least, "maximum": most})


def _closed(schema: Any) -> Any:
    """*schema* that allows no fields but its own: what is not described here is not sent."""
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    if "prefixItems" in closed:  # a pair; not every tool knows the word
        closed["items"] = {"anyOf": closed.pop("prefixItems")}
    if schema.get("type") == "object" and "properties" in schema:
        closed["additionalProperties"] = False
    return closed
