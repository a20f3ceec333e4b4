"""Is a copy what the job wrote? Compared with the job's own files, not with what was sent."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence


def original(log: str) -> list[str]:
    """The files a job wrote to *log*, oldest first: `log.N`, ..., `log.1`, `log`."""
    files = [log]
    while os.path.exists(f"{log}.{len(files)}"):
        files.append(f"{log}.{len(files)}")
    return files[::-1]


def differences(site: str, files: Sequence[str], copy: str) -> list[str]:
    """What is wrong with *copy*; nothing when it is exactly *files*, one after the other."""
    if not os.path.exists(copy):
        return [f"{site} has no copy"]
    wanted, got = _digest(files), _digest([copy])
    return [] if wanted == got else [f"{site}: sha256 {got} of the copy is not {wanted}"]


def _digest(files: Sequence[str]) -> str:
    whole = hashlib.sha256()
    for path in files:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                whole.update(block)
    return whole.hexdigest()
