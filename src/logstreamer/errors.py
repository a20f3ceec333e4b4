"""The whole error tree.

    LogStreamerError
    ├── ConfigError (ValueError)          a setting that cannot work, found before any I/O
    ├── EngineError (RuntimeError)        an engine could not do its work
    │   └── ConnectionLost                transient: retried by the engine, users do not see it
    ├── ProtocolError
    │   ├── LocalProtocolError            our own bug: a step the state table does not allow
    │   └── RemoteProtocolError           the peer broke the protocol: abort, close, log once
    └── StoreError (OSError)              the receiver's disk
        ├── OffsetMismatch                bytes offered at another place than the end of the file
        └── NameRefused                   a site, job or file name that is never stored

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


class ProtocolError(LogStreamerError):
    """The wire protocol was broken, by us or by the peer."""


class LocalProtocolError(ProtocolError):
    """Our side attempted a step that its state table does not allow: a bug here."""


class RemoteProtocolError(ProtocolError):
    """The peer sent what the protocol does not allow."""


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
