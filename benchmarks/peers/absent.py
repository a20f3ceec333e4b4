"""Log shippers that have no package where this project gets its own from. Named in every report, never left out."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.peers.base import Command, Peer, Way

_WHY = {
    "Fluent Bit": ("fluent-bit", "no package in Debian 12, PyPI or npm; its vendor has a repository of its own"),
    "Vector": ("vector", "no package in Debian 12 (PyPI's and npm's `vector` are other things); vendor's repository"),
    "Filebeat": ("filebeat", "no package in Debian 12 (PyPI's `filebeat` is another thing); vendor's repository"),
}


class AbsentPeer(Peer):
    """A program that is not measured; where it is installed all the same, the report says that too.

    Args:
        name: as people call it.
        program: its executable.
        why: where it cannot be had.
    """

    def __init__(self, name: str, program: str, why: str) -> None:
        self.name = name
        self._program = program
        self._why = why

    @classmethod
    def all(cls) -> list[AbsentPeer]:
        """The ones people would ask for."""
        return [cls(name, program, why) for name, (program, why) in _WHY.items()]

    def missing(self) -> str:
        """Always a reason."""
        if shutil.which(self._program):
            return f"{self._program} is installed here, but this benchmark cannot run it yet"
        return self._why

    # A bench asks `missing` first, and asks whoever has a reason for nothing else: what follows is never reached.

    def version(self) -> str:
        raise NotImplementedError(self.missing())

    def receiver(self, way: Way) -> list[Command]:
        raise NotImplementedError(self.missing())

    def sender(self, way: Way) -> list[Command]:
        raise NotImplementedError(self.missing())

    def stored(self, way: Way) -> Path:
        raise NotImplementedError(self.missing())
