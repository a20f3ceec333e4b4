"""Names: what streams are called in front of their lines."""

from __future__ import annotations

from itertools import count

from logstreamer.cli.colours import STREAMS
from logstreamer.cli.output import printable

MOST_WIDE = 40


class Names:
    """Whole paths; on a terminal without what all of them have in common, and of one width.

    Args:
        short: for a terminal.
    """

    def __init__(self, *, short: bool) -> None:
        self._short = short
        self._paths: dict[str, bytes] = {}
        self._shown: dict[str, str] = {}
        self._colours = count()

    def add(self, path: str) -> None:
        """One more stream."""
        if path in self._paths:
            return
        self._paths[path] = STREAMS[next(self._colours) % len(STREAMS)]
        if not self._short:
            self._shown[path] = printable(path)
            return
        parts = {path: path.split("/", 2) for path in self._paths}
        same_job = len({part[1] for part in parts.values() if len(part) > 2}) <= 1
        same_file = len({part[2] for part in parts.values() if len(part) > 2}) <= 1
        same_site = len({part[0] for part in parts.values()}) <= 1
        if len(parts) == 1 or (same_site and same_job and same_file):
            same_site = same_job = same_file = False
        drop = (same_site, same_job, same_file)
        self._shown = {
            path: "/".join(printable(word) for word, common in zip(part, drop, strict=False) if not common) or path
            for path, part in parts.items()
        }

    def of(self, path: str) -> str:
        """What the stream at *path* is called."""
        if path not in self._shown:
            self.add(path)
        return self._shown[path]

    def colour(self, path: str) -> bytes:
        """Its colour."""
        return self._paths.get(path, b"")

    @property
    def width(self) -> int:
        """Letters of the longest name, within reason."""
        return min(MOST_WIDE, max((len(name) for name in self._shown.values()), default=0))
