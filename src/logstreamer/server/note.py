"""Note: how programs on the receiver's own machine find it, and are let in."""

from __future__ import annotations

import contextlib
import os

import msgspec

from logstreamer.errors import StoreError

DIRECTORY = ".logstreamer"
FILE = "receiver.json"


class Note(msgspec.Struct, frozen=True):
    """Where the receiver of a store listens. The file is readable by its owner only: it holds the token.

    Args:
        url: without the token.
        instance: names this life of the receiver; /healthz says it too, so that a left-over note shows as one.
        cafile: the certificate to trust, "" where the system's do.
    """

    url: str
    token: str
    instance: str
    pid: int = 0
    cafile: str = ""

    def write(self, dest: str) -> None:
        """Leave the note in the store at *dest*.

        Raises:
            StoreError: it cannot be written.
        """
        path = os.path.join(dest, DIRECTORY, FILE)
        fresh = f"{path}.{os.getpid()}.tmp"
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(fresh)
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(msgspec.json.encode(self) + b"\n")
            os.replace(fresh, path)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}") from error

    @classmethod
    def read(cls, dest: str) -> Note | None:
        """The note in the store at *dest*, which may be left over; None if there is none that we may read."""
        try:
            with open(os.path.join(dest, DIRECTORY, FILE), "rb") as file:
                return _notes.decode(file.read(65536))
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None

    def remove(self, dest: str) -> None:
        """Take the note away, if it is still ours."""
        known = Note.read(dest)
        if known is not None and known.instance == self.instance:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(dest, DIRECTORY, FILE))


_notes = msgspec.json.Decoder(Note)  # made once, see `sidecar`
