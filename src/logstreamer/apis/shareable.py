"""Shareable, the message of the contract, and its return codes."""

from __future__ import annotations

from typing import Any

_RETURN_CODE_HEADER = "__return_code__"


class ReturnCode:
    """Outcome of a message or of a whole stream; plain strings, so they travel."""

    OK = "OK"
    ERROR = "ERROR"
    TIMEOUT = "TIMEOUT"
    TASK_ABORTED = "TASK_ABORTED"
    EXECUTION_EXCEPTION = "EXECUTION_EXCEPTION"
    BAD_REQUEST_DATA = "BAD_REQUEST_DATA"
    COMMUNICATION_ERROR = "COMMUNICATION_ERROR"
    REFUSED = "REFUSED"
    """Of ours alone: the site does not allow this log to be streamed."""
    STOPPED = "STOPPED"
    """Of ours alone: the sender was stopped and left the stream open, to be continued."""


class Shareable(dict[str, Any]):
    """A dict with headers beside its content.

    Headers live in `headers`, apart from the items, so a payload key can never pose as a header.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.headers: dict[str, Any] = {}

    def set_header(self, key: str, value: Any) -> None:
        """Set header *key*."""
        self.headers[key] = value

    def get_header(self, key: str, default: Any = None) -> Any:
        """Header *key*, or *default*."""
        return self.headers.get(key, default)

    def set_return_code(self, rc: str) -> None:
        """Set the outcome this message reports, a `ReturnCode`."""
        self.headers[_RETURN_CODE_HEADER] = rc

    def get_return_code(self, default: str = ReturnCode.OK) -> str:
        """The outcome this message reports, or *default* where it reports none."""
        return str(self.headers.get(_RETURN_CODE_HEADER, default))

    def __repr__(self) -> str:
        return f"Shareable({super().__repr__()}, headers={self.headers!r})"


def make_reply(rc: str, headers: dict[str, Any] | None = None) -> Shareable:
    """A reply with return code *rc* and, where given, more headers."""
    reply = Shareable()
    reply.headers.update(headers or {})
    reply.set_return_code(rc)
    return reply
