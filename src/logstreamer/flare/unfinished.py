"""Marks beside the logs that a site has to finish: they outlive its process, and the job's process holds them."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from nvflare.apis.fl_constant import WorkspaceConstants


def set_mark(path: str) -> None:
    """The log at *path* is one whose end this site has to send.

    Raises:
        OSError: its directory cannot be written.
    """
    with open(_mark(path), "w", encoding="utf-8"):
        pass


def clear_mark(path: str) -> None:
    """All of it has arrived, or it is gone."""
    with contextlib.suppress(OSError):
        os.remove(_mark(path))


def hold_mark(path: str) -> int | None:
    """This process writes the log at *path*, until it ends: a descriptor to be left open, None without a mark."""
    try:
        descriptor = os.open(_mark(path), os.O_RDWR)
    except OSError:
        return None
    with contextlib.suppress(OSError):  # a file system without locks: the receiver waits for the silence then
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return descriptor


def wait_until_free(path: str) -> None:
    """Block until no process holds the mark.

    Raises:
        OSError: nobody can know.
    """
    with open(_mark(path), "r+b") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)


def marked_jobs(root: str, name: str) -> Iterator[str]:
    """The jobs below the workspace at *root* whose log *name* is not finished."""
    prefix = WorkspaceConstants.WORKSPACE_PREFIX
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and os.path.isfile(_mark(os.path.join(entry.path, name))):
                yield entry.name.removeprefix(prefix)


def _mark(path: str) -> str:
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name}.logstreamer-unfinished")
