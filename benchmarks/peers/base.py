"""What the runner must know of a way to bring a growing file to another process. One peer is one file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate for every host of a benchmark, its key, both PEM files; it is its own authority."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Network:
    """Where the two ends run.

    Args:
        host: the address that the receiver listens on and the sender connects to.
        tls: None: in the clear.
        at_receiver, at_sender: programs that run the real ones, e.g. in a network namespace.
    """

    host: str = "127.0.0.1"
    tls: Tls | None = None
    at_receiver: tuple[str, ...] = ()
    at_sender: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """One transfer: *source* grows; its copy appears below *dest*, an empty directory; *port* is free."""

    source: Path
    dest: Path
    port: int
    network: Network = Network()

    @property
    def host(self) -> str:
        """The receiver's address."""
        return self.network.host


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
    speaks_tls = True

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

    def files(self, way: Way) -> dict[Path, str]:
        """Files that its programs need, with their text."""
        return {}
