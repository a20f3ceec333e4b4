"""Unfinished: the logs of one job whose ends its site has to send."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import stat
from collections.abc import Iterator
from urllib.parse import quote, unquote

from nvflare.apis.fl_constant import SiteType

from logstreamer.errors import ConfigError
from logstreamer.flare.rules import check_log_file_name
from logstreamer.tail.types import HEAD_SIZE, Fingerprint

DIRECTORY = ".logstreamer-unfinished"
"""In the job's directory, with a mark for each log. A site that finishes logs makes it before the job is launched."""

MOST_LOGS = 100
"""Of one job: a job with code of its own may leave any number of marks."""

TAKERS = (SiteType.SERVER, SiteType.SERVER_PARENT)
"""Who may have taken a log at the server: the job's process, or its parent."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_CREAT


class Unfinished:
    """Marks in the directory of one job. They outlive the site's process, and the job's process holds them.

    Whatever the job leaves there, only files in that directory are opened or removed, and no link is followed.

    Args:
        job_directory: where the job's logs lie.
        make: offer to finish them; otherwise the offer of the site must be there.

    Raises:
        OSError: there is no such offer, or it cannot be made.
    """

    def __init__(self, job_directory: str, *, make: bool = False) -> None:
        path = os.path.join(job_directory, DIRECTORY)
        if make:
            os.makedirs(path, exist_ok=True)
        self._descriptor = os.open(path, _READ | os.O_DIRECTORY)

    def close(self) -> None:
        """Let go of the directory, not of what is held."""
        os.close(self._descriptor)

    def __enter__(self) -> Unfinished:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, name: str, taker: str = "", whole: Fingerprint | None = None) -> None:
        """The log *name* is to be finished, at *taker*; "": nobody has taken it yet.

        Args:
            whole: of the log's first bytes, where *taker* continues nothing and can only take all of it once more.

        Raises:
            OSError: it cannot be noted.
        """
        text = taker if whole is None else f"{taker} {whole.length} {whole.digest.hex()}"
        descriptor = self._open(name, _WRITE | os.O_TRUNC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)

    def hold(self, name: str) -> int:
        """This process writes the log *name*, until it ends: a descriptor to be left open.

        Raises:
            OSError: it cannot be noted.
        """
        descriptor = self._open(name, _WRITE)
        with contextlib.suppress(OSError):  # a file system without locks: the receiver waits for the silence then
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return descriptor

    def wait_until_free(self, name: str) -> None:
        """Block until no process holds the mark of *name*.

        Raises:
            OSError: nobody can know.
        """
        descriptor = self._open(name, _READ)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        finally:
            os.close(descriptor)

    def remove(self, name: str) -> None:
        """All of it has arrived, or it is gone."""
        with contextlib.suppress(OSError):
            os.remove(_mark(name), dir_fd=self._descriptor)

    def names(self) -> list[str]:
        """The logs that have marks, the first hundred."""
        return list(itertools.islice(self._names(), MOST_LOGS))

    def _names(self) -> Iterator[str]:
        with os.scandir(self._descriptor) as entries:
            for entry in entries:
                name = unquote(entry.name, errors="surrogateescape")
                with contextlib.suppress(ConfigError):
                    if _mark(check_log_file_name(name)) == entry.name and entry.is_file(follow_symlinks=False):
                        yield name

    def taker(self, name: str) -> str | None:
        """Who took the log *name*; "": nobody, as far as is known. None: it has no mark."""
        words = self._words(name)
        if words is None:
            return None
        return words[0] if words and words[0] in TAKERS else ""

    def may_send(self, name: str, path: str) -> bool:
        """Whether the taker of *name* continues a copy, or the file at *path* is still the one that it began with: it
        would put the last part of a log that was rotated in the place of all."""
        words = self._words(name) or []
        return len(words) < 2 or _begins(path, words[1:])

    def _words(self, name: str) -> list[str] | None:
        try:
            descriptor = self._open(name, _READ)
        except OSError:
            return None
        try:
            return os.read(descriptor, 200).decode(errors="replace").split(" ")
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def _open(self, name: str, flags: int) -> int:
        descriptor = os.open(_mark(name), flags, 0o600, dir_fd=self._descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileNotFoundError(f"the mark of {name} is no file")
        return descriptor


def log_within(job_directory: str, name: str) -> str | None:
    """The path of the log *name*; None where there is none, or a link leads out of the job's directory."""
    root = os.path.abspath(job_directory)
    path = os.path.join(root, name)
    real_root, real = os.path.realpath(root), os.path.realpath(path)
    if os.path.commonpath([real_root, real]) != real_root or not os.path.isfile(real):
        return None
    return path


def beginning(path: str, most: int = HEAD_SIZE) -> Fingerprint:
    """Of the first bytes of the file at *path*, at most *most*; of none where it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return Fingerprint.of(b"")
    try:
        return Fingerprint.of(os.read(descriptor, most))
    except OSError:
        return Fingerprint.of(b"")
    finally:
        os.close(descriptor)


def _begins(path: str, words: list[str]) -> bool:
    """Whether the file at *path* begins as *words* tell; where they tell of no byte, nobody knows."""
    if len(words) != 2 or not words[0].isdecimal() or not 0 < int(words[0]) <= HEAD_SIZE:
        return False
    return beginning(path, int(words[0])).digest.hex() == words[1]


def _mark(name: str) -> str:
    return quote(name, safe=" ", errors="surrogateescape")
