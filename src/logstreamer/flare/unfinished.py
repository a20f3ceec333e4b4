"""Marks beside the logs that a site has to finish: they outlive its process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from nvflare.apis.fl_constant import WorkspaceConstants
from nvflare.apis.workspace import Workspace


def set_mark(workspace: Workspace, job: str, name: str) -> None:
    """*job* has a live log *name* whose end this site has to send.

    Raises:
        OSError: the job's directory cannot be written.
    """
    with open(_mark(workspace.get_run_dir(job), name), "w", encoding="utf-8"):
        pass


def clear_mark(workspace: Workspace, job: str, name: str) -> None:
    """All of it has arrived, or it is gone."""
    with contextlib.suppress(OSError):
        os.remove(_mark(workspace.get_run_dir(job), name))


def marked_jobs(workspace: Workspace, name: str) -> Iterator[str]:
    """The jobs whose log *name* is not finished."""
    prefix = WorkspaceConstants.WORKSPACE_PREFIX
    with os.scandir(workspace.get_root_dir()) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and os.path.isfile(_mark(entry.path, name)):
                yield entry.name.removeprefix(prefix)


def _mark(directory: str, name: str) -> str:
    return os.path.join(directory, f".{name.replace('/', '_')}.logstreamer-unfinished")
