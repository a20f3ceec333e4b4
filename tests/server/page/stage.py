"""A stage for the page: a real receiver, real senders, and connections that can be cut."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

from e2e.processes import TOKEN, Program, wait_until
from engines.proxy import Proxy

IDLE_TIMEOUT = 3


class Stage:
    """A receiver in *directory*, with one sender that takes every file of a directory of its own.

    Args:
        prepare: gets the directory of the copies before the receiver starts.
    """

    def __init__(self, directory: Path, prepare: Callable[[Path], None] = lambda copies: None) -> None:
        self.directory = directory
        self.copies = directory / "copies"
        self.logs = directory / "logs"
        self.logs.mkdir()
        prepare(self.copies)
        self._programs: list[Program] = []
        argv = ["serve", "--listen", "127.0.0.1:0", "--dest", str(self.copies), "--idle-timeout", str(IDLE_TIMEOUT)]
        self.receiver = self._start(argv)
        self.url = self.receiver.wait_line(r"ready at (http://\S+)")[1].rstrip("/")
        self.proxy = Proxy(int(self.url.rpartition(":")[2]))
        self.send(self.logs, "s")

    def _start(self, argv: list[str]) -> Program:
        program = Program(argv, self.directory)
        self._programs.append(program)
        return program

    def send(self, what: Path, site: str, job: str = "j") -> Program:
        """One more sender."""
        return self._start(["send", str(what), "--to", self.url, "--site", site, "--job", job])

    def stream(self, name: str, content: bytes = b"") -> Log:
        """A file that is sent, once all of *content* is stored and the receiver knows of it: it looks now and then."""
        path = self.logs / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        log = Log(self, path, f"s/j/{path.relative_to(self.logs)}")
        log.wait_stored()
        wait_until(lambda: self.is_known(log.path), log.path)
        return log

    def known(self, name: str) -> Log:
        """A file that is sent already."""
        return Log(self, self.logs / name, f"s/j/{name}")

    def ask(self, place: str) -> Any:
        """What the API answers."""
        request = urllib.request.Request(self.url + place, headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def is_known(self, path: str) -> bool:
        """Whether the API tells of a stream."""
        try:
            return bool(self.state(path))
        except HTTPError as error:
            if error.code != 404:
                raise
            return False

    def state(self, path: str) -> str:
        """Of a stream."""
        return self.ask(f"/api/v1/streams/{quote(path)}")["state"]

    def close(self) -> None:
        """End everything."""
        self.proxy.__exit__(None, None, None)
        for program in reversed(self._programs):
            program.kill()


class Log:
    """A file at a site, and the stream it is stored as."""

    def __init__(self, stage: Stage, source: Path, path: str) -> None:
        self.source = source
        self.path = path
        self.copy = stage.copies / path

    @property
    def fragment(self) -> str:
        """That shows it."""
        return f"#s={quote(self.path)}"

    def write(self, content: bytes) -> None:
        """Append, as a job does."""
        with self.source.open("ab") as file:
            file.write(content)

    def wait_stored(self) -> None:
        """Until the copy is as long as the file."""
        wait_until(lambda: self.copy.exists() and self.copy.stat().st_size == self.source.stat().st_size, self.path)
