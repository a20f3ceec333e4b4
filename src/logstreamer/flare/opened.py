"""The stores this process has open: receivers of one place share one, because a store has one lock."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import tempfile
import threading
import weakref
from typing import Any

from logstreamer.errors import StoreError
from logstreamer.store.catalogue import Store
from logstreamer.store_sink import Stored

_lock = threading.RLock()  # a finalizer may run in the thread that has it
_opened: dict[tuple[str, str], tuple[Stored, int]] = {}


def open_stored(owner: Any, root: str, part: str, *, idle_timeout: float) -> Stored:
    """The store at *root* and its *part*; closed when the last *owner* is gone.

    Args:
        idle_timeout: of a store that is not open yet; else that of who opened it holds.

    Raises:
        StoreError: the directory cannot be used, or another process has this part of it.
    """
    key = os.path.realpath(root), part
    with _lock:
        stored, count = _opened.get(key) or (Stored(Store(root, part=part), idle_timeout=idle_timeout), 0)
        _opened[key] = stored, count + 1
    weakref.finalize(owner, _release, key).atexit = False
    return stored


def _release(key: tuple[str, str]) -> None:
    with _lock:
        stored, count = _opened[key]
        if count > 1:
            _opened[key] = stored, count - 1
        else:
            del _opened[key]
            stored.store.close()


def new_mark(job: str, workspace: str) -> str:
    """Eight digits that tell the receivers of one directory apart.

    The server of a *workspace* has the same ones whenever it is started, and continues what it finds. The process of a
    *job* has its own, because simulators give all their jobs one id; nobody starts it again.
    """
    return secrets.token_hex(4) if job else hashlib.sha256(os.fsencode(os.path.realpath(workspace))).hexdigest()[:8]


def private_directory() -> str:
    """`logstreamer-UID` in the directory for temporary files, for this user alone.

    Raises:
        StoreError: somebody else made it, or a link lies there.
    """
    path = os.path.join(tempfile.gettempdir(), f"logstreamer-{os.getuid()}")
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise StoreError(f"{path} cannot be made: {error}") from error
    facts = os.lstat(path)
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
        raise StoreError(f"{path} is not a directory of this user's own: set dest_dir")
    if stat.S_IMODE(facts.st_mode) & 0o077:
        os.chmod(path, 0o700)
    return path
