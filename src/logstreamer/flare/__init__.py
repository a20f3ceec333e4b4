"""logstreamer inside NVIDIA FLARE: everything that names nvflare.

`JobLogStreamer`, `JobLogReceiver` and `SiteLogStreamer` are the widgets that jobs and sites declare,
`enable_log_streaming` puts them into a job or recipe. They are imported when first used, because they need nvflare (the
extra `flare`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logstreamer.flare.job_log_receiver import JobLogReceiver
    from logstreamer.flare.job_log_streamer import JobLogStreamer
    from logstreamer.flare.live_logs import enable_log_streaming
    from logstreamer.flare.site_log_streamer import SiteLogStreamer

_HOMES = {
    "JobLogReceiver": "logstreamer.flare.job_log_receiver",
    "JobLogStreamer": "logstreamer.flare.job_log_streamer",
    "SiteLogStreamer": "logstreamer.flare.site_log_streamer",
    "enable_log_streaming": "logstreamer.flare.live_logs",
}

__all__ = ["JobLogReceiver", "JobLogStreamer", "SiteLogStreamer", "enable_log_streaming"]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
