"""What the runner must know of a way to bring a growing file to another process. One peer is one file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Way:
    """One transfer: *source* grows; its copy appears below *dest*, an empty directory; *port* is free on 127.0.0.1."""

    source: Path
    dest: Path
    port: int


@dataclass(frozen=True, slots=True)
class Command:
    """One process.

    Args:
        argv: program and arguments.
        env: variables beside those of the runner.
        feeds_next: its standard output is the standard input of the next command.
    """

    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)
    feeds_next: bool = False

    def __str__(self) -> str:
        variables = [f"{name}=..." for name in self.env]
        return " ".join([*variables, *self.argv]) + (" |" if self.feeds_next else "")


class Peer(ABC):
    """Two ends as commands. The runner starts, watches and stops them; all of them run until they are stopped."""

    name: str

    @abstractmethod
    def missing(self) -> str | None:
        """Why this peer cannot run here, or None when it can."""

    @abstractmethod
    def version(self) -> str:
        """What exactly was measured. Only called when nothing is missing."""

    @abstractmethod
    def receiver(self, way: Way) -> list[Command]:
        """The receiving end: ready as soon as something listens on `way.port`."""

    @abstractmethod
    def sender(self, way: Way) -> list[Command]:
        """The sending end: sends what the source holds, then follows it."""

    @abstractmethod
    def stored(self, way: Way) -> Path:
        """Where the copy appears."""
