"""What is known about one stored stream besides its bytes: a versioned JSON file beside it.

The stored file is the truth about how many bytes there are; the sidecar says where they came from. It is written when
a run or a segment begins or ends and when the state changes, never for a chunk or a heartbeat.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Literal

import msgspec

from logstreamer.errors import StoreError
from logstreamer.store import disk

VERSION = 1
_MAX_SIZE = 64 << 20

FULL = 16 << 20
"""Bytes at which a sidecar takes no more segments (some 80,000): it is written anew for each, so it must stay small."""

Reason = Literal["start", "rotated", "truncated", "gap", "recovered"]
"""Why a segment begins; "recovered" is the store's own: the bytes were found with nothing known about them."""


class Run(msgspec.Struct, frozen=True):
    """One life of a sender.

    Args:
        start, end: offsets in the stream; end is None while the run goes on.
        began, ended: wall clock, RFC 3339, for people only.
        rc: return code of the end: OK, TIMEOUT, ...; "" where another run took over.
    """

    run: str
    start: int
    began: str
    end: int | None = None
    ended: str | None = None
    rc: str = ""
    reason: str = ""


class Segment(msgspec.Struct, frozen=True):
    """Bytes of the stream that come from one place of one source file.

    Args:
        offset, end: in the stream; end is None while it is the last and growing.
        lost: bytes known to be lost right before it; None: unknown how many; 0: none.
        digest: xxh3-128 in hex of [offset, end), once it has an end.
        at: wall clock, RFC 3339.
    """

    offset: int
    source: str
    source_offset: int
    reason: Reason
    lost: int | None = 0
    detail: str = ""
    at: str = ""
    end: int | None = None
    digest: str | None = None

    def same_start(self, other: Segment) -> bool:
        """Whether both say the same about where and why they begin."""
        return all(
            getattr(self, name) == getattr(other, name)
            for name in ("offset", "source", "source_offset", "reason", "lost", "detail")
        )


class Change(msgspec.Struct, frozen=True):
    """The stream entered a state.

    Args:
        at: wall clock, RFC 3339.
        offset: how far the copy had come, in bytes.
    """

    at: str
    state: str
    detail: str = ""
    offset: int = 0


TroubleKind = Literal["recovered", "shorter", "longer", "differs"]


class Trouble(msgspec.Struct, frozen=True):
    """Something that went wrong on this disk and stays visible.

    Args:
        kind: "recovered": the sidecar was unusable and was made anew; "shorter": the stored file is shorter than it
            was; "longer": it has bytes that no receiver wrote; "differs": it is not what the sender sent.
        size: of the stored file when it was found, in bytes.
    """

    kind: TroubleKind
    size: int
    detail: str
    at: str


class Checked(msgspec.Struct, frozen=True):
    """How the stored file began when its sidecar was written.

    Args:
        size: so many bytes of it.
        digest: their xxh3-128 in hex.
    """

    size: int
    digest: str


class Sidecar(msgspec.Struct, frozen=True, kw_only=True):
    """The sidecar's content.

    Args:
        key: identity of the stream; "" if it is not known (it went with an unusable sidecar).
        writer: the receiver that wrote it; its state is believed while that one runs.
        size: of the stored file when this was written, in bytes; the file itself has usually grown since.
        digest: xxh3-128 in hex of the whole file, once finished.
        checked: until then, of as much of it as had been seen by a receiver that wrote it.
        runs_dropped: how many older ones are not kept any more.
        history: the latest changes of state.
    """

    version: int = VERSION
    key: str
    state: str = "waiting"
    state_detail: str = ""
    since: str = ""
    writer: str = ""
    size: int = 0
    created: str = ""
    finished: str | None = None
    digest: str | None = None
    checked: Checked | None = None
    meta: dict[str, str] = {}
    runs: tuple[Run, ...] = ()
    runs_dropped: int = 0
    segments: tuple[Segment, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    history: tuple[Change, ...] = ()


class SidecarUnusable(StoreError):
    """The sidecar cannot be read as one.

    Attributes:
        key: of the stream, if that much could be read.
    """

    def __init__(self, reason: str, key: str = "") -> None:
        super().__init__(reason)
        self.key = key


class _Preamble(msgspec.Struct):
    version: int
    key: str = ""


# Made once, here: two threads that make one at the same moment crash the process, in msgspec 0.22 at least.
_preambles = msgspec.json.Decoder(_Preamble)
_sidecars = msgspec.json.Decoder(Sidecar)


def now() -> str:
    """The wall clock, RFC 3339 in UTC with milliseconds: for people, never for decisions."""
    return at(time.time())


def at(seconds: float) -> str:
    """*seconds* since the epoch, RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode(sidecar: Sidecar) -> bytes:
    """One line of JSON."""
    return msgspec.json.encode(sidecar) + b"\n"


def decode(raw: bytes) -> Sidecar:
    """The sidecar in *raw*.

    Raises:
        SidecarUnusable: torn, empty, of a future version, or at odds with itself.
    """
    if not raw.strip(b"\0 \n"):
        raise SidecarUnusable("it is empty")
    try:
        preamble = _preambles.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SidecarUnusable(f"it is torn: {error}") from error
    if preamble.version != VERSION:
        raise SidecarUnusable(f"it has version {preamble.version}, this program knows {VERSION}", preamble.key)
    try:
        sidecar = _sidecars.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SidecarUnusable(f"it is damaged: {error}", preamble.key) from error
    if not _consistent(sidecar):
        raise SidecarUnusable("its segments or runs contradict each other", sidecar.key)
    return sidecar


def _consistent(sidecar: Sidecar) -> bool:
    """Segments cover the file from 0 without holes, only the last is open, and no run begins before its predecessor."""
    position: int | None = 0
    for segment in sidecar.segments:
        if position is None or segment.offset != position or segment.source_offset < 0:
            return False
        if segment.end is not None and segment.end < segment.offset:
            return False
        position = segment.end
    starts = [run.start for run in sidecar.runs]
    return starts == sorted(starts) and all(start >= 0 for start in starts)


def load(name: str, dir_fd: int) -> Sidecar:
    """Read the sidecar *name*.

    Raises:
        FileNotFoundError: there is none.
        SidecarUnusable: as from `decode`, or it is unreasonably large.
        NameRefused: a link lies at its place.
    """
    fd = disk.open_file(name, os.O_RDONLY, dir_fd)
    with os.fdopen(fd, "rb") as file:
        raw = file.read(_MAX_SIZE + 1)
    if len(raw) > _MAX_SIZE:
        raise SidecarUnusable(f"it is larger than {_MAX_SIZE >> 20} MiB")
    return decode(raw)
