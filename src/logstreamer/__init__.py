"""Live log streaming for jobs that run at sites you do not control."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logstreamer.apis.context import FLContext, Signal
    from logstreamer.apis.outcomes import Outcomes
    from logstreamer.apis.shareable import ReturnCode, Shareable, make_reply
    from logstreamer.apis.streaming import (
        ConsumerFactory,
        ObjectConsumer,
        ObjectProducer,
        PayloadKey,
        StreamableEngine,
        StreamContext,
        StreamContextKey,
    )
    from logstreamer.engines.memory import Faults, MemoryEngine, MemoryNetwork
    from logstreamer.engines.websocket import WebSocketEngine
    from logstreamer.errors import (
        ConfigError,
        ConnectionLost,
        DiskFull,
        EngineError,
        FileChanged,
        FileShrank,
        LocalProtocolError,
        LogStreamerError,
        NameRefused,
        OffsetMismatch,
        ProtocolError,
        RemoteProtocolError,
        StoreError,
    )
    from logstreamer.streamers.file_streamer import FileStreamer
    from logstreamer.streamers.log_consumer import LogChunkConsumerFactory, dispatch_stream_done
    from logstreamer.streamers.log_streamer import LogStreamer

_HOMES = {
    "logstreamer.apis.context": ("FLContext", "Signal"),
    "logstreamer.apis.outcomes": ("Outcomes",),
    "logstreamer.apis.shareable": ("ReturnCode", "Shareable", "make_reply"),
    "logstreamer.apis.streaming": (
        "ConsumerFactory",
        "ObjectConsumer",
        "ObjectProducer",
        "PayloadKey",
        "StreamContext",
        "StreamContextKey",
        "StreamableEngine",
    ),
    "logstreamer.engines.memory": ("Faults", "MemoryEngine", "MemoryNetwork"),
    "logstreamer.engines.websocket": ("WebSocketEngine",),
    "logstreamer.errors": (
        "ConfigError",
        "ConnectionLost",
        "DiskFull",
        "EngineError",
        "FileChanged",
        "FileShrank",
        "LocalProtocolError",
        "LogStreamerError",
        "NameRefused",
        "OffsetMismatch",
        "ProtocolError",
        "RemoteProtocolError",
        "StoreError",
    ),
    "logstreamer.streamers.file_streamer": ("FileStreamer",),
    "logstreamer.streamers.log_consumer": ("LogChunkConsumerFactory", "dispatch_stream_done"),
    "logstreamer.streamers.log_streamer": ("LogStreamer",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "ConfigError",
    "ConnectionLost",
    "ConsumerFactory",
    "DiskFull",
    "EngineError",
    "FLContext",
    "Faults",
    "FileChanged",
    "FileShrank",
    "FileStreamer",
    "LocalProtocolError",
    "LogChunkConsumerFactory",
    "LogStreamer",
    "LogStreamerError",
    "MemoryEngine",
    "MemoryNetwork",
    "NameRefused",
    "ObjectConsumer",
    "ObjectProducer",
    "OffsetMismatch",
    "Outcomes",
    "PayloadKey",
    "ProtocolError",
    "RemoteProtocolError",
    "ReturnCode",
    "Shareable",
    "Signal",
    "StoreError",
    "StreamContext",
    "StreamContextKey",
    "StreamableEngine",
    "WebSocketEngine",
    "dispatch_stream_done",
    "make_reply",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `import logstreamer` and the command line's help stay quick."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
