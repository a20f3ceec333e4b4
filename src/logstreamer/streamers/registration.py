"""Checks of what a receiver registers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from logstreamer.errors import ConfigError

_ENGINE_NAMES = frozenset({"factory", "consumed_cb"})


def check_callback(name: str, value: Any) -> None:
    """*value* is None or can be called.

    Raises:
        TypeError: it cannot.
    """
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be callable but got {type(value).__name__}")


def check_cb_kwargs(names: Iterable[str]) -> None:
    """None of *names* is one that `StreamableEngine.register_stream_processing` would take for its own.

    Raises:
        ConfigError: one is.
    """
    if taken := _ENGINE_NAMES.intersection(names):
        raise ConfigError(f"cb_kwargs must not be named {', '.join(sorted(taken))}: the engine uses the name itself")
