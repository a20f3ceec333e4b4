"""Handover: which name a finished log gets in NVFlare's job storage, so that none takes another's place."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from nvflare.apis.fl_constant import WorkspaceConstants
from nvflare.apis.storage import DataTypes

MAX_REMEMBERED = 20_000
"""Logs of the latest jobs whose content is remembered; of older ones the job storage's own list tells the names."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class _Given:
    source: str
    size: int
    digest: bytes


class Handover:
    """What one receiver gave to the job manager."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given: OrderedDict[tuple[str, str, str], _Given] = OrderedDict()

    def give(self, manager: Any, fl_ctx: Any, site: str, job: str, name: str, source: str, file: str) -> str:
        """Let the job manager take *file* away; the name it has there.

        A file of the same *source* that begins with what was given before takes its place; any other one gets the next
        number.

        Args:
            source: tells files of one name apart.

        Raises:
            OSError: the file cannot be read.
        """
        with self._lock:
            kind = self._kind(manager, fl_ctx, site, job, name, source, file)
            given = _measure(file, source)
            manager.set_client_data(job, file, site, kind, fl_ctx)
            self._given[job, site, kind] = given
            self._given.move_to_end((job, site, kind))
            while len(self._given) > MAX_REMEMBERED:
                self._given.popitem(last=False)
        return kind

    def _kind(self, manager: Any, fl_ctx: Any, site: str, job: str, name: str, source: str, file: str) -> str:
        taken: set[str] = set()
        with contextlib.suppress(Exception):  # a storage that cannot say: what was given from here counts
            taken = set(manager.list_components(job, fl_ctx))
        number, first = 1, data_type(name)
        kind = first
        while True:
            before = self._given.get((job, site, kind))
            if before is None and f"{kind}_{site}" not in taken:
                return kind
            if before is not None and before.source == source and _measure(file, source, before.size) == before:
                return kind
            number += 1
            kind = f"{first}.{number}"


def data_type(name: str) -> str:
    """What NVFlare's job storage calls the log *name*."""
    if name == WorkspaceConstants.ERROR_LOG_FILE_NAME:
        return str(DataTypes.ERRORLOG.value)
    return f"{DataTypes.LOG.value}_{name.replace('/', '_')}"


def _measure(file: str, source: str, size: int | None = None) -> _Given:
    """*file*, or its first *size* bytes."""
    digest, seen = hashlib.sha256(), 0
    with open(file, "rb") as opened:
        while chunk := opened.read(_CHUNK if size is None else min(_CHUNK, size - seen)):
            digest.update(chunk)
            seen += len(chunk)
    return _Given(source, seen, digest.digest())
