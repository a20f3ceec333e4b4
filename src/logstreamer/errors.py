"""The whole error tree.

    LogStreamerError
    ├── ConfigError (ValueError)          a setting that cannot work, found before any I/O
    ├── EngineError (RuntimeError)        an engine could not do its work
    │   ├── ConnectionLost                transient: retried by the engine, users do not see it
    │   └── StreamRefused                 a sink does not want the stream; it has said so where it should
    ├── ProtocolError
    │   ├── LocalProtocolError            our own bug: a step the state table does not allow
    │   └── RemoteProtocolError           the peer broke the protocol: abort, close, log once
    ├── FileShrank                        a snapshot's file became shorter while it was sent
    └── StoreError (OSError)              the receiver's disk
        ├── OffsetMismatch                bytes offered at another place than the end of the file
        ├── NameRefused                   a site, job or file name that is never stored
        ├── DiskFull                      no room now; nothing was kept, the call may be repeated
        └── FileChanged                   somebody else cut, grew or removed a stored file

Errors carry their facts as fields; the message is for people.
"""


class LogStreamerError(Exception):
    """Base of everything this package raises on its own account."""


class ConfigError(LogStreamerError, ValueError):
    """A setting that cannot work, found before any I/O."""


class EngineError(LogStreamerError, RuntimeError):
    """An engine could not do its work."""


class ConnectionLost(EngineError):
    """The connection to a peer ended or could not be made; the engine retries."""


class StreamRefused(EngineError):
    """A sink does not want the stream. The sender is told; at the receiver whoever refuses has said so."""


class ProtocolError(LogStreamerError):
    """The wire protocol was broken, by us or by the peer."""


class LocalProtocolError(ProtocolError):
    """Our side attempted a step that its state table does not allow: a bug here."""


class RemoteProtocolError(ProtocolError):
    """The peer sent what the protocol does not allow."""


class FileShrank(LogStreamerError):
    """A file became shorter while it was sent, so what was announced cannot be sent any more.

    Attributes:
        announced: its size when sending began, in bytes.
        available: bytes that could be read.
    """

    def __init__(self, name: str, announced: int, available: int) -> None:
        super().__init__(f"{name} was {announced} bytes long when sending began, now it ends after {available}")
        self.announced = announced
        self.available = available


class StoreError(LogStreamerError, OSError):
    """The receiver's store could not do what was asked."""


class OffsetMismatch(StoreError):
    """Bytes were offered at another offset than the end of the stored file.

    Attributes:
        expected: the durable offset, in bytes.
        got: the offset that was offered.
    """

    def __init__(self, expected: int, got: int) -> None:
        super().__init__(f"bytes offered at offset {got}, but the stored file ends at {expected}")
        self.expected = expected
        self.got = got


class NameRefused(StoreError):
    """A name that is never used as a path component.

    Attributes:
        name: the refused name.
        reason: why, in a few words.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"name {name!r} refused: {reason}")
        self.name = name
        self.reason = reason


class DiskFull(StoreError):
    """There is no room (ENOSPC, EDQUOT, EFBIG). Nothing of the bytes was kept; the same call may be repeated."""


class FileChanged(StoreError):
    """Somebody else cut, grew or removed the stored file; it takes no more bytes until it is opened again.

    Attributes:
        expected, size: how many bytes it should have, and has.
    """

    def __init__(self, path: str, expected: int, size: int) -> None:
        super().__init__(f"{path} was changed or removed by somebody else")
        self.expected = expected
        self.size = size
