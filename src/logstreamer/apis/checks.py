"""Argument checks: a wrong type is a TypeError, a wrong value a ConfigError (a ValueError); both name the argument."""

from __future__ import annotations

import importlib
import math
import sys
from typing import Any

from logstreamer.apis.streaming import StreamableEngine
from logstreamer.errors import ConfigError


def check_bool(name: str, value: Any) -> None:
    """*value* is True or False: of other values, such as "no", nobody can tell what is meant."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be a bool but got {type(value).__name__}")


def check_positive_int(name: str, value: Any) -> None:
    """*value* is an int of at least 1 (a bool is no int here)."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int but got {type(value).__name__}")
    if value <= 0:
        raise ConfigError(f"{name} must be greater than 0 but got {value}")


def check_positive_number(name: str, value: Any) -> None:
    """*value* is a finite int or float above 0."""
    _check_number(name, value)
    if value <= 0:
        raise ConfigError(f"{name} must be greater than 0 but got {value}")


def check_non_negative_number(name: str, value: Any) -> None:
    """*value* is a finite int or float of at least 0."""
    _check_number(name, value)
    if value < 0:
        raise ConfigError(f"{name} must not be negative but got {value}")


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number but got {type(value).__name__}")
    if not math.isfinite(value):
        raise ConfigError(f"{name} must be a finite number but got {value}")


def default_if_unset(value: Any, default: Any) -> Any:
    """*default* for None and for the number 0, both of which mean "not given"; *value* itself otherwise."""
    is_zero = isinstance(value, int | float) and not isinstance(value, bool) and value == 0
    return default if value is None or is_zero else value


def check_engine(engine: Any) -> StreamableEngine:
    """*engine* itself, or an adapter for it, if it can stream.

    Raises:
        RuntimeError: it cannot; the type that was got is named.
    """
    if isinstance(engine, StreamableEngine):
        return engine
    # An engine of NVFlare's brings its module with it: nobody else pays for looking.
    flare = sys.modules.get("nvflare.apis.streaming")
    if flare is not None and isinstance(engine, flare.StreamableEngine):
        adapted: StreamableEngine = importlib.import_module("logstreamer.flare.engine").FlareEngine(engine)
        return adapted
    raise RuntimeError(f"engine must be StreamableEngine but got {type(engine)}")
