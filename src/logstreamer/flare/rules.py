"""What the widgets and `flare enable` have to judge alike: names of log files, and the kill switch."""

from __future__ import annotations

import math
from typing import Any

from logstreamer.errors import ConfigError

KILL_SWITCH = "allow_log_streaming"
"""Of a site's resources.json; where it is missing, log streaming is allowed."""

CLASS_KEYS = ("path", "class_path", "name")
"""Where NVFlare looks for a component's class; the first that is there counts."""

_YES = ("true", "t", "yes", "y", "on", "1")


def is_denied(value: Any) -> bool:
    """Whether a kill switch of this *value* turns log streaming off: all does that is no clear yes."""
    if isinstance(value, str):
        return value.strip().lower() not in _YES
    return not isinstance(value, int | float) or not value or math.isnan(value)


def check_log_file_name(name: Any, what: str = "log_file_name") -> str:
    """*name*, if it names a file below the directory of a job's logs.

    Raises:
        ConfigError: it is empty, absolute, a directory, leads outside, or is no name at all.
    """
    if not isinstance(name, str):
        raise ConfigError(f"{what} must be a name but is {type(name).__name__}")
    parts = name.replace("\\", "/").split("/")
    if (parts[0] == "" and len(parts) > 1) or parts[0][1:2] == ":":
        raise ConfigError(f"{what} must be relative but got {name!r}")
    if ".." in parts:
        raise ConfigError(f"{what} must not contain '..' but got {name!r}")
    if parts[-1] in ("", ".") or "\0" in name:
        raise ConfigError(f"{what} must name a file but got {name!r}")
    return name


def class_name(component: Any) -> str:
    """The class of a *component* of a configuration, without its module; "" where it says none."""
    if not isinstance(component, dict):
        return ""
    spec = next((component[key] for key in CLASS_KEYS if key in component), "")
    return spec.rpartition(".")[2] if isinstance(spec, str) else ""
