"""A receiver and whatever else a test starts; all of it is ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.ports import ReservedPort

from e2e.processes import Program


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts a program in the test's directory."""
    programs: list[Program] = []

    def begin(*argv: str, **options: object) -> Program:
        programs.append(Program(argv, tmp_path, **options))  # type: ignore[arg-type]
        return programs[-1]

    yield begin
    for program in programs:
        if program.process.poll() is None:
            program.kill()


class Receiver:
    """`serve` on a port that stays the same over restarts; the copies lie below `copies`."""

    def __init__(self, start: Callable[..., Program], directory: Path, *options: str) -> None:
        self._start = start
        self.copies = directory / "copies"
        self._reserved = ReservedPort()
        self.port = self._reserved.number
        self.program = self.begin(*options)

    def begin(self, *options: str) -> Program:
        """Start it (again) and wait until it is ready."""
        self.program = self._start("serve", "--listen", f"127.0.0.1:{self.port}", "--dest", str(self.copies), *options)
        self.program.wait_line(rf"ready at http://127\.0\.0\.1:{self.port}/")
        return self.program

    @property
    def url(self) -> str:
        """Without the token, which is in the environment."""
        return f"http://127.0.0.1:{self.port}"

    def copy(self, name: str) -> Path:
        """Where the copy of a file of site "s" lies."""
        return self.copies / "s" / "default" / name


@pytest.fixture
def receiver(start: Callable[..., Program], tmp_path: Path) -> Receiver:
    """One that is ready."""
    return Receiver(start, tmp_path)
