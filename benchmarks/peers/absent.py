"""Log shippers that have no package where this project gets its own from. Named in every report, never left out."""

from __future__ import annotations

import shutil
from typing import NamedTuple


class Absent(NamedTuple):
    """A program that is not measured: its *name* as people call it, its executable, and *why* it cannot be had."""

    name: str
    program: str
    why: str

    def missing(self) -> str:
        """The reason; where it is installed all the same, the report says that instead."""
        if shutil.which(self.program):
            return f"{self.program} is installed here, but this benchmark cannot run it yet"
        return self.why


ABSENT = (
    Absent(
        "Fluent Bit",
        "fluent-bit",
        "no package in Debian 12, PyPI or npm; its vendor has a repository of its own",
    ),
    Absent(
        "Vector",
        "vector",
        "no package in Debian 12 (PyPI's and npm's `vector` are other things); vendor's repository",
    ),
    Absent(
        "Filebeat",
        "filebeat",
        "no package in Debian 12 (PyPI's `filebeat` is another thing); vendor's repository",
    ),
)
"""The ones people would ask for."""
