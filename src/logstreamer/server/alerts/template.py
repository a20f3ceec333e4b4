"""Templates: what a webhook is sent about an event."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from logstreamer.server.alerts.event import Event

TEMPLATES = ("json", "slack", "ntfy")

_NAME = re.compile(r"\{([a-z]+)\}")
_URGENT = frozenset({"dead", "failed"})
_TAGS = {"dead": "skull", "silent": "zzz", "finished": "white_check_mark", "failed": "x", "gap": "hole", "match": "mag"}


class Webhook(msgspec.Struct, frozen=True):
    """Where messages go.

    Args:
        url: may hold a secret: it is never shown.
        template: one of `TEMPLATES`.
        body: in place of the template: a tree whose texts have {names} of `values_of` in them; empty: none.
        retry_for: seconds after which a message that cannot be delivered is given up.
    """

    name: str
    url: str
    template: str = "json"
    body: dict[str, Any] = {}
    headers: dict[str, str] = {}
    retry_for: float = 86400.0

    @property
    def host(self) -> str:
        """What may be shown of the URL."""
        return urlsplit(self.url).hostname or ""


def message(webhook: Webhook, event: Event) -> tuple[str, bytes]:
    """URL and JSON body of the request that tells *webhook* of *event*."""
    if webhook.body:
        return webhook.url, _json(_filled(webhook.body, values_of(event)))
    return _MADE[webhook.template](webhook.url, event)


def values_of(event: Event) -> dict[str, Any]:
    """What can be said about *event*, as the "json" template says it."""
    site, _, rest = event.stream.partition("/")
    job, _, file = rest.partition("/")
    return {
        "id": event.id,
        "text": event.text,
        "rule": event.rule,
        "event": event.kind,
        "stream": event.stream,
        "site": site,
        "job": job,
        "file": file,
        "state": event.state,
        "detail": event.detail,
        "offset": event.offset,
        "lost": event.lost,
        "line": event.line,
        "count": event.count,
        "streams": list(event.streams or filter(None, [event.stream])),
        "total": event.total or int(bool(event.stream)),
        "at": event.at,
        "receiver": socket.gethostname(),
    }


def unknown_names(body: object) -> list[str]:
    """The {names} in a webhook's own body that stand for nothing."""
    known = values_of(Event(id="", rule="", kind="test"))
    return [name for text in _texts(body) for name in _NAME.findall(text) if name not in known]


def _plain(url: str, event: Event) -> tuple[str, bytes]:
    return url, _json(values_of(event))


def _slack(url: str, event: Event) -> tuple[str, bytes]:
    # https://docs.slack.dev/messaging/formatting-message-text: these three are the only ones that mean something.
    said = "\n".join([f"{event.rule}: {event.title}", *event.names]) if event.total else f"{event.rule}: {event.text}"
    text = said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return url, _json({"text": text})


def _ntfy(url: str, event: Event) -> tuple[str, bytes]:
    # https://docs.ntfy.sh/publish/#publish-as-json: JSON goes to the server's root, the topic is in it.
    parts = urlsplit(url)
    root, _, topic = parts.path.rstrip("/").rpartition("/")
    body = {
        "topic": unquote(topic),
        "title": event.title,
        "message": "\n".join(event.names) if event.total else event.text,
        "priority": 4 if event.kind in _URGENT else 3,
        "tags": [_TAGS.get(event.kind, "bell")],
    }
    return urlunsplit((parts.scheme, parts.netloc, f"{root}/", parts.query, "")), _json(body)


_MADE: dict[str, Callable[[str, Event], tuple[str, bytes]]] = {"json": _plain, "slack": _slack, "ntfy": _ntfy}


def changed(tree: Any, change: Callable[[str], str]) -> Any:
    """*tree* with every text in it changed."""
    if isinstance(tree, dict):
        return {key: changed(value, change) for key, value in tree.items()}
    if isinstance(tree, list):
        return [changed(value, change) for value in tree]
    return change(tree) if isinstance(tree, str) else tree


def _filled(tree: Any, values: dict[str, Any]) -> Any:
    return changed(
        tree, lambda text: _NAME.sub(lambda match: "" if values[match[1]] is None else _word(values[match[1]]), text)
    )


def _word(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _texts(tree: object) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict | list):
        for value in tree.values() if isinstance(tree, dict) else tree:
            yield from _texts(value)


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)
